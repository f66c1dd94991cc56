"""The coders of whole numbers by name: every encoding that has symbols tries all of them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from compress_core.storage.entropy_coding import (
    MAX_ALPHABET,
    Bytes,
    Symbols,
    decode_symbols,
    encode_symbols,
    pack,
    unpack,
)
from compress_core.storage.streams.stream import Shape


@dataclass(frozen=True)
class Coder:
    """Codes the flat symbols, each in [0, alphabet), of a tensor of a shape; a round trip is exact.

    `decode` raises StreamError where the bytes cannot be such symbols.
    """

    encode: Callable[[Symbols, int, Shape], Bytes]  # (symbols, alphabet, shape)
    decode: Callable[[Bytes, int, Shape], Symbols]  # (bytes, alphabet, shape)
    max_alphabet: int


def _pack(symbols: Symbols, alphabet: int, _shape: Shape) -> Bytes:
    return pack(symbols, bits_for(alphabet))


def _unpack(stream: Bytes, alphabet: int, shape: Shape) -> Symbols:
    return unpack(stream, bits_for(alphabet), math.prod(shape))


def _encode_ans(symbols: Symbols, alphabet: int, _shape: Shape) -> Bytes:
    return encode_symbols(symbols, alphabet)


def _decode_ans(stream: Bytes, alphabet: int, shape: Shape) -> Symbols:
    return decode_symbols(stream, alphabet, math.prod(shape))


CODERS = {
    "packed": Coder(_pack, _unpack, 2**16),
    "ans": Coder(_encode_ans, _decode_ans, MAX_ALPHABET),
}


def bits_for(alphabet: int) -> int:
    """The least k with 2ᵏ >= alphabet, at least 1."""
    return max(1, (alphabet - 1).bit_length())


def code_symbols(symbols: Symbols, alphabet: int, shape: Shape) -> dict[str, Bytes]:
    """The bytes of each coder that takes this alphabet, by its name."""
    fitting = {name: coder for name, coder in CODERS.items() if alphabet <= coder.max_alphabet}
    return {name: coder.encode(symbols, alphabet, shape) for name, coder in fitting.items()}
