"""A graph in the form from which the network is made: without Constant and Identity nodes, and
without what depends on no input."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

import onnx
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

from compress_core.models.importing.onnx.constants import (
    Constant,
    read_constant,
    read_initializer,
)
from compress_core.models.importing.onnx.folding import fold_node
from compress_core.models.importing.onnx.reading import (
    attributes_of,
    compute_in_float32,
    shorten,
)

Dim = int | str | None  # a fixed size, the name of a free one, or nothing known
MOST_NODES = 200_000


@dataclass(eq=False)
class Graph:
    """A graph while it is made plain: `nodes` in order, each of whose inputs is a constant here or
    outside, an input, or made before. `shapes` are what the file says or onnx infers."""

    opsets: Mapping[str, int]
    shapes: Mapping[str, tuple[Dim, ...]]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...] = ()
    outer: Self | None = None
    nodes: list[NodeProto] = field(default_factory=list)
    constants: dict[str, Constant] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)

    def resolve(self, name: str) -> str:
        """The name under which a value is known once copies of it are left out."""
        found = self.aliases.get(name, name)
        return self.outer.resolve(found) if self.outer and found == name else found

    def constant(self, name: str) -> Constant | None:
        """The constant of that name, here or in a graph around this one."""
        if name in self.constants:
            return self.constants[name]
        if self.outer is None or name in self.made or name in self.inputs:
            return None
        return self.outer.constant(name)

    def shape(self, name: str) -> tuple[Dim, ...] | None:
        return self.shapes.get(name)

    def readers(self, name: str) -> list[NodeProto]:
        """The nodes that read a value, also those that do so inside of a branch or a body."""
        return [node for node in self.nodes if name in node.input or name in inner_names(node)]


def make_plain(model: ModelProto, opsets: Mapping[str, int]) -> Graph:
    """The main graph of a model."""
    return plain_graph(model.graph, opsets, find_shapes(model))


def plain_graph(
    proto: GraphProto,
    opsets: Mapping[str, int],
    shapes: Mapping[str, tuple[Dim, ...]],
    outer: Graph | None = None,
) -> Graph:
    """A graph, or a branch or body inside of `outer`."""
    stored = {tensor.name: read_initializer(tensor) for tensor in proto.initializer}
    inputs = tuple(value.name for value in proto.input if value.name not in stored)
    graph = Graph(opsets, shapes, inputs, outer=outer, constants=stored)
    outputs = tuple(value.name for value in proto.output)
    _take_nodes(graph, proto.node, frozenset(outputs))
    graph.outputs = tuple(graph.resolve(name) for name in outputs) if outer else outputs
    _name_nodes(graph.nodes)
    return graph


def _take_nodes(graph: Graph, nodes: Sequence[NodeProto], outputs: frozenset[str]) -> None:
    for node in nodes:
        if len(graph.nodes) > MOST_NODES:
            raise ValueError(f"the graph has more than {MOST_NODES:,} nodes; export a smaller one")
        _take_node(graph, compute_in_float32(node), outputs)


def _take_node(graph: Graph, node: NodeProto, outputs: frozenset[str]) -> None:
    if node.domain == "ai.onnx":
        node.domain = ""
    _rename_inputs(graph, node)
    if node.op_type == "Constant" and (value := read_constant(node)):
        graph.constants[node.output[0]] = value
        return
    copied = _copied(graph, node)
    if copied and (node.output[0] not in outputs or graph.constant(copied)):
        _copy(graph, node.output[0], copied)
        return
    branch = _taken_branch(graph, node)
    if branch is not None:
        _splice(graph, node, branch, outputs)
        return
    if all(not name or graph.constant(name) for name in node.input) and node.input:
        folded = fold_node(node, [graph.constant(name) for name in node.input], graph.opsets)
        if folded:
            named = (name for name in node.output if name)
            graph.constants.update(zip(named, folded, strict=False))
            return
    graph.made.update(node.output)
    graph.nodes.append(node)


def _copy(graph: Graph, name: str, copied: str) -> None:
    constant = graph.constant(copied)
    if constant:
        graph.constants[name] = constant
    graph.aliases[name] = copied


def _copied(graph: Graph, node: NodeProto) -> str | None:
    """The input that a node only hands on."""
    if node.domain or not node.input:
        return None
    if node.op_type == "Identity":
        return str(node.input[0])
    if node.op_type == "Dropout" and not any(node.output[1:]):
        training = graph.constant(node.input[2]) if len(node.input) > 2 else None
        if training is None and len(node.input) > 2 and node.input[2]:
            return None
        return None if training is not None and bool(training.values) else str(node.input[0])
    return None


def _rename_inputs(graph: Graph, node: NodeProto) -> None:
    for i, name in enumerate(node.input):
        node.input[i] = graph.resolve(name)
    for inner in graphs_of(node):
        for deeper in inner.node:
            _rename_inputs(graph, deeper)
        for value in inner.output:  # a branch may give out a value from outside
            value.name = graph.resolve(value.name)


def _taken_branch(graph: Graph, node: NodeProto) -> GraphProto | None:
    """The branch of an If whose condition is a constant."""
    condition = graph.constant(node.input[0]) if node.op_type == "If" and node.input else None
    if condition is None:
        return None
    branches = attributes_of(node)
    taken = branches["then_branch" if bool(condition.values) else "else_branch"]
    assert isinstance(taken, GraphProto)
    return taken


def _splice(graph: Graph, node: NodeProto, branch: GraphProto, outputs: frozenset[str]) -> None:
    """Put the nodes of a branch in the place of its If, under names of their own."""
    inside = {t.name for t in branch.initializer} | {o for n in branch.node for o in n.output}
    own = {name: f"{node.output[0]}/{name}" for name in inside if name}
    for given, made in zip(branch.output, node.output, strict=True):
        if given.name in own:
            own[given.name] = made
    renamed = GraphProto()
    renamed.CopyFrom(branch)
    _rename_all(renamed, own)
    for tensor in renamed.initializer:
        graph.constants[tensor.name] = read_initializer(tensor)
    _take_nodes(graph, renamed.node, outputs)
    for given, made in zip(renamed.output, node.output, strict=True):
        if given.name != made:
            copy = onnx.helper.make_node("Identity", [given.name], [made])
            _take_node(graph, copy, outputs)


def _rename_all(graph: GraphProto, names: Mapping[str, str]) -> None:
    for tensor in graph.initializer:
        tensor.name = names.get(tensor.name, tensor.name)
    for value in graph.output:
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = names.get(name, name)
        for i, name in enumerate(node.output):
            node.output[i] = names.get(name, name)
        for inner in graphs_of(node):
            _rename_all(inner, names)


def graphs_of(node: NodeProto) -> list[GraphProto]:
    """The branches or the body of a node."""
    return [a.g for a in node.attribute if a.type == AttributeProto.GRAPH]


def inner_names(node: NodeProto) -> set[str]:
    """The names that the branches and the body of a node read, their own ones included."""
    names: set[str] = set()
    for inner in graphs_of(node):
        names.update(value.name for value in inner.output)
        for deeper in inner.node:
            names.update(deeper.input)
            names |= inner_names(deeper)
    return names


def _name_nodes(nodes: list[NodeProto]) -> None:
    """Give each node a name of its own, short and printable."""
    taken: set[str] = set()
    for place, node in enumerate(nodes):
        name = shorten(node.name) or f"{shorten(node.op_type)}_{place}"
        if name in taken:
            name = f"{name}_{place}"
        taken.add(name)
        node.name = name


def find_shapes(model: ModelProto) -> dict[str, tuple[Dim, ...]]:
    """The shapes that the file states, and those that onnx infers."""
    with suppress(Exception):  # a graph that it does not understand may still run
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    graph = model.graph
    stated = [*graph.value_info, *graph.input, *graph.output]
    found = {v.name: shape_of(v) for v in stated if v.type.tensor_type.HasField("shape")}
    return found | {t.name: tuple(t.dims) for t in graph.initializer}


def shape_of(value: onnx.ValueInfoProto) -> tuple[Dim, ...]:
    return tuple(_dim(dim) for dim in value.type.tensor_type.shape.dim)


def _dim(dim: onnx.TensorShapeProto.Dimension) -> Dim:
    if dim.HasField("dim_value"):
        return int(dim.dim_value) if dim.dim_value > 0 else None
    return str(dim.dim_param) or None
