"""Canonical Huffman codes of at most 15 bits, stored as their lengths alone.

Symbols of equal length have consecutive codes in the order of their values, so that four bits of
length a symbol (0: it does not occur) are the whole table. Source: Huffman 1952; the bounded
lengths by package-merge, Larmore & Hirschberg 1990.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress_core.storage.entropy_coding.packing import (
    Bytes,
    Counts,
    StreamError,
    SymbolCoder,
    Symbols,
    pack,
    unpack,
)

Lengths = NDArray[np.int32]

MAX_LENGTH = 15  # so that a length fits into four bits
CHUNK = 2**18  # symbols encoded, or bits decoded, at a time: bounds the memory of large layers


def code_lengths(counts: Counts) -> Lengths:
    """Bits of each symbol's code, 0 where the count is 0; Σ count · length is the least possible.

    One symbol alone gets length 1, though the encoder then writes nothing: the table says it all.
    Raises ValueError for more than 2¹⁵ symbols that occur.
    """
    used = np.flatnonzero(counts)
    if used.size > 2**MAX_LENGTH:
        raise ValueError(
            f"{used.size} symbols do not fit codes of {MAX_LENGTH} bits; pack them at fixed width"
        )
    lengths = np.zeros(counts.size, np.int32)
    order = used[np.argsort(counts[used], kind="stable")]
    lengths[order] = _package_merge(counts[order]) if used.size > 1 else 1
    return lengths


def _package_merge(weights: Counts) -> Lengths:
    """Code lengths of at least two ascending weights.

    Level by level, pairs of the cheapest items become packages of the level above. The 2n - 2
    cheapest items of the last level make up the code: each time a leaf is in one of them, its
    code grows by a bit. Leaves are taken from the lightest on, so their number says which.
    """
    packages = weights[:0]
    leaf_levels = []
    for _ in range(MAX_LENGTH):
        items = np.concatenate([weights, packages])
        order = np.argsort(items, kind="stable")
        leaf_levels.append(order < weights.size)
        items = items[order]
        before, packages = packages, items[: items.size // 2 * 2].reshape(-1, 2).sum(1)
        if np.array_equal(packages, before):  # so are those of all levels above
            leaf_levels += [leaf_levels[-1]] * (MAX_LENGTH - len(leaf_levels))
            break
    lengths = np.zeros(weights.size, np.int32)
    taken = 2 * weights.size - 2
    for is_leaf in reversed(leaf_levels):
        leaves = int(is_leaf[:taken].sum())
        lengths[:leaves] += 1
        taken = 2 * (taken - leaves)
    return lengths


def canonical_codes(lengths: Lengths) -> Symbols:
    """The code of each symbol as a number: counting up by length, then by symbol."""
    codes = np.zeros(lengths.size, np.int32)
    code, previous = 0, 0
    for symbol in _canonical_order(lengths):
        code <<= int(lengths[symbol]) - previous
        codes[symbol], previous = code, int(lengths[symbol])
        code += 1
    return codes


def _canonical_order(lengths: Lengths) -> NDArray[np.intp]:
    used = np.flatnonzero(lengths)
    return used[np.argsort(lengths[used], kind="stable")]


def encode_huffman(symbols: Symbols, alphabet: int) -> Bytes:
    """Table (alphabet x 4 bits of length) and the codes, the first bit of each byte the highest."""
    lengths = code_lengths(np.bincount(symbols, minlength=alphabet))
    table = pack(lengths, 4)
    if np.count_nonzero(lengths) < 2:
        return table
    positions = np.arange(lengths.max())
    shifts = lengths[:, None] - 1 - positions  # (alphabet, bits)
    digits = (canonical_codes(lengths)[:, None] >> np.maximum(shifts, 0) & 1).astype(np.uint8)
    within = shifts >= 0
    starts = range(0, symbols.size, CHUNK)
    chunks = [symbols[start : start + CHUNK] for start in starts]
    bits = [digits[chunk][within[chunk]] for chunk in chunks]
    return np.concatenate([table, np.packbits(np.concatenate(bits))])


def decode_huffman(stream: Bytes, alphabet: int, count: int) -> Symbols:
    """The `count` symbols that `encode_huffman` was given. Raises StreamError if it cannot be."""
    table_bytes = -(-alphabet // 2)
    lengths = unpack(stream[:table_bytes], 4, alphabet)
    body = stream[table_bytes:]
    used = np.flatnonzero(lengths)
    if used.size < 2:
        if body.size or (count and not used.size):
            raise StreamError(f"{stream.size} bytes without two codes do not hold {count} symbols")
        return np.full(count, used[0] if used.size else 0, np.int32)
    if np.sum(2.0 ** -lengths[used]) != 1:
        raise StreamError("the code lengths make no complete prefix code")
    return _read_codes(body, lengths, count)


def _read_codes(body: Bytes, lengths: Lengths, count: int) -> Symbols:
    """Look up at every bit which code would begin there, then walk from code to code."""
    longest = int(lengths.max())
    order = _canonical_order(lengths)
    by_prefix = np.repeat(order, 1 << (longest - lengths[order])).astype(np.int32)
    symbols = np.empty(count, np.int32)
    position, found = 0, 0
    for start, prefixes in _prefixes(body, longest):
        here = by_prefix[prefixes]
        steps = lengths[here].tolist()
        visited: list[int] = []
        offset = position - start
        while offset < len(steps) and found + len(visited) < count:
            visited.append(offset)
            offset += steps[offset]
        symbols[found : found + len(visited)] = here[visited]
        position, found = start + offset, found + len(visited)
    if found < count or -(-position // 8) != body.size:
        raise StreamError(f"{body.size} bytes of codes do not hold {count} symbols")
    return symbols


def _prefixes(body: Bytes, length: int) -> Iterator[tuple[int, NDArray[np.uint16]]]:
    """The `length` bits from each position on, zeros behind the end, in chunks and their starts."""
    padded = np.concatenate([body, np.zeros(2, np.uint8)])
    for first in range(0, body.size, CHUNK // 8):
        part = padded[first : min(first + CHUNK // 8, body.size) + 2]
        bits = np.unpackbits(part)
        prefixes = np.zeros(bits.size - 16, np.uint16)
        for i in range(length):
            np.left_shift(prefixes, 1, out=prefixes)
            prefixes |= bits[i : i + prefixes.size]
        yield 8 * first, prefixes


def huffman_size(counts: Counts) -> int:
    """Exactly the bytes of `encode_huffman`, from the histogram alone."""
    bits = int(counts @ code_lengths(counts)) if np.count_nonzero(counts) > 1 else 0
    return -(-counts.size // 2) + -(-bits // 8)


@dataclass(frozen=True)
class HuffmanNode:
    """A node of the code's tree: its code from the root ("" there), the count below it, and
    either its symbol, or its branches for 0 and 1 (the root of one symbol alone has one)."""

    code: str
    count: int
    symbol: int | None = None
    branches: tuple["HuffmanNode", ...] = ()


def huffman_tree(counts: Counts) -> HuffmanNode:
    """The tree of the canonical code, to be drawn; symbols that do not occur are not in it.

    Raises ValueError where no symbol occurs.
    """
    counts = np.asarray(counts)
    if not counts.any():
        raise ValueError("no symbol occurs, so there is no tree; count at least one symbol")
    lengths = code_lengths(counts)
    codes = canonical_codes(lengths)
    leaves = {
        f"{codes[symbol]:0{lengths[symbol]}b}": HuffmanNode(
            f"{codes[symbol]:0{lengths[symbol]}b}", int(counts[symbol]), int(symbol)
        )
        for symbol in np.flatnonzero(lengths)
    }
    return _grow("", leaves)


def _grow(code: str, leaves: dict[str, HuffmanNode]) -> HuffmanNode:
    if code in leaves:
        return leaves[code]
    ahead = [code + bit for bit in "01" if any(leaf.startswith(code + bit) for leaf in leaves)]
    branches = tuple(_grow(longer, leaves) for longer in ahead)
    return HuffmanNode(code, sum(branch.count for branch in branches), branches=branches)


HUFFMAN = SymbolCoder(
    encode_huffman, decode_huffman, huffman_size, table=lambda alphabet: -(-alphabet // 2)
)
