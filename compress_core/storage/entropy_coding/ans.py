"""Symbols entropy-coded by ANS (asymmetric numeral systems, Duda 2013, 1311.2540).

The coder comes from the library `constriction`. Its model is the stream's own histogram, rounded
to 16 bits a symbol and stored before the stream.
"""

import math

import constriction
import numpy as np
from numpy.typing import NDArray

from compress_core.storage.entropy_coding.packing import (
    Bytes,
    Counts,
    StreamError,
    SymbolCoder,
    Symbols,
)

Frequencies = NDArray[np.uint16]

MAX_ALPHABET = 4096  # beyond it the table costs more than the coding saves, at our layer sizes


def entropy_bits(symbols: Symbols) -> float:
    """Shannon entropy of the histogram, in bits a symbol: no code of it alone is shorter."""
    counts = np.unique(symbols, return_counts=True)[1]
    p = counts / counts.sum()
    return float(-(p * np.log2(p)).sum()) + 0.0


def frequencies(symbols: Symbols, alphabet: int) -> Frequencies:
    """The histogram of symbols in [0, alphabet), scaled to 16 bits; present ones get at least 1."""
    return scale_counts(np.bincount(symbols, minlength=alphabet))


def scale_counts(counts: Counts) -> Frequencies:
    scaled = np.round(counts * (65535 / counts.max()))
    return np.where(counts > 0, np.maximum(scaled, 1), 0).astype(np.uint16)


def ans_size(counts: Counts) -> int:
    """About the bytes of `encode_symbols`: the table, and -Σ count · log2 p of its model."""
    frequency = scale_counts(counts)[counts > 0]
    p = frequency / frequency.sum(dtype=np.float64)
    bits = -float(counts[counts > 0] @ np.log2(p))
    return 2 * counts.size + 4 * math.ceil(bits / 32)


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


SLACK = 16  # bytes by which a stream may stay below its model's bits
ANS = SymbolCoder(
    encode_symbols, decode_symbols, ans_size, table=lambda alphabet: 2 * alphabet, slack=SLACK
)
