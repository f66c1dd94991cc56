"""Gap coding: sparse symbols as the distances between those that differ from the usual one.

Deep Compression's relative index: a distance 1 … 2ᵏ fits into k bits as distance - 1; where the
next symbol is farther away, an additional entry (a filler) holds the usual symbol 2ᵏ places on.
Distances and symbols are then coded each with a model of its own. Source: Han et al. 2015,
1510.00149, sections 2 (figure 2) and 4; the paper counts the first distance from index 0, we from
-1, so that the first weight may be kept.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress_core.storage.entropy_coding.huffman import HUFFMAN
from compress_core.storage.entropy_coding.packing import (
    Bytes,
    Counts,
    StreamError,
    SymbolCoder,
    Symbols,
)
from compress_core.storage.entropy_coding.survey import Survey, distances

Size = Callable[[Counts], int]  # histogram → bytes

INDEX_BITS = range(2, 9)
HEADER = np.dtype([("bits", "u1"), ("usual", "<u2"), ("entries", "<u4"), ("gap_bytes", "<u4")])


@dataclass(frozen=True, eq=False)
class RelativeIndex:
    """`gaps` (entries,): distance - 1 to each entry, in [0, 2ᵏ); `is_filler` (entries,) bool."""

    gaps: Symbols
    is_filler: NDArray[np.bool_]


def relative_index(kept: NDArray[np.bool_], bits: int) -> RelativeIndex:
    """Distances between the kept ones of a flat mask, with fillers where `bits` do not hold them.

    >>> relative_index(np.array([0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1], bool), 2).gaps
    array([2, 0, 3, 2], dtype=int32)
    """
    far = distances(kept)
    fillers = far >> bits  # (kept,)
    ends = np.cumsum(fillers + 1) - 1  # the place of each kept one among all entries
    gaps = np.full(kept.sum() + fillers.sum(), 2**bits - 1, np.int32)
    gaps[ends] = far & (2**bits - 1)
    is_filler = np.ones(gaps.size, np.bool_)
    is_filler[ends] = False
    return RelativeIndex(gaps, is_filler)


def positions(gaps: Symbols) -> NDArray[np.int64]:
    """Where each entry of a relative index stands, fillers included."""
    return np.cumsum(gaps.astype(np.int64) + 1) - 1


def best_index_bits(symbols: Symbols, alphabet: int, coder: SymbolCoder = HUFFMAN) -> int:
    """The index bits in 2 … 8 that need the fewest bytes, fillers and tables included."""
    return _best(Survey(symbols, alphabet), coder)[1]


def least_gap_size(survey: Survey, coder: SymbolCoder) -> int:
    """A lower bound on the bytes of `encode_gap`, much faster than `gap_size`."""
    return HEADER.itemsize + min(_size(survey, bits, coder.least) for bits in INDEX_BITS)


def gap_size(survey: Survey, coder: SymbolCoder) -> int:
    """Bytes of `encode_gap`, as exactly as the coder's size is."""
    return HEADER.itemsize + _best(survey, coder)[0]


def _best(survey: Survey, coder: SymbolCoder) -> tuple[int, int]:
    """The fewest bytes and the index bits that need them; of equal ones the fewest bits. What
    cannot be shorter by its entropy is not sized up."""
    bounds = {bits: _size(survey, bits, coder.least) for bits in INDEX_BITS}
    best: tuple[int, int] | None = None
    for bits in sorted(INDEX_BITS, key=bounds.__getitem__):
        if best is None or bounds[bits] <= best[0]:
            found = _size(survey, bits, coder.size), bits
            best = found if best is None else min(best, found)
    assert best is not None
    return best


def _size(survey: Survey, bits: int, size: Size) -> int:
    """Bytes of gaps and symbols."""
    far = np.arange(survey.distances.size)
    gaps = np.bincount(far & (2**bits - 1), survey.distances, 2**bits).astype(np.int64)
    fillers = int(survey.distances @ (far >> bits))
    gaps[-1] += fillers
    values = survey.counts.copy()
    values[survey.usual] = fillers
    if not gaps.any():
        return 0
    return size(gaps) + size(values)


def encode_gap(symbols: Symbols, alphabet: int, *, coder: SymbolCoder = HUFFMAN) -> Bytes:
    """HEADER, the coded gaps, the coded symbols (fillers too): all but the most frequent one."""
    usual = int(np.bincount(symbols, minlength=alphabet).argmax())
    bits = best_index_bits(symbols, alphabet, coder)
    index = relative_index(symbols != usual, bits)
    values = np.full(index.gaps.size, usual, np.int32)
    values[~index.is_filler] = symbols[symbols != usual]
    parts = []
    if values.size:
        parts = [coder.encode(index.gaps, 2**bits), coder.encode(values, alphabet)]
    gap_bytes = parts[0].size if parts else 0
    header = np.array([(bits, usual, values.size, gap_bytes)], HEADER)
    return np.concatenate([header.view(np.uint8), *parts])


def decode_gap(
    stream: Bytes, alphabet: int, count: int, *, coder: SymbolCoder = HUFFMAN
) -> Symbols:
    """The `count` symbols that `encode_gap` was given. Raises StreamError if it cannot be."""
    bits, usual, entries, gap_bytes = _read_header(stream, alphabet, count)
    symbols = np.full(count, usual, np.int32)
    body = stream[HEADER.itemsize :]
    if not entries:
        if body.size:
            raise StreamError(f"{body.size} bytes follow a stream of one symbol alone")
        return symbols
    where = positions(coder.decode(body[:gap_bytes], 2**bits, entries))
    if where[-1] >= count:
        raise StreamError(f"an entry stands at {where[-1]} of {count} symbols")
    symbols[where] = coder.decode(body[gap_bytes:], alphabet, entries)
    return symbols


def _read_header(stream: Bytes, alphabet: int, count: int) -> tuple[int, int, int, int]:
    if stream.size < HEADER.itemsize:
        raise StreamError(f"{stream.size} bytes are less than the {HEADER.itemsize} of a header")
    fields = stream[: HEADER.itemsize].view(HEADER)[0]
    bits, usual, entries, gap_bytes = (int(field) for field in fields)
    if bits not in INDEX_BITS or usual >= alphabet or entries > count:
        raise StreamError(f"{bits} index bits, symbol {usual}, {entries} entries are impossible")
    return bits, usual, entries, gap_bytes
