"""Bytes one after the other: whole numbers of any size, tensors, and a reader that never overruns.

A varint holds 7 bits of the number a byte, the lowest first; all bytes but the last have bit 7 set.
"""

import math

import torch
from torch import Tensor

from compress_core.storage.entropy_coding import StreamError

MAX_NUMBER = 2**63


def varint(number: int) -> bytes:
    """The bytes of a whole number of at least 0."""
    digits = bytearray()
    while number > 127:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def tensor_bytes(tensor: Tensor) -> bytes:
    """The values of a tensor, row-major, little endian."""
    raw: bytes = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return raw


class Reader:
    """Reads on from byte `at`; `values` counts the bytes of tensors so far.

    Raises StreamError for what is longer than the bytes that are left.
    """

    def __init__(self, raw: bytes, at: int = 0) -> None:
        self.raw = raw
        self.at = at
        self.values = 0

    @property
    def left(self) -> int:
        return len(self.raw) - self.at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise StreamError(f"{count} bytes at {self.at}, where only {self.left} are left")
        self.at += count
        return self.raw[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        """A varint."""
        number, shift, more = 0, 0, True
        while more:
            digit = self.byte()
            more, number, shift = digit > 127, number | (digit & 127) << shift, shift + 7
            if number >= MAX_NUMBER:
                raise StreamError(f"a number at {self.at} is above 2⁶³")
        return number

    def shape(self) -> tuple[int, ...]:
        """A varint that counts sizes, and each of them as a varint."""
        return tuple(self.number() for _ in range(self.number()))

    def tensor(self, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
        chunk = self.take(math.prod(shape) * dtype.itemsize)
        self.values += len(chunk)
        if not chunk:
            return torch.empty(shape, dtype=dtype)
        return torch.frombuffer(bytearray(chunk), dtype=dtype).view(shape)


def shape_bytes(shape: tuple[int, ...]) -> bytes:
    """What `Reader.shape` reads."""
    return b"".join(map(varint, (len(shape), *shape)))
