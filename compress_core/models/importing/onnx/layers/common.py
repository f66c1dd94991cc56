"""A node as a builder sees it, and the layer that it builds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from onnx import NodeProto
from torch import nn

from compress_core.models.importing.onnx.calls import Call
from compress_core.models.importing.onnx.constants import Constant
from compress_core.models.importing.onnx.graph import Graph
from compress_core.models.importing.onnx.reading import attributes_of


@dataclass(eq=False)
class Built:
    """A layer in the place of a node: how it is called, with which of the node's inputs, and of
    which constants its tensors are made, by attribute."""

    module: nn.Module
    call: Call
    inputs: tuple[str, ...]
    tensors: Mapping[str, Constant]
    takes_bias: bool = False  # an Add behind it may become its bias


@dataclass(eq=False)
class NodeView:
    """A node with what its graph knows of its inputs."""

    graph: Graph
    node: NodeProto
    named: Mapping[str, object] = field(init=False)

    def __post_init__(self) -> None:
        self.named = attributes_of(self.node)

    def constant(self, place: int) -> Constant | None:
        """The float constant that is the input at `place`."""
        name = self.input(place)
        found = self.graph.constant(name) if name else None
        return found if found is not None and found.is_float else None

    def input(self, place: int) -> str:
        return self.node.input[place] if place < len(self.node.input) else ""

    def whole(self, name: str, default: int) -> int:
        value = self.named.get(name, default)
        assert isinstance(value, int)
        return value

    def number(self, name: str, default: float) -> float:
        value = self.named.get(name, default)
        assert isinstance(value, int | float)
        return float(value)

    def numbers(self, name: str, default: Sequence[int]) -> tuple[int, ...]:
        value = self.named.get(name) or default
        assert isinstance(value, Sequence)
        return tuple(int(v) for v in value)

    def rank(self, name: str) -> int | None:
        shape = self.graph.shape(name)
        return None if shape is None else len(shape)

    @property
    def moving(self) -> str | None:
        """The first input, where it is no constant."""
        name = self.input(0)
        return name if name and self.graph.constant(name) is None else None


def fill(module: nn.Module, tensors: Mapping[str, Constant]) -> nn.Module:
    """A module in evaluation mode that has `tensors` as its parameters and buffers."""
    for name, constant in tensors.items():
        own = constant.values.detach().clone().contiguous()
        if name in module._buffers:
            module._buffers[name] = own
        else:
            module._parameters[name] = nn.Parameter(own, requires_grad=False)
    return module.eval()


def made_of(**tensors: Constant | None) -> dict[str, Constant]:
    return {name: constant for name, constant in tensors.items() if constant is not None}
