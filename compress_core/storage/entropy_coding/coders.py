"""The one table of the codes that a stored weight may use, and the choice of the smallest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from compress_core.storage.entropy_coding.adaptive import (
    MAX_LINES,
    decode_adaptive,
    encode_adaptive,
)
from compress_core.storage.entropy_coding.ans import ANS, MAX_ALPHABET
from compress_core.storage.entropy_coding.context import decode_context, encode_context
from compress_core.storage.entropy_coding.gap import decode_gap, encode_gap, gap_size
from compress_core.storage.entropy_coding.huffman import HUFFMAN
from compress_core.storage.entropy_coding.masked import decode_masked, encode_masked, masked_size
from compress_core.storage.entropy_coding.packing import (
    BIT,
    Bytes,
    Decode,
    Encode,
    SymbolCoder,
    Symbols,
    bits_for,
    pack,
    unpack,
)

Shape = tuple[int, int]
Size = Callable[[Symbols, int], int]  # (symbols, alphabet) → bytes

MAX_KEPT = 2**13  # symbols other than the usual one that the adaptive code is tried on unasked
SLACK = 32  # bytes by which ANS may stay below its model's bits; gap coding has two ANS streams


@dataclass(frozen=True)
class MatrixCoder:
    """A code for matrices of symbols in [0, alphabet), for alphabets up to `max_alphabet` and for
    matrices of up to `max_lines` rows and columns together.

    encode(symbols (rows, columns), alphabet) → stream; decode(stream, alphabet, shape) → symbols,
    or a StreamError. least(symbols, alphabet) → a lower bound on the stream's bytes, much faster
    than encoding; 0 where none is known. `max_kept`: with more symbols other than the most
    frequent one encoding takes too long to be tried in search of the smallest stream.
    """

    encode: Encode
    decode: Callable[[Bytes, int, Shape], Symbols]
    max_alphabet: int
    least: Size = lambda _symbols, _alphabet: 0
    max_lines: int | None = None
    max_kept: int | None = None

    def takes(self, alphabet: int, shape: Shape) -> bool:
        """Whether it codes matrices of this alphabet and shape."""
        is_short = self.max_lines is None or sum(shape) <= self.max_lines
        return alphabet <= self.max_alphabet and is_short

    def may_beat(self, size: int, symbols: Symbols, alphabet: int) -> bool:
        """Whether it is worth trying, where another code needs this many bytes."""
        if self.max_kept is not None and kept_count(symbols) > self.max_kept:
            return False
        return self.least(symbols, alphabet) < size


def kept_count(symbols: Symbols) -> int:
    """How many symbols differ from the most frequent one."""
    return symbols.size - int(np.bincount(symbols.ravel()).max())


def _row_major(
    encode: Encode, decode: Decode, size: Size, max_alphabet: int = MAX_ALPHABET
) -> MatrixCoder:
    """A code of symbols one after the other, whose bytes `size` tells within SLACK."""

    def encode_rows(symbols: Symbols, alphabet: int) -> Bytes:
        return encode(symbols.ravel(), alphabet)

    def decode_rows(stream: Bytes, alphabet: int, shape: Shape) -> Symbols:
        return decode(stream, alphabet, shape[0] * shape[1]).reshape(shape)

    def least(symbols: Symbols, alphabet: int) -> int:
        return size(symbols.ravel(), alphabet) - SLACK

    return MatrixCoder(encode_rows, decode_rows, max_alphabet, least)


def _of_histogram(coder: SymbolCoder) -> MatrixCoder:
    def size(symbols: Symbols, alphabet: int) -> int:
        return coder.size(np.bincount(symbols, minlength=alphabet))

    return _row_major(coder.encode, coder.decode, size)


def _of_gaps(coder: SymbolCoder) -> MatrixCoder:
    encode, decode = partial(encode_gap, coder=coder), partial(decode_gap, coder=coder)
    return _row_major(encode, decode, partial(gap_size, coder=coder))


def _of_masks(coder: SymbolCoder) -> MatrixCoder:
    encode, decode = partial(encode_masked, coder=coder), partial(decode_masked, coder=coder)
    return _row_major(encode, decode, partial(masked_size, coder=coder), 2**16)


def _pack(symbols: Symbols, alphabet: int) -> Bytes:
    return pack(symbols, bits_for(alphabet))


def _unpack(stream: Bytes, alphabet: int, count: int) -> Symbols:
    return unpack(stream, bits_for(alphabet), count)


def _packed_size(symbols: Symbols, alphabet: int) -> int:
    return -(-symbols.size * bits_for(alphabet) // 8)


CODERS: dict[str, MatrixCoder] = {
    "packed": _row_major(_pack, _unpack, _packed_size, 2**16),
    "ans": _of_histogram(ANS),
    # its tables, one for each pair of classes, cost larger alphabets more than they save
    "context": MatrixCoder(encode_context, decode_context, 256),
    "huffman": _of_histogram(HUFFMAN),
    "gap_ans": _of_gaps(ANS),
    "gap_huffman": _of_gaps(HUFFMAN),
    "masked": _of_masks(BIT),
    "masked_ans": _of_masks(ANS),
    # two histograms of the alphabet for each kept symbol that is coded
    "adaptive": MatrixCoder(
        encode_adaptive, decode_adaptive, 256, max_lines=MAX_LINES, max_kept=MAX_KEPT
    ),
}


Coders = Mapping[str, MatrixCoder]


def fitting_coders(alphabet: int, shape: Shape, coders: Coders = CODERS) -> Coders:
    """The codes that take symbols of this alphabet and shape; "packed" takes all of up to 2¹⁶."""
    return {name: coder for name, coder in coders.items() if coder.takes(alphabet, shape)}


def encode_all(symbols: Symbols, alphabet: int, coders: Coders = CODERS) -> dict[str, Bytes]:
    """The streams of a matrix of symbols (rows, columns) in every code that takes it."""
    fitting = fitting_coders(alphabet, symbols.shape, coders)
    return {name: coder.encode(symbols, alphabet) for name, coder in fitting.items()}


def encode_smallest(symbols: Symbols, alphabet: int, coders: Coders = CODERS) -> tuple[str, Bytes]:
    """The smallest of `encode_all`, of equal ones the first, and the name of its code.

    A code that cannot be smaller than the best so far is not tried, nor is one that takes too long.
    """
    best_name, best = "", None
    for name, coder in fitting_coders(alphabet, symbols.shape, coders).items():
        if best is None or coder.may_beat(best.size, symbols, alphabet):
            stream = coder.encode(symbols, alphabet)
            if best is None or stream.size < best.size:
                best_name, best = name, stream
    assert best is not None, "packed takes every alphabet"
    return best_name, best
