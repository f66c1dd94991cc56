"""The one table of the codes that a stored weight may use, and the choice of the smallest."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from compress_core.storage.entropy_coding.ans import ANS, MAX_ALPHABET
from compress_core.storage.entropy_coding.context import decode_context, encode_context
from compress_core.storage.entropy_coding.gap import decode_gap, encode_gap
from compress_core.storage.entropy_coding.huffman import decode_huffman, encode_huffman
from compress_core.storage.entropy_coding.packing import (
    Bytes,
    Decode,
    Encode,
    Symbols,
    bits_for,
    pack,
    unpack,
)

Shape = tuple[int, int]


@dataclass(frozen=True)
class MatrixCoder:
    """A code for matrices of symbols in [0, alphabet), for alphabets up to `max_alphabet`.

    encode(symbols (rows, columns), alphabet) → stream; decode(stream, alphabet, shape) → symbols,
    or a StreamError.
    """

    encode: Encode
    decode: Callable[[Bytes, int, Shape], Symbols]
    max_alphabet: int


def _row_major(encode: Encode, decode: Decode, max_alphabet: int = MAX_ALPHABET) -> MatrixCoder:
    def encode_rows(symbols: Symbols, alphabet: int) -> Bytes:
        return encode(symbols.ravel(), alphabet)

    def decode_rows(stream: Bytes, alphabet: int, shape: Shape) -> Symbols:
        return decode(stream, alphabet, shape[0] * shape[1]).reshape(shape)

    return MatrixCoder(encode_rows, decode_rows, max_alphabet)


def _pack(symbols: Symbols, alphabet: int) -> Bytes:
    return pack(symbols, bits_for(alphabet))


def _unpack(stream: Bytes, alphabet: int, count: int) -> Symbols:
    return unpack(stream, bits_for(alphabet), count)


CODERS: dict[str, MatrixCoder] = {
    "packed": _row_major(_pack, _unpack, 2**16),
    "ans": _row_major(ANS.encode, ANS.decode),
    "huffman": _row_major(encode_huffman, decode_huffman),
    "gap_huffman": _row_major(encode_gap, decode_gap),
    "gap_ans": _row_major(partial(encode_gap, coder=ANS), partial(decode_gap, coder=ANS)),
    # its tables, one for each pair of classes, cost larger alphabets more than they save
    "context": MatrixCoder(encode_context, decode_context, 256),
}


def encode_all(symbols: Symbols, alphabet: int) -> dict[str, Bytes]:
    """The streams of a matrix of symbols (rows, columns) in every code that takes its alphabet.

    "packed" takes all of up to 2¹⁶ and comes first, so that a tie for the smallest is its own.
    """
    return {
        name: coder.encode(symbols, alphabet)
        for name, coder in CODERS.items()
        if alphabet <= coder.max_alphabet
    }
