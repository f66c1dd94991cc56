"""Masks: a bit for each symbol tells whether it is the most frequent one; the others are packed.

For alphabets that are too large for a table, such as 16-bit floats of a pruned weight.
"""

import numpy as np
from numpy.typing import NDArray

from compress_core.storage.entropy_coding.packing import (
    BIT,
    Bytes,
    StreamError,
    SymbolCoder,
    Symbols,
    bits_for,
    pack,
    unpack,
)
from compress_core.storage.entropy_coding.survey import Survey

HEADER = np.dtype([("usual", "<u2"), ("mask_bytes", "<u4")])


def encode_masked(symbols: Symbols, alphabet: int, *, coder: SymbolCoder = BIT) -> Bytes:
    """HEADER, the coded mask (1 = another symbol than the most frequent), the others packed."""
    usual, others = _split(symbols, alphabet)
    mask = coder.encode(others.astype(np.int32), 2)
    header = np.array([(usual, mask.size)], HEADER).view(np.uint8)
    return np.concatenate([header, mask, pack(symbols[others], bits_for(alphabet))])


def _split(symbols: Symbols, alphabet: int) -> tuple[int, NDArray[np.bool_]]:
    usual = int(np.bincount(symbols, minlength=alphabet).argmax())
    return usual, symbols != usual


def masked_size(survey: Survey, *, coder: SymbolCoder = BIT) -> int:
    """Bytes of `encode_masked`, as exactly as the coder's size is."""
    others = survey.kept
    mask_bytes = coder.size(np.array([survey.symbols.size - others, others]))
    return HEADER.itemsize + mask_bytes - (-others * bits_for(survey.alphabet) // 8)


def decode_masked(stream: Bytes, alphabet: int, count: int, *, coder: SymbolCoder = BIT) -> Symbols:
    """The `count` symbols that `encode_masked` was given. Raises StreamError if it cannot be."""
    if stream.size < HEADER.itemsize:
        raise StreamError(f"{stream.size} bytes are less than the {HEADER.itemsize} of a header")
    usual, mask_bytes = (int(field) for field in stream[: HEADER.itemsize].view(HEADER)[0])
    body = stream[HEADER.itemsize :]
    others = coder.decode(body[:mask_bytes], 2, count).astype(bool)
    symbols = np.full(count, usual, np.int32)
    symbols[others] = unpack(body[mask_bytes:], bits_for(alphabet), int(others.sum()))
    if count and symbols.max() >= alphabet:
        raise StreamError(f"a symbol {symbols.max()} is none of the {alphabet} of the alphabet")
    return symbols
