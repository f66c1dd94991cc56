"""Fill a structure's graph with the weights of a recipe: floats, or integers to dequantize."""

import onnx_ir as ir
import torch

from compress_core.compressed import Compressed
from compress_core.graph.simplification import add_initializer
from compress_core.graph.structure import node_name
from compress_core.methods.quantization import Quantized
from compress_core.storage.streams import StoredWeight
from compress_core.weights import as_matrix

WIDTHS = (2, 4, 8, 16)  # of ONNX's integer types; onnxruntime dequantizes all of them
TWO_BIT_TYPES = {ir.DataType.INT2, ir.DataType.UINT2}
TWO_BIT_OPSET, TWO_BIT_IR_VERSION = 25, 13  # the first that have them


def write_weights(model: ir.Model, compressed: Compressed) -> None:
    """Give every blank weight of `model`, a clone of the structure, its value as stored."""
    for stored in compressed.layers.values():
        for key, weight in zip(stored.weight_keys, stored.weights, strict=True):
            write_weight(model.graph, key, weight)
        if stored.bias is not None:
            bias = ir.tensor(stored.bias.contiguous().numpy(), name=stored.bias_key)
            model.graph.initializers[str(stored.bias_key)].const_value = bias
    blank = [name for name, v in model.graph.initializers.items() if v.const_value is None]
    assert not blank, f"{blank} have no data: every blank weight belongs to a layer"
    if any(value.dtype in TWO_BIT_TYPES for value in model.graph.initializers.values()):
        # newer versions of the operators only add types, so that the nodes need no change
        model.opset_imports[""] = TWO_BIT_OPSET
        model.ir_version = TWO_BIT_IR_VERSION


def write_weight(graph: ir.Graph, key: str, weight: StoredWeight) -> None:
    value = graph.initializers[key]
    if isinstance(weight.codes, Quantized):
        dequantize_weight(graph, value, weight.codes)
    else:  # other codes have no operator of their own: the floats that they stand for
        value.const_value = ir.tensor(weight.values.contiguous().numpy(), name=key)


def dequantize_weight(graph: ir.Graph, weight: ir.Value, quantized: Quantized) -> None:
    """Put a DequantizeLinear node in the place of an initializer; its output takes the name.

    Groups run along the inputs of the weight as a matrix (out, in); a Reshape node follows where
    the weight has more dimensions.
    """
    key, shape = str(weight.name), tuple(quantized.codes.shape)
    grouped = quantized.group_size is not None
    codes = as_matrix(quantized.codes) if grouped else quantized.codes
    node = ir.node(
        "DequantizeLinear",
        _integer_inputs(graph, key, quantized, codes),
        _block_attributes(quantized),
        name=f"{node_name(key)}.DequantizeLinear",
    )
    nodes = [node]
    if codes.shape != shape:
        sizes = add_initializer(graph, f"{key}.shape", list(shape))
        name = f"{node_name(key)}.Reshape"
        nodes.append(ir.node("Reshape", [node.outputs[0], sizes], name=name))
        _describe(node.outputs[0], f"{key}.matrix", tuple(codes.shape))
    first_user = next(user for user in graph if weight in user.inputs)
    graph.insert_before(first_user, nodes)
    graph.initializers.pop(key)
    ir.convenience.replace_all_uses_with(weight, nodes[-1].outputs[0])
    _describe(nodes[-1].outputs[0], key, shape)


def _integer_inputs(
    graph: ir.Graph, key: str, quantized: Quantized, codes: torch.Tensor
) -> list[ir.Value]:
    """Codes, scale and, unless it is zero by scheme, zero point as initializers."""
    dtype = integer_type(quantized).numpy()
    tensors = {"codes": codes.numpy().astype(dtype), "scale": quantized.scale.numpy()}
    if quantized.scheme == "asymmetric":
        tensors["zero_point"] = quantized.zero_point.numpy().astype(dtype)
    return [add_initializer(graph, f"{key}.{name}", array) for name, array in tensors.items()]


def integer_type(quantized: Quantized) -> ir.DataType:
    """The smallest ONNX integer type that holds the codes, unsigned for asymmetric ones."""
    width = next(width for width in WIDTHS if width >= quantized.bits)
    return ir.DataType[f"{'U' if quantized.scheme == 'asymmetric' else ''}INT{width}"]


def _block_attributes(quantized: Quantized) -> dict[str, int]:
    if quantized.group_size is not None:
        return {"axis": 1, "block_size": quantized.group_size}
    return {"axis": 0} if quantized.scale.dim() else {}


def _describe(value: ir.Value, name: str, shape: tuple[int, ...]) -> None:
    value.name, value.shape, value.type = name, ir.Shape(shape), ir.TensorType(ir.DataType.FLOAT)
