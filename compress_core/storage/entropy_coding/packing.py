"""Small whole numbers at a fixed width, the types of all streams, and their one error."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Symbols = NDArray[np.int32]
Bytes = NDArray[np.uint8]
Counts = NDArray[np.int64]
Encode = Callable[[Symbols, int], Bytes]  # symbols in [0, alphabet), alphabet
Decode = Callable[[Bytes, int, int], Symbols]  # stream, alphabet, count


class StreamError(ValueError):
    """A stream does not have the length or the content that its header says."""


@dataclass(frozen=True)
class SymbolCoder:
    """A code for a row of symbols. `size(counts)` says from the histogram alone how many bytes
    `encode` needs: exactly for a prefix code, within `slack` bytes for ANS. `table(alphabet)` are
    the bytes of its table."""

    encode: Encode
    decode: Decode
    size: Callable[[Counts], int]
    table: Callable[[int], int] = lambda _alphabet: 0
    slack: int = 0

    def least(self, counts: Counts) -> int:
        """A lower bound on the bytes, by the entropy of the histogram: much faster than `size`."""
        used = counts[counts > 0]
        bits = used.sum() * np.log2(used.sum() or 1) - used @ np.log2(used)
        return self.table(counts.size) + max(0, int(bits / 8) - 1) - self.slack


def pack(symbols: Symbols, bits: int) -> Bytes:
    """Symbols in [0, 2ᵏ), k <= 16 bits each, most significant first, the last byte zero-padded."""
    if bits in {8, 16}:
        return symbols.astype(">u2" if bits == 16 else np.uint8).view(np.uint8)
    digits = symbols.astype(np.uint8 if bits < 8 else np.uint16)
    shifts = np.arange(bits - 1, -1, -1).astype(digits.dtype)
    return np.packbits((digits[:, None] >> shifts) & 1)


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


def bits_for(alphabet: int) -> int:
    """The fewest bits that tell `alphabet` symbols apart, at least 1."""
    return max(1, (alphabet - 1).bit_length())


BIT = SymbolCoder(
    lambda symbols, _alphabet: pack(symbols, 1),
    lambda stream, _alphabet, count: unpack(stream, 1, count),
    lambda counts: -(-int(counts.sum()) // 8),
)
