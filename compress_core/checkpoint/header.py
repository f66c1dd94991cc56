"""The header of a safetensors file, read by code of our own: nothing it claims is believed.

The file: 8 bytes of length (little endian), a JSON object of names, then the tensors' bytes. A
header may be huge or lie about sizes, so it is measured before it is parsed, and every claim is
checked against the file before a tensor is read.
"""

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ITEM_BYTES = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 1),
    **dict.fromkeys(("U16", "I16", "F16", "BF16"), 2),
    **dict.fromkeys(("U32", "I32", "F32"), 4),
    **dict.fromkeys(("U64", "I64", "F64"), 8),
}
FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
LENGTH_BYTES = 8
MOST_DIMENSIONS = 8
LONGEST_NAME = 1000  # characters of a tensor's name


class CheckpointError(ValueError):
    """A file is no checkpoint, claims what is not there, or cannot be read."""


@dataclass(frozen=True)
class Limits:
    """What a checkpoint may ask for before anything of it is parsed."""

    header_bytes: int = 16 << 20  # of each file, and of index.json
    tensors: int = 20_000  # of all files together


@dataclass(frozen=True)
class Entry:
    """One tensor: `bytes` of it from `offset` on in `file`; `dtype` as safetensors names it."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    file: Path
    offset: int

    @property
    def weights(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def is_weight(self) -> bool:
        """Whether methods act on it: floats of at least two dimensions. Norms, biases, and the
        integer codes of somebody else's quantization stay as they are."""
        return self.dtype in FLOATS and len(self.shape) > 1 and self.weights > 1


@dataclass(frozen=True)
class FileHeader:
    """The tensors of one file, and `identity`: its size, times, place on the disk and header."""

    entries: tuple[Entry, ...]
    identity: str


def read_header(path: Path, limits: Limits) -> FileHeader:
    """The checked header of one file. Raises CheckpointError; OSError where it cannot be read."""
    with path.open("rb") as file:
        size = path.stat().st_size
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        _check_length(path, length, size, limits)
        raw = file.read(length)
    claims = _parse(path, raw)
    claims.pop("__metadata__", None)
    check_count(len(claims), limits)
    start = LENGTH_BYTES + length
    entries = tuple(_entry(path, start, name, claim) for name, claim in claims.items())
    _check_places(path, entries, start, size)
    return FileHeader(entries, _identity(path, raw))


def check_count(count: int, limits: Limits) -> None:
    if count > limits.tensors:
        raise CheckpointError(
            f"{count:,} tensors are more than the {limits.tensors:,} allowed; "
            "open fewer of the files, or allow more (Limits.tensors)"
        )


def _check_length(path: Path, length: int, size: int, limits: Limits) -> None:
    if not 2 <= length <= size - LENGTH_BYTES:
        raise CheckpointError(
            f"{path.name}: a header of {length:,} bytes does not fit a file of {size:,}; it is no "
            "safetensors file, or a truncated one: copy it anew"
        )
    if length > limits.header_bytes:
        raise CheckpointError(
            f"{path.name}: a header of {length:,} bytes is larger than the "
            f"{limits.header_bytes:,} allowed; allow more (Limits.header_bytes) if you trust it"
        )


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(
            f"{path.name}: the header is damaged ({error}); copy it anew"
        ) from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path.name}: the header is no JSON object; copy the file anew")
    return found


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise CheckpointError("a name stands twice in one object")
    return found


def _entry(path: Path, start: int, name: str, claim: Any) -> Entry:
    try:
        dtype, shape, (begin, end) = claim["dtype"], tuple(claim["shape"]), claim["data_offsets"]
    except (TypeError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path.name}: {name[:80]!r} lacks dtype, shape or data_offsets; write the file anew"
        ) from error
    numbers = (*shape, begin, end)
    if any(type(number) is not int or number < 0 for number in numbers):
        raise CheckpointError(f"{path.name}: {name[:80]!r} has a shape or place that is no size")
    known = isinstance(dtype, str) and dtype in ITEM_BYTES
    if not known or len(shape) > MOST_DIMENSIONS or len(name) > LONGEST_NAME:
        raise CheckpointError(
            f"{path.name}: {name[:80]!r} of type {str(dtype)[:20]!r} in {len(shape)} dimensions is "
            f"not read; the types are {', '.join(ITEM_BYTES)}, in at most {MOST_DIMENSIONS}"
        )
    if end - begin != math.prod(shape) * ITEM_BYTES[dtype]:
        raise CheckpointError(
            f"{path.name}: {name[:80]!r} has {end - begin:,} bytes for {list(shape)} of {dtype}; "
            "the file is damaged: copy it anew"
        )
    return Entry(name, shape, dtype, end - begin, path, start + begin)


def _check_places(path: Path, entries: Iterable[Entry], start: int, size: int) -> None:
    """Raise CheckpointError where two tensors overlap, or one lies outside of the file."""
    reached = start
    for entry in sorted(entries, key=lambda entry: (entry.offset, entry.bytes)):
        if entry.offset < reached and entry.bytes:
            raise CheckpointError(f"{path.name}: {entry.name[:80]!r} overlaps another tensor")
        reached = max(reached, entry.offset + entry.bytes)
    if reached > size:
        raise CheckpointError(
            f"{path.name} is truncated: {reached:,} bytes are claimed, {size:,} are there"
        )


def _identity(path: Path, raw: bytes) -> str:
    status = path.stat()
    about = (status.st_size, status.st_mtime_ns, status.st_ino, hashlib.sha256(raw).hexdigest())
    return hashlib.sha256(repr(about).encode()).hexdigest()
