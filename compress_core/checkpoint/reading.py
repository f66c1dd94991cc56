"""Numbers of a tensor as float32, piece by piece, so that no tensor is ever whole in memory.

Read with `readinto` and not by mapping the file: what is read is bounded either way, but a mapped
file that a training run overwrites or truncates ends the whole process (SIGBUS), and its pages
count as the process's memory until they are given back.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from io import FileIO
from itertools import pairwise

import torch
from torch import Tensor

from compress_core.checkpoint.header import ITEM_BYTES, CheckpointError, Entry

TYPES: dict[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I8": torch.int8,
    "U8": torch.uint8,
}
OTHER_TYPES: dict[str, torch.dtype] = {
    "BOOL": torch.bool,
    "F8_E8M0": torch.float8_e8m0fnu,
    "I16": torch.int16,
    "U16": torch.uint16,
    "I32": torch.int32,
    "U32": torch.uint32,
    "I64": torch.int64,
    "U64": torch.uint64,
}
CHUNK = 1 << 22  # numbers read at once
BLOCK = 1 << 20  # weights that are compressed at once, in whole rows
STACKED = 64  # from this size on, the last two of three dimensions are a matrix


def matrix_shape(entry: Entry) -> tuple[int, int]:
    """(rows, columns) of the tensor as a matrix, its outputs first.

    As `as_matrix` has it, but for three dimensions of which the last two are large: those are a
    stack of matrices, such as the experts of a layer, and each of their rows is an output.
    """
    first, *others = entry.shape or (1,)
    if len(others) == 2 and min(others) >= STACKED:
        return first * others[0], others[1]
    return first, math.prod(others)


def check_readable(entry: Entry) -> None:
    """Raise CheckpointError for a type whose numbers are not computed with."""
    if entry.dtype not in TYPES:
        raise CheckpointError(
            f"{entry.name} holds {entry.dtype}, whose numbers are no weights; "
            f"read are {', '.join(TYPES)}"
        )


def read_chunks(entry: Entry, numbers: int = CHUNK) -> Iterator[Tensor]:
    """The tensor's numbers in order, in its own type, flat, at most so many at once."""
    check_readable(entry)
    width = ITEM_BYTES[entry.dtype]
    starts = [*range(0, entry.bytes, numbers * width), entry.bytes]
    for raw in _read(entry, pairwise(starts)):
        yield torch.frombuffer(raw, dtype=TYPES[entry.dtype])


def read_raw(entry: Entry) -> Tensor:
    """The whole tensor in its own type and shape."""
    dtype = (TYPES | OTHER_TYPES)[entry.dtype]
    if not entry.bytes:
        return torch.empty(entry.shape, dtype=dtype)
    (raw,) = _read(entry, [(0, entry.bytes)])
    return torch.frombuffer(raw, dtype=dtype).view(entry.shape)


def read_rows(entry: Entry, rows: Sequence[int]) -> Tensor:
    """These rows of the matrix, float32 (rows, columns)."""
    check_readable(entry)
    _, columns = matrix_shape(entry)
    width = columns * ITEM_BYTES[entry.dtype]
    parts = [
        torch.frombuffer(raw, dtype=TYPES[entry.dtype]).float().view(-1, columns)
        for raw in _read(entry, ((a * width, b * width) for a, b in _runs(rows)))
    ]
    return torch.cat(parts)


def read_blocks(entry: Entry, weights: int = BLOCK) -> Iterator[Tensor]:
    """The whole matrix, float32, in blocks of as many rows as have about so many weights."""
    rows, columns = matrix_shape(entry)
    step = max(1, weights // columns)
    for start in range(0, rows, step):
        yield read_rows(entry, range(start, min(rows, start + step)))


def spread_rows(entry: Entry, weights: int) -> Sequence[int]:
    """Rows that lie evenly over the matrix and have about so many weights; all where it has no
    more."""
    rows, columns = matrix_shape(entry)
    count = max(1, weights // columns)
    if count >= rows:
        return range(rows)
    return [int((i + 0.5) * rows / count) for i in range(count)]


def _runs(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ascending rows as half-open runs of neighbours: one read for each."""
    start = end = rows[0]
    for row in rows:
        if row > end:
            yield start, end
            start = row
        end = row + 1
    yield start, end


def _read(entry: Entry, spans: Iterable[tuple[int, int]]) -> Iterator[bytearray]:
    """The bytes of the tensor between these places."""
    with entry.file.open("rb", buffering=0) as file:
        for start, end in spans:
            raw = bytearray(end - start)
            _fill(file, memoryview(raw), entry, start)
            yield raw


def _fill(file: FileIO, view: memoryview, entry: Entry, start: int) -> None:
    file.seek(entry.offset + start)
    while len(view):
        count = file.readinto(view)
        if not count:
            raise CheckpointError(
                f"{entry.file.name} ends within {entry.name}: it changed while it was open; open "
                "it again once it is written"
            )
        view = view[count:]
