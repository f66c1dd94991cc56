"""Tensors made from nothing but a shape, a range or an attribute."""

from math import ceil, isfinite
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    number_of,
    numbers_of,
    plain,
    refuse_absurd,
    single,
    sizes_of,
    with_integers,
)
from compress_core.models.importing.onnx.operators.types import TORCH_TYPES

# The numbers of a Constant may stand in one of these instead of in a tensor.
PLAIN_CONSTANTS = {
    "value_float": torch.float32,
    "value_floats": torch.float32,
    "value_int": torch.int64,
    "value_ints": torch.int64,
}


def tensor_of(proto: onnx.TensorProto) -> Tensor | None:
    """The tensor of a protobuf; None for types that torch has not, and for data outside it."""
    if proto.data_type not in TORCH_TYPES or proto.data_location == onnx.TensorProto.EXTERNAL:
        return None
    refuse_absurd(proto.dims, f"the tensor {proto.name[:60]!r}")
    kind = TORCH_TYPES[proto.data_type]
    values = np.ascontiguousarray(onnx.numpy_helper.to_array(proto))
    # numpy's own types of 8-bit floats and bfloat16 are unknown to torch: their bytes are not.
    plain_bytes = torch.tensor(values.reshape(-1).view(np.uint8))
    return plain_bytes.view(kind).reshape(tuple(proto.dims))


def constant(*, value: Tensor) -> Tensor:
    return value


def constant_of_shape(sizes: Tensor, *, value: Tensor) -> Tensor:
    wanted = sizes_of(sizes)
    refuse_absurd(wanted, "ConstantOfShape")
    return value.reshape(()).expand(wanted).clone()


def number_range(start: Tensor, limit: Tensor, step: Tensor) -> Tensor:
    """start, start + step, … below the limit."""
    low, high, by = (numbers_of(one)[0] for one in (start, limit, step))
    if by == 0 or not isfinite((high - low) / by):
        raise ValueError(
            f"Range from {low} to {high} in steps of {by} never ends: the step must differ from 0, "
            f"and all three must be finite"
        )
    count = max(ceil((high - low) / by), 0)
    refuse_absurd([count], "Range")
    return low + torch.arange(count, dtype=start.dtype) * by


def eye_like(x: Tensor, *, kind: torch.dtype | None, diagonal: int) -> Tensor:
    rows, columns = x.shape
    line = torch.arange(rows).reshape(-1, 1) + diagonal
    return (line == torch.arange(columns)).to(kind or x.dtype)


def one_hot(indices: Tensor, depth: Tensor, values: Tensor, *, axis: int) -> Tensor:
    """A new axis, `on` where its position is the index, `off` elsewhere; values = (off, on)."""
    classes = number_of(depth)
    refuse_absurd([*indices.shape, classes], "OneHot")
    axis = axis % (indices.dim() + 1)
    wanted = indices.to(torch.int64).unsqueeze(axis)
    positions = torch.arange(classes).reshape([-1] + [1] * (indices.dim() - axis))
    hit = (wanted == positions) | (wanted + classes == positions)
    return torch.where(hit, values[1], values[0])


def _constant(read: Attributes) -> Operator | None:
    proto = read.tensor("value")
    value = None if proto is None else tensor_of(proto)
    for name, kind in PLAIN_CONSTANTS.items():
        numbers: Any = read.numbers(name) if name.endswith("s") else read.optional_number(name)
        if "int" in name:
            numbers = read.integers(name) if name.endswith("s") else read.optional_integer(name)
        value = value if numbers is None else torch.tensor(numbers, dtype=kind)
    return None if value is None else single(constant, value=value)


def _constant_of_shape(read: Attributes) -> Operator | None:
    proto = read.tensor("value")
    value = torch.zeros(1) if proto is None else tensor_of(proto)
    return None if value is None else single(constant_of_shape, value=value)


def _eye_like(read: Attributes) -> Operator | None:
    kind = read.optional_integer("dtype")
    if kind is not None and kind not in TORCH_TYPES:
        return None
    wanted = None if kind is None else TORCH_TYPES[kind]
    return single(eye_like, kind=wanted, diagonal=read.integer("k", 0))


TABLE: dict[str, Builder] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "EyeLike": _eye_like,
    "OneHot": with_integers(one_hot, axis=-1),
    "Range": plain(number_range),
}
