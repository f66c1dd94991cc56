"""An ONNX file before it becomes a network: read, checked, its own functions written out, and its
floats made float32, in which networks are computed here."""

from collections.abc import Iterator, Mapping
from contextlib import suppress

import numpy as np
import onnx
import onnx_ir as ir
import torch
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, inliner
from onnx.numpy_helper import from_array, to_array
from torch import Tensor

FLOATS: dict[int, torch.dtype] = {
    TensorProto.FLOAT16: torch.float16,
    TensorProto.BFLOAT16: torch.bfloat16,
    TensorProto.DOUBLE: torch.float64,
}
TORCH_TYPES: dict[int, torch.dtype] = {
    TensorProto.FLOAT: torch.float32,
    **FLOATS,
    TensorProto.INT8: torch.int8,
    TensorProto.INT16: torch.int16,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.UINT8: torch.uint8,
    TensorProto.UINT16: torch.uint16,
    TensorProto.UINT32: torch.uint32,
    TensorProto.UINT64: torch.uint64,
    TensorProto.BOOL: torch.bool,
}
NARROW = {TensorProto.INT4: torch.int8, TensorProto.UINT4: torch.uint8}  # of 4 bits, in bytes
TYPE_ATTRIBUTES = {"to", "dtype", "output_dtype", "stash_type"}


class OnnxError(ValueError):
    """An ONNX file that cannot become a network, with the reason and the remedy."""


def read_model(source: ModelProto | bytes) -> ModelProto:
    """A model of one's own to write to, its local functions written out.

    Raises OnnxError for what is no ONNX graph, and for weights in a file beside it.
    """
    model = _parse(source) if isinstance(source, bytes) else _copy(source)
    if not model.HasField("graph") or not model.graph.node:
        raise OnnxError("the file holds no ONNX graph with nodes; export the network again")
    for tensor in tensors_of(model.graph):
        if tensor.data_location == TensorProto.EXTERNAL:
            raise OnnxError(
                f"the weight {shorten(tensor.name)} lies in a file beside the graph; save all in "
                "one file: onnx.save(onnx.load(path), 'one.onnx')"
            )
    for opset in model.opset_import:
        opset.domain = "" if opset.domain == "ai.onnx" else opset.domain
    if model.functions:
        model = inliner.inline_local_functions(model)
    try:
        _check_order(model.graph)
    except OnnxError:  # some converters put their nodes at the end, and onnxruntime sorts them
        model = _sorted(model)
        _check_order(model.graph)
    return model


def _sorted(model: ModelProto) -> ModelProto:
    """The same with each node behind those that it reads, as far as it has an order."""
    with suppress(Exception):  # whatever a damaged graph does to a library
        made = ir.from_proto(model)
        made.graph.sort()
        return ir.to_proto(made)
    return model


def _parse(source: bytes) -> ModelProto:
    try:
        return onnx.load_model_from_string(source)
    except Exception as error:  # of the parser, which has no class of its own for all of them
        raise OnnxError(
            f"this is no ONNX file ({shorten(str(error))}); export the network with "
            "torch.onnx.export, tf2onnx, or another exporter"
        ) from error


def _copy(source: ModelProto) -> ModelProto:
    model = ModelProto()
    model.CopyFrom(source)
    return model


def shorten(text: str, limit: int = 80) -> str:
    """Somebody else's text on one line of printable characters."""
    shown = "".join(c if c.isprintable() else " " for c in text[: 4 * limit])
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def tensors_of(graph: GraphProto) -> Iterator[TensorProto]:
    """The initializers and the tensors in attributes, also those of branches and bodies."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                yield attribute.t
    for inner in inner_graphs(graph):
        yield from tensors_of(inner)


def inner_graphs(graph: GraphProto) -> Iterator[GraphProto]:
    """The branches and bodies of the nodes of a graph."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                yield attribute.g
            elif attribute.type == AttributeProto.GRAPHS:
                yield from attribute.graphs


def _check_order(graph: GraphProto, outer: frozenset[str] = frozenset()) -> None:
    """Raise OnnxError for a node that reads what no node before it makes: a cycle, or nothing."""
    known = {*outer, "", *(v.name for v in graph.input), *(t.name for t in graph.initializer)}
    known |= {t.values.name for t in graph.sparse_initializer}
    for node in graph.node:
        for name in node.input:
            if name not in known:
                raise OnnxError(
                    f"the node {shorten(node.name or node.op_type)} reads {shorten(name)}, which "
                    "nothing before it makes: the graph has a cycle, or a part is missing; export "
                    "the network again"
                )
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH:
                _check_order(attribute.g, frozenset(known))
        known.update(node.output)
    missing = [value.name for value in graph.output if value.name not in known]
    if missing:
        raise OnnxError(f"no node makes the output {shorten(missing[0])}; export the network again")


def opsets_of(model: ModelProto) -> dict[str, int]:
    """The version of each operator set, by domain; "" is ONNX's own."""
    found = {opset.domain: opset.version for opset in model.opset_import} or {"": 1}
    if found.get("", 1) < 1:
        raise OnnxError(
            f"the file names version {found['']} of ONNX's operators; the first one is 1: export "
            "the network again"
        )
    return found


def read_tensor(tensor: TensorProto) -> Tensor:
    """The values of a tensor, floats as float32, integers of 4 bits in bytes.

    Raises OnnxError for a type that torch does not have.
    """
    if tensor.data_type not in TORCH_TYPES and tensor.data_type not in NARROW:
        return _read_rare(tensor)
    try:
        array: NDArray[np.generic] = to_array(tensor)
    except Exception as error:  # too few bytes for the shape, of the parser or numpy
        raise OnnxError(
            f"the weight {shorten(tensor.name)} does not have the bytes that its shape "
            f"{list(tensor.dims)[:8]} needs ({shorten(str(error))}); export the network again"
        ) from error
    if tensor.data_type in FLOATS:
        array = array.astype(np.float32)
    elif tensor.data_type in NARROW:
        array = array.astype(np.int8 if tensor.data_type == TensorProto.INT4 else np.uint8)
    return torch.from_numpy(np.array(array))  # of its own memory, in its own order


def _read_rare(tensor: TensorProto) -> Tensor:
    """Floats of 8 and 4 bits as float32."""
    name = helper.tensor_dtype_to_string(tensor.data_type)
    if "FLOAT" not in name:
        raise OnnxError(
            f"the weight {shorten(tensor.name)} has the type {name.removeprefix('TensorProto.')}, "
            "which cannot be computed with here; keep such values out of the graph"
        )
    return torch.from_numpy(np.array(to_array(tensor).astype(np.float32)))


def as_computed_type(element_type: int) -> int:
    """The type in which values of an ONNX type are computed here."""
    return TensorProto.FLOAT if element_type in FLOATS else element_type


def write_tensor(values: Tensor, name: str = "") -> TensorProto:
    return from_array(values.detach().cpu().numpy(), name)


def compute_in_float32(node: NodeProto) -> NodeProto:
    """The node, with float32 in place of the other types of floats that its attributes name."""
    own = NodeProto()
    own.CopyFrom(node)
    for attribute in own.attribute:
        _widen(attribute)
    return own


def _widen(attribute: AttributeProto) -> None:
    if attribute.type == AttributeProto.TENSOR and attribute.t.data_type in FLOATS:
        attribute.t.CopyFrom(write_tensor(read_tensor(attribute.t), attribute.t.name))
    elif attribute.type == AttributeProto.INT and attribute.name in TYPE_ATTRIBUTES:
        attribute.i = as_computed_type(attribute.i)
    elif attribute.type == AttributeProto.GRAPH:
        for inner in attribute.g.node:
            for own in inner.attribute:
                _widen(own)
        for tensor in attribute.g.initializer:
            if tensor.data_type in FLOATS:
                tensor.CopyFrom(write_tensor(read_tensor(tensor), tensor.name))
        for value in (*attribute.g.input, *attribute.g.output, *attribute.g.value_info):
            if value.type.tensor_type.elem_type in FLOATS:
                value.type.tensor_type.elem_type = TensorProto.FLOAT


def attributes_of(node: NodeProto) -> Mapping[str, object]:
    """The attributes of a node by name, texts decoded."""
    found = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return {k: v.decode(errors="replace") if isinstance(v, bytes) else v for k, v in found.items()}
