"""Streams of small whole numbers: packed at fixed width, or entropy-coded by ANS.

ANS (asymmetric numeral systems, Duda 2013, 1311.2540) comes from the library `constriction`. Its
model is the stream's own histogram, rounded to 16 bits a symbol and stored before the stream.
"""

import constriction
import numpy as np
from numpy.typing import NDArray

Symbols = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Frequencies = NDArray[np.uint16]

MAX_ALPHABET = 4096  # beyond it the table costs more than the coding saves, at our layer sizes


class StreamError(ValueError):
    """A stream does not have the length or the content that its header says."""


def pack(symbols: Symbols, bits: int) -> Bytes:
    """Symbols in [0, 2ᵏ), k bits each, most significant bit first, the last byte zero-padded."""
    if bits in {8, 16}:
        return symbols.astype(">u2" if bits == 16 else np.uint8).view(np.uint8)
    shifts = np.arange(bits - 1, -1, -1, dtype=np.uint8)
    return np.packbits((symbols.astype(np.uint8)[:, None] >> shifts) & 1)


def unpack(stream: Bytes, bits: int, count: int) -> Symbols:
    """The `count` symbols that `pack` was given. Raises StreamError for another length."""
    expected = -(-count * bits // 8)
    if stream.size != expected:
        raise StreamError(f"{stream.size} bytes for {count} codes of {bits} bits, not {expected}")
    if bits in {8, 16}:
        return stream.view(">u2" if bits == 16 else np.uint8).astype(np.int32)
    digits = np.unpackbits(stream, count=count * bits).reshape(count, bits)
    powers = (1 << np.arange(bits - 1, -1, -1)).astype(np.int32)
    return digits.astype(np.int32) @ powers


def entropy_bits(symbols: Symbols) -> float:
    """Shannon entropy of the histogram, in bits a symbol: no code of it alone is shorter."""
    counts = np.unique(symbols, return_counts=True)[1]
    p = counts / counts.sum()
    return float(-(p * np.log2(p)).sum()) + 0.0


def frequencies(symbols: Symbols, alphabet: int) -> Frequencies:
    """The histogram of symbols in [0, alphabet), scaled to 16 bits; present ones get at least 1."""
    counts = np.bincount(symbols, minlength=alphabet)
    scaled = np.round(counts * (65535 / counts.max()))
    return np.where(counts > 0, np.maximum(scaled, 1), 0).astype(np.uint16)


def encode_symbols(symbols: Symbols, alphabet: int) -> Bytes:
    """Table (alphabet x uint16, little endian) and ANS stream of at least one symbol."""
    table = frequencies(symbols, alphabet)
    used = np.flatnonzero(table)
    words = np.zeros(0, np.uint32)
    if used.size > 1:  # one symbol alone carries no information: the table says it all
        coder = constriction.stream.stack.AnsCoder()
        index = np.zeros(alphabet, np.int32)
        index[used] = np.arange(used.size, dtype=np.int32)
        coder.encode_reverse(index[symbols], _model(table[used]))
        words = coder.get_compressed()
    return np.concatenate([table.astype("<u2").view(np.uint8), words.astype("<u4").view(np.uint8)])


def decode_symbols(stream: Bytes, alphabet: int, count: int) -> Symbols:
    """The `count` symbols that `encode_symbols` was given. Raises StreamError if it cannot be."""
    table = stream[: 2 * alphabet]
    words = stream[2 * alphabet :]
    if table.size != 2 * alphabet or words.size % 4 or not table.any():
        raise StreamError(f"{stream.size} bytes are no table of {alphabet} symbols and a stream")
    frequency = table.view("<u2")
    used = np.flatnonzero(frequency).astype(np.int32)
    if used.size == 1:
        if words.size:
            raise StreamError(f"a stream of one symbol alone has no words, not {words.size // 4}")
        return np.full(count, used[0], np.int32)
    coder = constriction.stream.stack.AnsCoder(words.view("<u4").astype(np.uint32))
    index = np.asarray(coder.decode(_model(frequency[used]), count))
    if not coder.is_empty():
        raise StreamError(f"the stream holds more than {count} symbols")
    symbols: Symbols = used[index]
    return symbols


def _model(frequency: Frequencies) -> constriction.stream.model.Categorical:
    probabilities = frequency.astype(np.float64) / frequency.sum(dtype=np.float64)
    return constriction.stream.model.Categorical(probabilities, perfect=False)
