"""What every encoding is made of: named tensors, a header, and checks of what a file claims."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compress_core.storage.entropy_coding import Bytes, StreamError

Header = Mapping[str, Any]
Tensors = Mapping[str, Tensor]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Streams:
    """`header` says how to decode `tensors`; their names follow the weight's key and a colon."""

    header: dict[str, Any]
    tensors: dict[str, Tensor]

    @property
    def byte_count(self) -> int:
        """Bytes of the tensors, without their share of the file's header."""
        return sum(tensor.nbytes for tensor in self.tensors.values())


def weight_shape(header: Header) -> Shape:
    """The shape that a header claims. Raises StreamError if it is none of at least one weight."""
    shape = tuple(header["shape"])
    if not shape or any(type(size) is not int or size < 1 for size in shape):
        raise StreamError(f"shape={list(shape)} must be a list of whole numbers, at least 1 each")
    return shape


def expect_names(tensors: Tensors, *names: str) -> None:
    """Raise StreamError unless the streams are exactly those named."""
    if tensors.keys() != set(names):
        raise StreamError(f"the streams are {sorted(tensors)}, not {sorted(names)}")


def expect(tensors: Tensors, name: str, dtype: torch.dtype, *shapes: Shape) -> Tensor:
    """The stream `name`, of this type and one of these shapes. Raises StreamError for another."""
    tensor = tensors[name]
    if tensor.dtype != dtype or tuple(tensor.shape) not in shapes:
        allowed = " or ".join(str(list(shape)) for shape in shapes)
        raise StreamError(f"{name} is {tensor.dtype} {list(tensor.shape)}, not {dtype} {allowed}")
    return tensor


def expect_bytes(tensors: Tensors, name: str) -> Bytes:
    """The bytes `name`, of any length: the coder of the symbols knows which."""
    return expect(tensors, name, torch.uint8, (tensors[name].numel(),)).numpy()
