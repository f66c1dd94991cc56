"""What a network of an ONNX graph does, node by node."""

import hashlib
from collections import ChainMap
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from onnx import GraphProto, NodeProto
from torch import Tensor, nn

from compress_core.models.importing.onnx.calls import Call
from compress_core.models.importing.onnx.foreign import ForeignNode
from compress_core.models.importing.onnx.graph import graphs_of
from compress_core.models.importing.onnx.operators import operator_for

Values = MutableMapping[str, Tensor]
Operator = Callable[[Sequence[Tensor | None]], tuple[Tensor | None, ...]]


class Holder(Protocol):
    """The network that a program runs in: it has the layers and the constants."""

    def layer(self, path: str) -> nn.Module: ...

    def held(self, name: str) -> Tensor | None: ...


# the network and the values around a branch or a body, while the node that has it runs
_AROUND: ContextVar[tuple[Holder, Values]] = ContextVar("around")


@dataclass(frozen=True, eq=False)
class Instruction:
    """One node: a call of a layer, or an operator. "" is an input that is left out, or an output
    that nobody reads; `frees` are the values that are read here for the last time. `programs` are
    the branches or the body, in the order of the node's attributes."""

    name: str
    node: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    opsets: tuple[tuple[str, int], ...]
    layer: str = ""
    call: Call | None = None
    frees: tuple[str, ...] = ()
    programs: tuple["Program", ...] = ()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Instruction":
        return self  # immutable

    def __getstate__(self) -> dict[str, Any]:
        # operators are made anew from the node, which alone can be written to a file
        return {k: v for k, v in vars(self).items() if k not in {"operator", "proto"}}

    @cached_property
    def proto(self) -> NodeProto:
        proto = NodeProto()
        proto.ParseFromString(self.node)
        return proto

    @cached_property
    def operator(self) -> Operator:
        """What computes the node: in torch, or in onnxruntime where torch has nothing like it."""
        opsets = dict(self.opsets)
        opset = opsets.get(self.proto.domain, 1)
        made: Operator | None = operator_for(self.proto, opset, subgraph=self._subgraph)
        return made or ForeignNode(self.proto, opsets)

    @property
    def is_foreign(self) -> bool:
        return not self.layer and isinstance(self.operator, ForeignNode)

    def _subgraph(self, graph: GraphProto) -> Callable[[Mapping[str, Tensor]], tuple[Tensor, ...]]:
        wanted = graph.SerializeToString(deterministic=True)
        found = [g.SerializeToString(deterministic=True) for g in graphs_of(self.proto)]
        return self.programs[found.index(wanted)].run_inside

    def run(self, network: Holder, values: Values) -> None:
        given = [_value(network, values, name) if name else None for name in self.inputs]
        if self.call is not None:
            made = self.call(network.layer(self.layer), given)
        elif self.programs:
            token = _AROUND.set((network, values))
            try:
                made = self.operator(given)
            finally:
                _AROUND.reset(token)
        else:
            made = self.operator(given)
        for name, tensor in zip(self.outputs, made, strict=False):
            if name and tensor is not None:
                values[name] = tensor
        for name in self.frees:
            values.pop(name, None)


def _value(network: Holder, values: Values, name: str) -> Tensor:
    found = values.get(name)
    if found is None:
        found = network.held(name)
    assert found is not None, f"{name} is made before it is read"
    return found


@dataclass(frozen=True, eq=False)
class Program:
    """The instructions of a graph in order, and the names of what goes in and comes out."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    instructions: tuple[Instruction, ...] = field(repr=False)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Program":
        return self  # immutable

    def run(self, network: Holder, values: Values) -> tuple[Tensor, ...]:
        """The outputs for the inputs in `values`, which is written to."""
        for instruction in self.instructions:
            instruction.run(network, values)
        return tuple(_value(network, values, name) for name in self.outputs)

    def run_inside(self, given: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        """A branch or a body, which sees the values around its node."""
        network, around = _AROUND.get()
        values: Values = ChainMap(dict(given), around)
        return self.run(network, values)

    @cached_property
    def digest(self) -> str:
        """Equal programs have the same, whatever weights they run with."""
        found = hashlib.sha256(repr((self.inputs, self.outputs)).encode())
        for one in self.instructions:
            found.update(repr((one.inputs, one.outputs, one.layer, one.call)).encode())
            found.update(repr(one.opsets).encode() + (b"" if one.layer else one.node))
            for program in one.programs:
                found.update(program.digest.encode())
        return found.hexdigest()


def all_instructions(program: Program) -> list[Instruction]:
    """Also those of branches and bodies."""
    found: list[Instruction] = []
    for instruction in program.instructions:
        found.append(instruction)
        for inner in instruction.programs:
            found += all_instructions(inner)
    return found
