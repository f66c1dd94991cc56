"""The header of a safetensors file, checked by the format's rules before anybody uses it.

Format: 8 bytes with the header's length n (little endian), n bytes of JSON, then the tensors' bytes
without holes. Source: github.com/huggingface/safetensors, README, section Format.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress_core.models.importing.files.errors import UnsafeFileError, refuse
from compress_core.models.importing.files.tensors import BITS, bytes_of
from compress_core.shown import shown_name

MOST_HEADER = 1_000_000
MOST_TENSORS = 20_000
MOST_DIMENSIONS = 64
AGAIN = "upload it again, or save it anew with safetensors.torch.save_file"
SMALLER = "leave out tensors that are not weights, or split the file into shards"


@dataclass(frozen=True)
class TensorPlace:
    """A tensor and the place of its bytes in the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_header(
    path: Path, most_header: int = MOST_HEADER, most_tensors: int = MOST_TENSORS
) -> tuple[TensorPlace, ...]:
    """All tensors, in the order of their bytes. Raises UnsafeFileError for a header that is too
    large, no JSON, or claims what is not there."""
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(8)
        length = int.from_bytes(first, "little")
        _check_length(length, size, len(first), most_header)
        entries = _parsed(file.read(length))
    entries.pop("__metadata__", None)
    if len(entries) > most_tensors:
        raise refuse(f"{len(entries):,} tensors; at most {most_tensors:,} are read", SMALLER)
    places = [_place(name, entry, 8 + length) for name, entry in entries.items()]
    places.sort(key=lambda place: (place.begin, place.end))
    _check_order(places, 8 + length, size)
    return tuple(places)


def _check_length(length: int, size: int, present: int, most: int) -> None:
    if present < 8 or size < 10:
        raise refuse(f"the file ends after {size} bytes, before its header does", AGAIN)
    if length > most:
        raise refuse(f"its header takes {length:,} bytes; at most {most:,} are read", SMALLER)
    if 8 + length > size:
        raise refuse(
            f"its header takes {length:,} bytes, but the file has {size:,}: it is cut off", AGAIN
        )


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        entries = json.loads(raw, object_pairs_hook=_without_doubles)
    except UnsafeFileError:
        raise
    except (ValueError, RecursionError) as error:
        raise refuse("its header is no JSON", AGAIN) from error
    if not isinstance(entries, dict):
        raise refuse("its header is no JSON object", AGAIN)
    return entries


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise refuse("its header names a tensor or a field twice", AGAIN)
    return found


def _place(name: str, entry: object, start: int) -> TensorPlace:
    """One entry, with offsets from the beginning of the file."""
    shown = f"tensor '{shown_name(name)}'"
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise refuse(f"{shown} must have dtype, shape and data_offsets, and no more", AGAIN)
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        known = ", ".join(BITS)
        raise refuse(
            f"{shown} has the type {shown_name(str(dtype)[:200])}; known are {known}", AGAIN
        )
    if not _are_counts(shape) or len(shape) > MOST_DIMENSIONS:
        raise refuse(f"{shown} has a shape that is no list of sizes of at least 0", AGAIN)
    if not _are_counts(offsets) or len(offsets) != 2:
        raise refuse(f"{shown} has data_offsets that are no two places in the file", AGAIN)
    begin, end = offsets
    if math.prod(shape) * BITS[dtype] % 8 or end - begin != bytes_of(dtype, shape):
        raise refuse(
            f"{shown} has {end - begin:,} bytes, but its shape {_shown_shape(shape)} and type "
            f"{dtype} take {bytes_of(dtype, shape):,}",
            AGAIN,
        )
    return TensorPlace(name, dtype, tuple(shape), start + begin, start + end)


def _are_counts(values: object) -> bool:
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value < 1 << 63 for value in values
    )


def _shown_shape(shape: Iterable[int]) -> str:
    return shown_name(" × ".join(f"{size:,}" for size in shape) or "of one value")


def _check_order(places: list[TensorPlace], start: int, size: int) -> None:
    """The tensors' bytes follow each other from the header to the end of the file."""
    at = start
    for place in places:
        shown = f"tensor '{shown_name(place.name)}'"
        if place.begin < at:
            raise refuse(f"{shown} overlaps another; each needs bytes of its own", AGAIN)
        if place.begin > at:
            raise refuse(f"{place.begin - at:,} bytes before {shown} belong to no tensor", AGAIN)
        if place.end > size:
            raise refuse(
                f"{shown} ends at byte {place.end:,}, but the file has {size:,}: it is cut off",
                AGAIN,
            )
        at = place.end
    if at < size:
        raise refuse(f"the last {size - at:,} bytes belong to no tensor", AGAIN)
