"""From a network that came as an ONNX file, and its weights as stored, to that file's graph."""

from collections.abc import Iterable
from dataclasses import dataclass

import onnx
import onnx_ir as ir
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper
from torch import Tensor, nn

from compress_core.compressed import Compressed
from compress_core.graph.errors import GraphError
from compress_core.graph.naming import unique_name
from compress_core.graph.source.layers import write_layer
from compress_core.graph.source.opsets import needed_opset, raise_opset, wished_opset
from compress_core.graph.source.writer import Writer, as_array, ids_of
from compress_core.measurement.cost import macs_by_layer
from compress_core.models.importing.onnx.graph import graphs_of
from compress_core.models.importing.onnx.network import OnnxNetwork
from compress_core.models.importing.onnx.ports import Port
from compress_core.models.importing.onnx.program import Instruction, Program
from compress_core.models.importing.onnx.reading import opsets_of, write_tensor
from compress_core.weights import with_weights

HALF = torch.float16  # any type of floats: those have no codes
OLDEST_IR = 4  # since which an initializer is no input
TYPES = {
    torch.float32: TensorProto.FLOAT,
    torch.float64: TensorProto.DOUBLE,
    torch.int64: TensorProto.INT64,
}
Calls = dict[str, tuple[str, ...]]


def source_structure(compressed: Compressed) -> tuple[ir.Model, dict[str, int], Calls]:
    """The graph with blank weights, the layers' multiply-accumulates, and the names of the nodes
    that multiply with each weight, by its key.

    The version of the operators is the file's, or the first in which all codes can be written.
    Raises GraphError where the file's graph cannot be brought to that version.
    """
    module = with_weights(compressed.network.weights_module, {})
    assert isinstance(module, OnnxNetwork)
    macs = macs_by_layer(module, compressed.base)
    ranks = _ranks(module, compressed.base.examples)
    header = ModelProto.FromString(module.header)
    writer = Writer(opsets_of(header)[""], _keys(module, compressed), _coded(compressed))
    writer.values.update(_all_names(module.program))
    model = _Writing(module, writer, ranks, header).model()
    model = _raised(model, compressed)
    blank = {key for s in compressed.layers.values() for key in s.weight_keys}
    blank |= {str(s.bias_key) for s in compressed.layers.values() if s.bias is not None}
    blank |= {*compressed.network.rest, *compressed.network.coded}
    filled = _fill(ir.from_proto(model), writer, module, blank)
    return filled, macs, {key: tuple(writer.calls.get(key, ())) for key in blank}


def _raised(model: ModelProto, compressed: Compressed) -> ModelProto:
    """Codes in which layers came are worth a newer version, but can leave as floats."""
    try:
        return raise_opset(model, wished_opset(compressed))
    except GraphError:
        return raise_opset(model, needed_opset(compressed))


def _keys(module: OnnxNetwork, compressed: Compressed) -> dict[int, str]:
    """Names for parameters and buffers: a tied weight has that of its layer."""
    tied = {k: s.layer.key for s in compressed.layers.values() for k in s.layer.tied_keys}
    return ids_of(module, tied)


def _coded(compressed: Compressed) -> frozenset[str]:
    """The weights that will stand behind a DequantizeLinear: coded by a step, or on the way in."""
    own = {
        stored.layer.key
        for stored in compressed.layers.values()
        if len(stored.key) == 1
        and not compressed.base.own_types.get(stored.layer.key, HALF).is_floating_point
    }
    return frozenset(own).union(
        key
        for stored in compressed.layers.values()
        for key, weight in zip(stored.weight_keys, stored.weights, strict=True)
        if weight.codes is not None
    )


def _all_names(program: Program) -> set[str]:
    names = {*program.inputs, *program.outputs}
    for one in program.instructions:
        names.update((*one.inputs, *one.outputs))
        for inner in one.programs:
            names |= _all_names(inner)
    return names


def _ranks(module: OnnxNetwork, examples: Iterable[Tensor]) -> dict[str, int]:
    """The number of dimensions of what each layer is called with."""
    found: dict[str, int] = {}
    watched = with_weights(module, {})
    for path in module.places:
        part = watched.get_submodule(path)
        part.register_forward_pre_hook(
            lambda _, inputs, path=path: found.setdefault(path, inputs[0].dim()) and None
        )
    with torch.no_grad():
        watched(*(example.clone() for example in examples))
    return found


@dataclass(eq=False)
class _Writing:
    """Writes the program of a network as the nodes of a file."""

    module: OnnxNetwork
    writer: Writer
    ranks: dict[str, int]
    header: ModelProto

    def model(self) -> ModelProto:
        model = ModelProto()
        model.CopyFrom(self.header)
        graph = model.graph
        self._renamed = self._cast_inputs()
        self._write(self.module.program)
        self._cast_outputs()
        graph.node.extend(self.writer.nodes)
        graph.input.extend(self._weight_inputs())
        read = _read_names(self.writer.nodes)
        constants = self.writer.constants.items()
        graph.initializer.extend(write_tensor(t, name) for name, t in constants if name in read)
        model.ir_version = max(model.ir_version, OLDEST_IR)
        return model

    def _cast_inputs(self) -> dict[str, str]:
        """Names in the graph for those values that the program knows under the name of an input or
        output of another type of floats."""
        renamed = {}
        for port in (*self.module.inputs, *self.module.outputs):
            if _is_cast(port):
                renamed[port.name] = self.writer.inner(port.name, "float32")
        for port in self.module.inputs:
            if _is_cast(port):
                self.writer.node(
                    "Cast",
                    [port.name],
                    renamed[port.name],
                    name=f"{port.name}/Cast",
                    to=TensorProto.FLOAT,
                )
        return renamed

    def _cast_outputs(self) -> None:
        made = {name for node in self.writer.nodes for name in node.output}
        for port in self.module.outputs:
            source = self._named(port.name)
            if _is_cast(port):
                self.writer.node(
                    "Cast", [source], port.name, name=f"{port.name}/Cast", to=port.own_type
                )
            elif port.name not in made:  # a weight or a constant is given out as it is
                self.writer.node("Identity", [source], port.name, name=f"{port.name}/Identity")

    def _named(self, name: str) -> str:
        """What the graph calls a value of the program."""
        if name in self._renamed:
            return self._renamed[name]
        key = self.module.keys.get(name)
        if key is not None:
            held = self.module.held(name)
            return self.writer.weight(held)
        if name in self.module.constants:
            self.writer.constants[name] = self.module.constants[name]
        return name

    def _write(self, program: Program) -> None:
        for one in program.instructions:
            inputs = [self._named(name) if name else "" for name in one.inputs]
            made = [self._renamed.get(name, name) for name in one.outputs]
            if one.call is not None:
                part = self.module.layer(one.layer)
                rank = self.ranks.get(one.layer, 2)
                write_layer(self.writer, one.layer, part, one.call, inputs, made, rank)
            else:
                self.writer.nodes.append(self._node(one, inputs, made))

    def _node(self, one: Instruction, inputs: list[str], outputs: list[str]) -> NodeProto:
        node = NodeProto()
        node.CopyFrom(one.proto)
        for field, names in (("input", inputs), ("output", outputs)):
            node.ClearField(field)
            getattr(node, field).extend(names)
        node.name = unique_name(node.name, self.writer.taken)
        for graph, program in zip(graphs_of(node), one.programs, strict=True):
            self._write_inside(graph, program)
        return node

    def _write_inside(self, graph: GraphProto, program: Program) -> None:
        """A branch or a body: its nodes are collected apart."""
        around, self.writer.nodes = self.writer.nodes, []
        self._write(program)
        made = {name for node in self.writer.nodes for name in node.output} | set(program.inputs)
        for value, name in zip(graph.output, program.outputs, strict=True):
            if name in made:
                value.name = name
            else:  # a value from around the graph can only be given out by a node in it
                value.name = self.writer.inner(name, "given_out")
                self.writer.node("Identity", [self._named(name)], value.name, name="Identity")
        for field in ("node", "initializer", "value_info"):
            graph.ClearField(field)
        graph.node.extend(self.writer.nodes)
        self.writer.nodes = around

    def _weight_inputs(self) -> list[onnx.ValueInfoProto]:
        """Weights and constants as inputs, for now: only their types and shapes are asked for."""
        read = _read_names(self.writer.nodes)
        state: dict[str, Tensor] = {}
        state.update(self.module.named_parameters(remove_duplicate=False))
        state.update(self.module.named_buffers(remove_duplicate=False))
        keys = [key for key in state if key in read and key in set(self.writer.keys.values())]
        return [
            helper.make_tensor_value_info(key, TYPES[state[key].dtype], list(state[key].shape))
            for key in keys
        ]


def _read_names(nodes: Iterable[NodeProto]) -> set[str]:
    names: set[str] = set()
    for node in nodes:
        names.update(node.input)
        for graph in graphs_of(node):
            names |= _read_names(graph.node) | {value.name for value in graph.output}
    return names


def _is_cast(port: Port) -> bool:
    return port.dtype == torch.float32 and port.own_type != TensorProto.FLOAT


def _fill(model: ir.Model, writer: Writer, module: nn.Module, blank: set[str]) -> ir.Model:
    """Make the inputs that are weights initializers, blank where recipes change them."""
    graph = model.graph
    state = {writer.keys[id(t)]: t for t in (*module.parameters(), *module.buffers())}
    for value in list(graph.inputs):
        name = str(value.name)
        if name in state:
            graph.inputs.remove(value)
            if name not in blank:
                value.const_value = ir.tensor(as_array(state[name]), name=name)
            graph.initializers[name] = value
    return model
