"""Huffman's code of a stored weight, made ready to be drawn: table, tree, and the real stream."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress_core.storage.entropy_coding import (
    HuffmanNode,
    canonical_codes,
    code_lengths,
    encode_huffman,
    huffman_tree,
)
from compress_core.storage.entropy_coding.huffman import MAX_LENGTH
from compress_core.views.coding import Coding, ideal_bits

MOST_LEAVES = 32  # of a tree that is drawn


@dataclass(frozen=True, eq=False)
class CodeTable:
    """Huffman's code: the symbols that occur by the length of their code, (n,) each."""

    symbols: NDArray[np.int64]
    codes: tuple[str, ...]
    lengths: NDArray[np.int32]
    ideal_bits: NDArray[np.float64]
    counts: NDArray[np.int64]


def code_table(coding: Coding) -> CodeTable:
    """Shortest codes first, beside what a symbol's probability asks for."""
    lengths = code_lengths(coding.counts)
    codes = canonical_codes(lengths)
    used = np.flatnonzero(lengths)
    order = used[np.lexsort((used, lengths[used]))]
    return CodeTable(
        symbols=order,
        codes=tuple(f"{codes[symbol]:0{lengths[symbol]}b}" for symbol in order),
        lengths=lengths[order],
        ideal_bits=ideal_bits(coding.counts)[order],
        counts=coding.counts[order],
    )


@dataclass(frozen=True)
class CodeWord:
    """The bits of one symbol in a Huffman stream."""

    bits: str
    symbol: int


def first_code_words(coding: Coding, count: int) -> tuple[CodeWord, ...]:
    """The first symbols as a decoder reads them from the real stream: bit by bit until a code is
    complete, which no other code continues.

    None where one symbol stands alone: its stream has no bits.
    """
    table = code_table(coding)
    if len(table.symbols) < 2:
        return ()
    by_code = dict(zip(table.codes, table.symbols.tolist(), strict=True))
    count = min(count, coding.symbols.size)
    table_bytes = -(-coding.alphabet // 2)
    stream = encode_huffman(coding.symbols.ravel(), coding.alphabet)[table_bytes:]
    words: list[CodeWord] = []
    read = ""
    for bit in np.unpackbits(stream[: -(-MAX_LENGTH * count // 8)]).tolist():
        read += str(bit)
        if read in by_code and len(words) < count:
            words.append(CodeWord(read, by_code[read]))
            read = ""
    return tuple(words)


@dataclass(frozen=True)
class HuffmanCode:
    """A weight's code as a table, as a tree if that is small enough to be drawn, and the first
    symbols of its stream."""

    tree: HuffmanNode | None
    table: CodeTable
    first: tuple[CodeWord, ...]


def huffman_code(coding: Coding, first: int) -> HuffmanCode:
    """The code of a weight, with the `first` symbols of its stream."""
    table = code_table(coding)
    tree = huffman_tree(coding.counts) if len(table.symbols) <= MOST_LEAVES else None
    return HuffmanCode(tree, table, first_code_words(coding, first))
