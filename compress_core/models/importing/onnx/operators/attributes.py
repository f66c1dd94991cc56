"""What an operator is, and how the attributes of its node are read, once."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any

import onnx
from onnx import AttributeProto
from torch import Tensor

Operator = Callable[[Sequence[Tensor | None]], tuple[Tensor | None, ...]]
Subgraph = Callable[[onnx.GraphProto], Callable[[Mapping[str, Tensor]], tuple[Tensor, ...]]]

ELEMENTS_AT_MOST = 2**31


# Where a protobuf keeps a value of each type.
FIELDS = {
    AttributeProto.FLOAT: "f",
    AttributeProto.FLOATS: "floats",
    AttributeProto.GRAPH: "g",
    AttributeProto.INT: "i",
    AttributeProto.INTS: "ints",
    AttributeProto.STRING: "s",
    AttributeProto.STRINGS: "strings",
    AttributeProto.TENSOR: "t",
}


class Attributes:
    """The attributes of one node, and which of them somebody asked for."""

    def __init__(
        self, node: onnx.NodeProto, opset: int, *, subgraph: Subgraph | None = None
    ) -> None:
        self.operator = node.op_type
        self.opset = opset
        self.subgraph = subgraph
        self.inputs = tuple(node.input)
        self.outputs = tuple(node.output)
        self._attributes = {one.name: one for one in node.attribute}
        self._understood: set[str] = set()

    def not_understood(self) -> set[str]:
        """Attributes that nobody asked for, or that have another type than ONNX says."""
        return set(self._attributes) - self._understood

    def ignore(self, *names: str) -> None:
        """Says that these attributes change nothing here."""
        self._understood.update(names)

    def gives(self, position: int) -> bool:
        """Whether the node names an input at this position."""
        return position < len(self.inputs) and self.inputs[position] != ""

    def integer(self, name: str, default: int) -> int:
        value: int = self._value(name, AttributeProto.INT, default)
        return value

    def optional_integer(self, name: str) -> int | None:
        value: int | None = self._value(name, AttributeProto.INT)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        return bool(self.integer(name, int(default)))

    def number(self, name: str, default: float) -> float:
        value: float = self._value(name, AttributeProto.FLOAT, default)
        return value

    def optional_number(self, name: str) -> float | None:
        value: float | None = self._value(name, AttributeProto.FLOAT)
        return value

    def text(self, name: str, default: str) -> str:
        value: bytes = self._value(name, AttributeProto.STRING, default.encode())
        return value.decode(errors="replace")

    def integers(self, name: str) -> tuple[int, ...] | None:
        value = self._value(name, AttributeProto.INTS)
        return None if value is None else tuple(value)

    def numbers(self, name: str) -> tuple[float, ...] | None:
        value = self._value(name, AttributeProto.FLOATS)
        return None if value is None else tuple(value)

    def texts(self, name: str) -> tuple[str, ...] | None:
        value = self._value(name, AttributeProto.STRINGS)
        return None if value is None else tuple(one.decode(errors="replace") for one in value)

    def tensor(self, name: str) -> onnx.TensorProto | None:
        value: onnx.TensorProto | None = self._value(name, AttributeProto.TENSOR)
        return value

    def graph(self, name: str) -> onnx.GraphProto | None:
        value: onnx.GraphProto | None = self._value(name, AttributeProto.GRAPH)
        return value

    def _value(self, name: str, kind: AttributeProto.AttributeType, default: Any = None) -> Any:
        found = self._attributes.get(name)
        if found is None or found.type != kind or found.ref_attr_name:
            return default
        self._understood.add(name)
        return getattr(found, FIELDS[kind])


Builder = Callable[[Attributes], Operator | None]


def single(function: Callable[..., Tensor], /, **attributes: Any) -> Operator:
    """The operator of a function that takes the node's inputs and gives one tensor."""
    return partial(_single, partial(function, **attributes))


def multiple(function: Callable[..., tuple[Tensor | None, ...]], /, **attributes: Any) -> Operator:
    """The operator of a function that takes the node's inputs and gives several tensors."""
    return partial(_multiple, partial(function, **attributes))


# Functions of a module and not closures: an operator can be pickled and copied.
def _single(
    function: Callable[..., Tensor], inputs: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    return (function(*inputs),)


def _multiple(
    function: Callable[..., tuple[Tensor | None, ...]], inputs: Sequence[Tensor | None]
) -> tuple[Tensor | None, ...]:
    return function(*inputs)


def plain(function: Callable[..., Tensor]) -> Builder:
    """The builder of an operator without attributes."""
    return partial(_plain, function)


def _plain(function: Callable[..., Tensor], _: Attributes) -> Operator:
    return single(function)


def with_numbers(function: Callable[..., Tensor], /, **defaults: float) -> Builder:
    """The builder of an operator whose attributes are numbers, with these defaults."""
    return partial(_with_numbers, function, defaults)


def _with_numbers(
    function: Callable[..., Tensor], defaults: Mapping[str, float], read: Attributes
) -> Operator:
    return single(function, **{name: read.number(name, one) for name, one in defaults.items()})


def with_integers(function: Callable[..., Tensor], /, **defaults: int) -> Builder:
    """The builder of an operator whose attributes are integers, with these defaults."""
    return partial(_with_integers, function, defaults)


def _with_integers(
    function: Callable[..., Tensor], defaults: Mapping[str, int], read: Attributes
) -> Operator:
    return single(function, **{name: read.integer(name, one) for name, one in defaults.items()})


def several(function: Callable[..., tuple[Tensor | None, ...]]) -> Builder:
    """The builder of an operator without attributes that gives several tensors."""
    return partial(_several, function)


def _several(function: Callable[..., tuple[Tensor | None, ...]], _: Attributes) -> Operator:
    return multiple(function)


def sizes_of(tensor: Tensor) -> list[int]:
    """The integers of a tensor that holds a shape, axes or indices."""
    return _plain_numbers(tensor)


def numbers_of(tensor: Tensor) -> list[float]:
    """The numbers of a tensor that holds factors or bounds."""
    return _plain_numbers(tensor)


def _plain_numbers(tensor: Tensor) -> list[Any]:
    # No torch function before `tolist`: under torch.export it would make the constants unknown.
    values = tensor.tolist()
    return values if isinstance(values, list) else [values]


def number_of(tensor: Tensor) -> int:
    """The integer of a tensor of one element."""
    (value,) = sizes_of(tensor)
    return value


def refuse_absurd(sizes: Sequence[int], operator: str) -> None:
    """Raises ValueError where a result would have more than 2³¹ elements."""
    if not all(type(size) is int for size in sizes):
        return  # sizes of any batch, while a network is exported
    if any(size < 0 for size in sizes):
        raise ValueError(
            f"{operator} is asked for the shape {list(sizes)[:8]}: no size may be negative; "
            f"check the inputs that the shape is computed from"
        )
    if prod(sizes) > ELEMENTS_AT_MOST:
        raise ValueError(
            f"{operator} is asked for {prod(sizes):.3g} elements: at most 2³¹ are made here; "
            f"use smaller inputs"
        )
