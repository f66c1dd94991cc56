"""ONNX graph → network: layers where torch has them, nodes for the rest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import torch
from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto
from torch import Tensor, nn

from compress_core.entering.tensors import TensorType
from compress_core.models.importing.onnx.constants import Constant
from compress_core.models.importing.onnx.graph import (
    Graph,
    graphs_of,
    inner_names,
    make_plain,
    plain_graph,
    shape_of,
)
from compress_core.models.importing.onnx.integers import float_integers
from compress_core.models.importing.onnx.layers import build_layer
from compress_core.models.importing.onnx.layers.bias import add_bias, bias_behind
from compress_core.models.importing.onnx.layers.common import NodeView
from compress_core.models.importing.onnx.names import Names, parts_of_node, parts_of_weight
from compress_core.models.importing.onnx.network import OnnxNetwork, Part, Place
from compress_core.models.importing.onnx.packed import open_packed
from compress_core.models.importing.onnx.ports import Port, find_batch_axes
from compress_core.models.importing.onnx.program import Instruction, Program
from compress_core.models.importing.onnx.reading import (
    TORCH_TYPES,
    OnnxError,
    as_computed_type,
    opsets_of,
    read_model,
    shorten,
)
from compress_core.models.importing.onnx.refusing import refusing

SMALLEST_WEIGHT = 64  # values: less is a setting, not a weight
# operators whose constants say how they compute, not with what
SETTINGS = {"Resize", "Upsample", "Clip", "QuantizeLinear", "DequantizeLinear", "Range", "OneHot"}


def build_network(source: ModelProto | bytes) -> OnnxNetwork:
    """The network of a file, as it stands there: for the batch that the file is made for."""
    model = read_model(source)
    opsets = opsets_of(model)
    graph = make_plain(model, opsets)
    importer = _Importer(opsets)
    program = importer.program(graph)
    network = OnnxNetwork(program, *_ports(model.graph, graph), _header(model))
    importer.furnish(network)
    return network.eval()


def _header(model: ModelProto) -> bytes:
    """The model without its nodes and weights."""
    header = ModelProto()
    header.CopyFrom(model)
    stored = {tensor.name for tensor in header.graph.initializer}
    inputs = [value for value in header.graph.input if value.name not in stored]
    for part in ("node", "initializer", "sparse_initializer", "value_info", "input"):
        header.graph.ClearField(part)
    header.graph.input.extend(inputs)
    header.ClearField("functions")
    return bytes(header.SerializeToString(deterministic=True))


def _ports(proto: GraphProto, graph: Graph) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    inputs = [value for value in proto.input if value.name in graph.inputs]
    shapes = [shape_of(value) for value in (*inputs, *proto.output)]
    axes = find_batch_axes(shapes)
    ports = [_port(value, axis) for value, axis in zip((*inputs, *proto.output), axes, strict=True)]
    return tuple(ports[: len(inputs)]), tuple(ports[len(inputs) :])


def _port(value: ValueInfoProto, axis: int | None) -> Port:
    kind = value.type.tensor_type
    dtype = TORCH_TYPES.get(as_computed_type(kind.elem_type))
    if not value.type.HasField("tensor_type") or dtype is None:
        raise OnnxError(
            f"{shorten(value.name)} is no tensor of numbers (a sequence, a map or texts), which no "
            "network takes here; export the part between them"
        )
    return Port(value.name, dtype, shape_of(value), axis, kind.elem_type)


@dataclass(eq=False)
class _Importer:
    """Collects the layers and the weights of all graphs of a file while their programs are made."""

    opsets: Mapping[str, int]
    names: Names = field(default_factory=Names)
    layers: dict[str, tuple[nn.Module, Mapping[str, Constant]]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    read: dict[str, Constant] = field(default_factory=dict)  # by nodes, by the value's name
    readers: dict[str, NodeProto] = field(default_factory=dict)

    def program(self, graph: Graph) -> Program:
        float_integers(graph)
        open_packed(graph)
        made: list[Instruction] = []
        gone: set[int] = set()
        for node in list(graph.nodes):
            if id(node) not in gone:
                with refusing(f"the node {shorten(node.name or node.op_type)} cannot be built"):
                    made.append(self._instruction(graph, node, gone))
        kept = _needed(made, graph.outputs)
        for name in graph.outputs:
            self._note(graph, name, None)
        for one in kept:
            for name in one.inputs:
                self._note(graph, name, one.proto)
        own = {name for one in kept for name in one.outputs} | set(graph.inputs)
        return Program(graph.inputs, graph.outputs, _freeing(kept, graph.outputs, own))

    def _instruction(self, graph: Graph, node: NodeProto, gone: set[int]) -> Instruction:
        raw = node.SerializeToString(deterministic=True)
        opsets = tuple(sorted(self.opsets.items()))
        built = build_layer(graph, node)
        if built is None:
            inner = tuple(
                self.program(plain_graph(g, self.opsets, {}, graph)) for g in graphs_of(node)
            )
            names = tuple(node.input), tuple(node.output)
            return Instruction(node.name, raw, *names, opsets, programs=inner)
        outputs = tuple(node.output)
        behind = bias_behind(NodeView(graph, node), built)
        if behind:
            add_bias(built, behind[0])
            gone.add(id(behind[1]))
            outputs = tuple(behind[1].output)
        weight = next(iter(built.tensors.values()))
        candidates = [parts_of_weight(weight.root), parts_of_node(node.name, node.op_type)]
        path = self.names.take(candidates, f"{node.op_type.lower()}_{len(self.layers)}")
        self.layers[path] = built.module, built.tensors
        roots = {attribute: constant.root for attribute, constant in built.tensors.items()}
        self.places[path] = Place(node.name, node.op_type, roots)
        return Instruction(
            node.name, raw, built.inputs, outputs, opsets, layer=path, call=built.call
        )

    def _note(self, graph: Graph, name: str, node: NodeProto | None) -> None:
        constant = graph.constant(name) if name else None
        if constant is not None and name not in self.read:
            self.read[name] = constant
            if node is not None:
                self.readers[name] = node

    def furnish(self, network: OnnxNetwork) -> None:
        """Put layers, weights and constants into their places."""
        for path, (module, tensors) in self.layers.items():
            owner, attribute = _owner(network, path)
            owner.add_module(attribute, module)
            network.places[path] = self.places[path]
            self._remember(network, path, tensors)
        _tie(self.layers)
        for name, constant in self.read.items():
            self._furnish_value(network, name, constant)

    def _remember(self, network: OnnxNetwork, path: str, tensors: Mapping[str, Constant]) -> None:
        for attribute, constant in tensors.items():
            self._remember_type(network, f"{path}.{attribute}", constant)
        weight = next(iter(tensors.values()))
        if weight.codes is not None:
            network.codes[path] = weight.codes

    def _remember_type(self, network: OnnxNetwork, key: str, constant: Constant) -> None:
        if constant.own_dtype == torch.float32 or not constant.is_float:
            return
        network.own_types[key] = constant.own_dtype
        shape = tuple(constant.values.shape)
        packed = constant.codes is not None and constant.codes.bits == 4
        network.came_as[key] = TensorType(
            constant.own_dtype, (-(-constant.values.numel() // 2),) if packed else shape
        )

    def _furnish_value(self, network: OnnxNetwork, name: str, constant: Constant) -> None:
        values = constant.values
        node = self.readers.get(name)
        setting = node is not None and node.op_type in SETTINGS
        if not constant.is_float or values.numel() == 1 or setting:
            network.constants[name] = values
            return
        candidates = [parts_of_weight(constant.root), _reader_parts(node)]
        key = self.names.take(candidates, f"constant_{len(network.keys)}")
        owner, attribute = _owner(network, key)
        if _is_weight(values):
            owner.register_parameter(
                attribute, nn.Parameter(values.detach().clone(), requires_grad=False)
            )
            if constant.codes is not None:
                network.codes[key] = constant.codes
        else:
            owner.register_buffer(attribute, values.detach().clone())
        network.keys[name] = key
        self._remember_type(network, key, constant)


def _reader_parts(node: NodeProto | None) -> list[str]:
    if node is None:
        return []
    parts = parts_of_node(node.name, node.op_type)
    return [*parts[:-1], f"{parts[-1]}_constant"] if parts else []


def _is_weight(values: Tensor) -> bool:
    """Whether a table of numbers is one that is worth compressing, and may be: all finite."""
    wide = sum(size > 1 for size in values.shape) >= 2
    return wide and values.numel() >= SMALLEST_WEIGHT and bool((values.abs() < 1e37).all())


def _owner(network: nn.Module, path: str) -> tuple[nn.Module, str]:
    """The module in which the last part of a path is an attribute, made where it is not there."""
    *above, attribute = path.split(".")
    owner = network
    for part in above:
        if part not in owner._modules:
            owner.add_module(part, Part().eval())
        inner = owner._modules[part]
        assert inner is not None
        owner = inner
    return owner, attribute


def _tie(layers: Mapping[str, tuple[nn.Module, Mapping[str, Constant]]]) -> None:
    """Layers whose weights were one initializer have one parameter, where they read it alike."""
    first: dict[str, list[tuple[nn.Parameter, Tensor]]] = {}
    for module, tensors in layers.values():
        for attribute, constant in tensors.items():
            own = module._parameters.get(attribute)
            if own is None or not constant.root:
                continue
            known = first.setdefault(constant.root, [])
            twin = next((p for p, t in known if t.shape == own.shape and torch.equal(t, own)), None)
            if twin is None:
                known.append((own, own.detach()))
            else:
                module.register_parameter(attribute, twin)
                if isinstance(module, nn.RNNBase):
                    module._init_flat_weights()


def _needed(instructions: list[Instruction], outputs: Iterable[str]) -> list[Instruction]:
    """Without those whose results nobody reads."""
    wanted, kept = set(outputs), []
    for one in reversed(instructions):
        if wanted.intersection(one.outputs) or not one.outputs:
            kept.append(one)
            wanted.update(one.inputs)
            wanted |= inner_names(one.proto) if one.programs else set()
    return kept[::-1]


def _freeing(
    instructions: list[Instruction], outputs: Iterable[str], own: set[str]
) -> tuple[Instruction, ...]:
    """The same, each with the values that it reads last."""
    last: dict[str, int] = {}
    for place, one in enumerate(instructions):
        names = {*one.inputs, *one.outputs} | (inner_names(one.proto) if one.programs else set())
        last |= dict.fromkeys(names & own, place)
    kept = set(outputs)
    freed: list[list[str]] = [[] for _ in instructions]
    for name, place in last.items():
        if name and name not in kept:
            freed[place].append(name)
    return tuple(
        replace(one, frees=tuple(names)) for one, names in zip(instructions, freed, strict=True)
    )
