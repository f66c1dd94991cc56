"""The constants of a graph, with what is known of where they come from."""

from dataclasses import dataclass, replace

import onnx
import torch
from onnx import NodeProto, TensorProto, helper
from torch import Tensor

from compress_core.models.importing.onnx.reading import (
    TORCH_TYPES,
    attributes_of,
    read_tensor,
)

# what these make of a constant has the same values in another layout
LAYOUT = {"Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Cast"}


@dataclass(frozen=True, eq=False)
class Codes:
    """A weight as the integers that it came as: scale · (codes − zero_point), in the file's layout.

    `axis` is the dimension of the scales, None for a single one; `type` is ONNX's name, such as
    "int8"; `block_size` counts the values along the axis that have one scale in common, 0 for all.
    """

    codes: Tensor
    scale: Tensor
    zero_point: Tensor
    axis: int | None
    type: str
    block_size: int = 0

    @property
    def bits(self) -> int:
        return 4 if self.type.endswith("int4") else 8 * self.codes.element_size()


@dataclass(frozen=True, eq=False)
class Constant:
    """`values`, floats as float32, made of the initializer `root`, whose type was `own_type`.
    `factors` are what it is the product of, where a Mul at the door made it."""

    values: Tensor
    root: str
    own_type: int
    codes: Codes | None = None
    factors: "tuple[Constant, ...]" = ()

    @property
    def is_float(self) -> bool:
        return self.values.is_floating_point()

    @property
    def own_dtype(self) -> torch.dtype:
        """The type whose bytes count as the original ones."""
        return TORCH_TYPES.get(self.own_type, torch.uint8)

    def laid_out(self, values: Tensor) -> "Constant":
        """The same values in another layout, for a layer of torch."""
        return replace(self, values=values)


def read_initializer(tensor: TensorProto) -> Constant:
    return Constant(read_tensor(tensor), tensor.name, tensor.data_type)


def read_constant(node: NodeProto) -> Constant | None:
    """The value of a Constant node; None for texts and sparse ones, which stay nodes."""
    name = node.output[0]
    for attribute, value in attributes_of(node).items():
        match attribute:
            case "value":
                return replace(read_initializer(node.attribute[0].t), root=name)
            case "value_float" | "value_floats":
                return Constant(torch.tensor(value, dtype=torch.float32), name, TensorProto.FLOAT)
            case "value_int" | "value_ints":
                return Constant(torch.tensor(value, dtype=torch.int64), name, TensorProto.INT64)
    return None


def describe_result(node: NodeProto, made: Tensor, inputs: list[Constant | None]) -> Constant:
    """A constant that `node` made of other ones."""
    given = [constant for constant in inputs if constant is not None]
    first = inputs[0] if inputs else None
    if first is not None and node.op_type in LAYOUT and made.is_floating_point():
        return replace(first, values=made)
    if first is not None and node.op_type == "DequantizeLinear":
        codes = _codes(node, first, inputs)
        return Constant(made, first.root, first.own_type, codes)
    largest = max(given, key=lambda constant: constant.values.numel(), default=None)
    root = largest.root if largest else node.output[0]
    kind = int(helper.np_dtype_to_tensor_dtype(made.numpy().dtype))
    return Constant(made, root, kind, factors=tuple(given) if node.op_type == "Mul" else ())


def _codes(node: NodeProto, first: Constant, inputs: list[Constant | None]) -> Codes:
    scale = inputs[1]
    assert scale is not None
    zero = inputs[2] if len(inputs) > 2 else None
    zero_point = torch.zeros_like(scale.values, dtype=torch.int32) if zero is None else zero.values
    named = attributes_of(node)
    axis = named.get("axis", 1)
    block = named.get("block_size", 0)
    assert isinstance(axis, int)
    assert isinstance(block, int)
    own = onnx.TensorProto.DataType.Name(first.own_type).lower()
    along = axis if scale.values.dim() else None
    return Codes(first.values, scale.values, zero_point, along, own, block)
