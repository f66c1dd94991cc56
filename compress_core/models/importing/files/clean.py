"""A safetensors file of ours: what was read elsewhere, written anew, tensor by tensor.

One piece of one tensor is in memory at a time, so that a file of any size can be written.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compress_core.models.importing.files.tensors import bytes_of, count_non_finite

PIECE = 1 << 24  # bytes, a multiple of every type's size
METADATA = "__metadata__"


@dataclass(frozen=True)
class TensorSource:
    """A tensor that can be read: `pieces` gives its bytes in order, each piece of whole values."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    pieces: Callable[[], Iterator[NDArray[np.uint8]]]


def write_clean(path: Path, sources: Sequence[TensorSource]) -> dict[str, int]:
    """Write all tensors to `path`, which must be new. Returns how many values of each are infinite
    or NaN, where any are. Raises OSError for a full disk or a file beyond its limit."""
    non_finite: dict[str, int] = {}
    with path.open("xb") as file:
        file.write(_header(sources))
        for source in sources:
            for piece in source.pieces():
                found = count_non_finite(source.dtype, piece)
                if found:
                    non_finite[source.name] = non_finite.get(source.name, 0) + found
                file.write(piece.data)
    return non_finite


def _header(sources: Sequence[TensorSource]) -> bytes:
    entries: dict[str, object] = {}
    at = 0
    for source in sources:
        end = at + bytes_of(source.dtype, source.shape)
        places = [at, end]
        entries[source.name] = {
            "dtype": source.dtype,
            "shape": list(source.shape),
            "data_offsets": places,
        }
        at = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the tensors begin at a multiple of 8, for those who map them
    return len(text).to_bytes(8, "little") + text


def pieces_of_file(path: Path, begin: int, end: int) -> Iterator[NDArray[np.uint8]]:
    """The bytes between two places of a file."""
    with path.open("rb") as file:
        file.seek(begin, os.SEEK_SET)
        for at in range(begin, end, PIECE):
            yield np.frombuffer(file.read(min(PIECE, end - at)), np.uint8)
