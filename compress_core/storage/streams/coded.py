"""Weights as small whole numbers: what is coded of them, and the encodings of every coder.

An encoding is called as its coder is, with the family's prefix: ans, shared_ans, float_ans.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compress_core.methods.step import check_whole
from compress_core.storage.entropy_coding import (
    CODERS,
    Bytes,
    StreamError,
    Symbols,
    encode_all,
    encode_smallest,
)
from compress_core.storage.streams.stream import Header, Shape, Streams, Tensors, expect_bytes
from compress_core.weights import as_matrix


@dataclass(frozen=True, eq=False)
class CodedForm:
    """What is coded of a weight: `symbols` (out, in) in [0, alphabet), and beside them the
    `parameters` and the `header` that turn symbols back into codes of this `family`."""

    family: str
    symbols: Symbols
    alphabet: int
    parameters: dict[str, Tensor]
    header: dict[str, Any]

    def streams(self, coder: str, codes: Bytes) -> Streams:
        """The encoding of this name in the family."""
        tensors = {"codes": torch.from_numpy(codes), **self.parameters}
        return Streams({"encoding": f"{self.family}{coder}", **self.header}, tensors)

    def smallest(self) -> Streams:
        return self.streams(*encode_smallest(self.symbols, self.alphabet))

    def all(self) -> list[Streams]:
        """The encoding of every coder that takes the alphabet."""
        coded = encode_all(self.symbols, self.alphabet)
        return [self.streams(name, codes) for name, codes in coded.items()]


def symbols_of(codes: Tensor, q_min: int = 0) -> Symbols:
    """Codes of a weight's shape as a matrix (out, in) that counts up from 0."""
    symbols: Symbols = (as_matrix(codes.contiguous()).int() - q_min).numpy()
    return symbols


def read_codes(header: Header, tensors: Tensors, family: str, alphabet: int) -> Tensor:
    """The symbols that a coder of the family has written, int32 in the shape of the weight.

    Raises StreamError where its bytes are no such symbols.
    """
    rows, *others = shape = tuple(header["shape"])
    coder = CODERS[header["encoding"].removeprefix(family)]
    if alphabet > coder.max_alphabet:
        raise StreamError(f"{header['encoding']} takes no alphabet of {alphabet} symbols")
    stream = expect_bytes(tensors, "codes")
    symbols = coder.decode(stream, alphabet, (rows, math.prod(others)))
    if symbols.max() >= alphabet:
        raise StreamError(f"a code {symbols.max()} lies beyond the {alphabet} that there are")
    return torch.from_numpy(symbols).view(shape)


def encodings_of(family: str) -> Iterable[str]:
    """The names of the family's encodings."""
    return [f"{family}{name}" for name in CODERS]


def fitted_scale(header: Header, shape: Shape) -> tuple[int | None, list[Shape]]:
    """The group size, and the shapes that scale and zero point may have.

    Raises ValueError for an impossible group size.
    """
    if "group_size" not in header:
        return None, [(), shape[:1]]
    check_whole("group_size", header["group_size"], low=1, high=2**31, remedy="32 is usual")
    inputs = math.prod(shape[1:])
    group_size = min(header["group_size"], inputs)  # a wider group would only be padding
    return group_size, [(shape[0], -(-inputs // group_size))]
