"""Weights that no step has changed leave in the type in which they came: half precision, codes."""

from dataclasses import replace

import onnx_ir as ir
import torch
from torch import Tensor

from compress_core.compressed import Compressed
from compress_core.entering.tensors import HALVES, in_own_type
from compress_core.graph.simplification import add_initializer
from compress_core.graph.source.opsets import opset_of_codes
from compress_core.graph.weights import put_in_place
from compress_core.models.importing.onnx import Codes, OnnxNetwork

HALF_TYPES = {torch.float16: ir.DataType.FLOAT16, torch.bfloat16: ir.DataType.BFLOAT16}


def write_own_types(model: ir.Model, compressed: Compressed) -> None:
    """Put the weights of `model` that hold what came back into the types of the file.

    A half stands behind a Cast, codes behind a DequantizeLinear.
    """
    network, own_types = compressed.base.pristine, compressed.base.own_types
    assert isinstance(network, OnnxNetwork)
    codes = {f"{name}.weight": found for name, found in network.codes.items()} | network.codes
    for key, value in list(model.graph.initializers.items()):
        if value.const_value is None or key not in own_types:
            continue
        values = torch.from_numpy(value.const_value.numpy().copy())
        shape = tuple(values.shape)
        if own_types[key] in HALVES:
            nodes = _half_nodes(model.graph, key, values, own_types[key])
        else:
            nodes = _code_nodes(model, key, values, codes.get(key))
        if nodes:
            put_in_place(model.graph, value, nodes, shape)


def _half_nodes(graph: ir.Graph, key: str, values: Tensor, dtype: torch.dtype) -> list[ir.Node]:
    narrow = in_own_type(values, dtype)
    if narrow.dtype != dtype:
        return []
    kind = HALF_TYPES[dtype]
    array = narrow.view(torch.int16).numpy().view(kind.numpy())
    half = add_initializer(graph, f"{key}.{kind.name.lower()}", array)
    return [ir.node("Cast", [half], {"to": int(ir.DataType.FLOAT)}, name=f"{key}.Cast")]


def _code_nodes(model: ir.Model, key: str, values: Tensor, codes: Codes | None) -> list[ir.Node]:
    """The codes, if these stand for `values`."""
    if codes is None or model.opset_imports[""] < opset_of_codes(codes):
        return []
    codes = _outputs_first(codes, values)
    if not _decoded(codes).equal(values):
        return []
    kind = ir.DataType[codes.type.upper()].numpy()
    arrays = {
        "codes": codes.codes.numpy().astype(kind),
        "scale": codes.scale.numpy(),
        "zero_point": codes.zero_point.numpy().astype(kind),
    }
    inputs = [add_initializer(model.graph, f"{key}.{word}", a) for word, a in arrays.items()]
    attributes = {} if codes.axis is None else {"axis": codes.axis}
    attributes |= {"block_size": codes.block_size} if codes.block_size else {}
    return [ir.node("DequantizeLinear", inputs, attributes, name=f"{key}.DequantizeLinear")]


def _outputs_first(codes: Codes, values: Tensor) -> Codes:
    """A matrix in the layout of the layer: with a Transpose behind the codes, onnxruntime 1.32
    would round what they are multiplied with."""
    if codes.codes.dim() != 2 or _decoded(codes).equal(values):
        return codes
    axis = None if codes.axis is None else 1 - codes.axis % 2
    return replace(codes, codes=codes.codes.t().contiguous(), axis=axis)


def _decoded(codes: Codes) -> Tensor:
    zero, scale = (_along(codes, t) for t in (codes.zero_point, codes.scale))
    return (codes.codes.to(torch.int32) - zero.to(torch.int32)).float() * scale


def _along(codes: Codes, values: Tensor) -> Tensor:
    """Scales or zero points in a shape that the codes are combined with."""
    if codes.axis is None:
        return values.reshape([1] * codes.codes.dim())
    if codes.block_size:
        size = codes.codes.shape[codes.axis]
        return values.repeat_interleave(codes.block_size, codes.axis).narrow(codes.axis, 0, size)
    return values.reshape([-1 if i == codes.axis else 1 for i in range(codes.codes.dim())])
