"""Fill a structure's graph with the weights of a recipe: floats, or integers to dequantize."""

import onnx_ir as ir
import torch

from compress_core.compressed import Compressed
from compress_core.graph.naming import unique_name
from compress_core.graph.simplification import add_initializer, replace_value
from compress_core.graph.structure import node_name
from compress_core.methods.quantization import FloatCoded, Quantized, SignCoded
from compress_core.methods.weight_sharing import Shared
from compress_core.storage.streams import StoredWeight
from compress_core.weights import as_matrix

WIDTHS = (2, 4, 8, 16)  # of ONNX's integer types; onnxruntime dequantizes all of them
TWO_BIT_TYPES = {ir.DataType.INT2, ir.DataType.UINT2}
FLOAT_TYPES = {
    "fp16": ir.DataType.FLOAT16,
    "bf16": ir.DataType.BFLOAT16,
    "fp8_e4m3": ir.DataType.FLOAT8E4M3FN,
    "fp8_e5m2": ir.DataType.FLOAT8E5M2,
}
TWO_BIT_OPSET, TWO_BIT_IR_VERSION = 25, 13  # the first that have them


def write_weights(model: ir.Model, compressed: Compressed) -> None:
    """Give every blank weight of `model`, a clone of the structure, its value as stored."""
    for stored in compressed.layers.values():
        for key, weight in zip(stored.weight_keys, stored.weights, strict=True):
            write_weight(model.graph, key, weight)
        if stored.bias is not None:
            bias = ir.tensor(stored.bias.contiguous().numpy(), name=stored.bias_key)
            model.graph.initializers[str(stored.bias_key)].const_value = bias
    rest = {key: weight.values for key, weight in compressed.network.coded.items()}
    for key, tensor in {**compressed.network.rest, **rest}.items():
        model.graph.initializers[key].const_value = ir.tensor(tensor.numpy(), name=key)
    blank = [name for name, v in model.graph.initializers.items() if v.const_value is None]
    assert not blank, f"{blank} have no data: every blank weight belongs to a layer"
    if any(value.dtype in TWO_BIT_TYPES for value in model.graph.initializers.values()):
        # newer versions of the operators only add types, so that the nodes need no change
        model.opset_imports[""] = TWO_BIT_OPSET
        model.ir_version = TWO_BIT_IR_VERSION


def write_weight(graph: ir.Graph, key: str, weight: StoredWeight) -> None:
    value = graph.initializers[key]
    nodes = decoding_nodes(graph, key, weight)
    if not nodes:  # floats, and codes without an operator of their own: as the floats they are
        value.const_value = ir.tensor(weight.network_values.contiguous().numpy(), name=key)
        return
    if weight.transposed:
        nodes += inputs_first_nodes(graph, key, nodes[-1].outputs[0], weight)
    put_in_place(graph, value, nodes, tuple(weight.network_values.shape))


def decoding_nodes(graph: ir.Graph, key: str, weight: StoredWeight) -> list[ir.Node]:
    """The nodes that decode the weight, outputs first; none where the graph holds floats."""
    codes = weight.codes
    if isinstance(codes, Quantized):
        return dequantizing_nodes(graph, key, codes)
    if isinstance(codes, SignCoded):
        return dequantizing_nodes(graph, key, _as_affine(codes))
    if isinstance(codes, Shared):
        return lookup_nodes(graph, key, codes)
    if isinstance(codes, FloatCoded) and codes.group_size is None and codes.format in FLOAT_TYPES:
        return float_nodes(graph, key, codes)
    return []


def inputs_first_nodes(
    graph: ir.Graph, key: str, decoded: ir.Value, weight: StoredWeight
) -> list[ir.Node]:
    """The nodes that apply `inputs_first` to the decoded weight: a Transpose, or one in each group.

    Scales are along the outputs, so that codes are decoded with these first.
    """
    shape, groups = tuple(weight.values.shape), weight.transposed
    assert groups is not None
    _describe(decoded, f"{key}.outputs_first", shape)
    if groups == 1:
        axes = [1, 0, *range(2, len(shape))]
        return [ir.node("Transpose", [decoded], {"perm": axes}, name=f"{node_name(key)}.Transpose")]
    grouped = (groups, shape[0] // groups, *shape[1:])
    split = _reshape(graph, key, decoded, grouped, "groups")
    axes = [0, 2, 1, *range(3, len(grouped))]
    name = f"{node_name(key)}.Transpose"
    swapped = ir.node("Transpose", [split.outputs[0]], {"perm": axes}, name=name)
    _describe(swapped.outputs[0], f"{key}.transposed", tuple(grouped[axis] for axis in axes))
    own = tuple(weight.network_values.shape)
    return [split, swapped, _reshape(graph, key, swapped.outputs[0], own, "inputs_first")]


def _reshape(
    graph: ir.Graph, key: str, value: ir.Value, shape: tuple[int, ...], word: str
) -> ir.Node:
    sizes = add_initializer(graph, f"{key}.{word}.shape", list(shape))
    node = ir.node("Reshape", [value, sizes], name=f"{node_name(key)}.Reshape.{word}")
    _describe(node.outputs[0], f"{key}.{word}", shape)
    return node


def put_in_place(
    graph: ir.Graph, weight: ir.Value, nodes: list[ir.Node], shape: tuple[int, ...]
) -> None:
    """Put nodes in the place of an initializer; the output of the last takes its name."""
    key = str(weight.name)
    taken = {str(node.name) for node in graph}  # a network may have a part called fc1.Reshape
    for node in nodes:
        node.name = unique_name(str(node.name), taken)
    # its users stand in the order of the graph, but for those inside of a branch or a loop
    first_user = next((user for user in graph if weight in user.inputs), graph[0])
    graph.insert_before(first_user, nodes)
    graph.initializers.pop(key)
    replace_value(weight, nodes[-1].outputs[0])
    _describe(nodes[-1].outputs[0], key, tuple(shape))


def dequantizing_nodes(graph: ir.Graph, key: str, quantized: Quantized) -> list[ir.Node]:
    """A DequantizeLinear node, and a Reshape where a grouped weight has more than 2 dimensions.

    Groups run along the inputs of the weight as a matrix (out, in).
    """
    shape = tuple(quantized.codes.shape)
    grouped = quantized.group_size is not None
    codes = as_matrix(quantized.codes) if grouped else quantized.codes
    inputs = _integer_inputs(graph, key, quantized, codes)
    nodes = [_node("DequantizeLinear", key, inputs, _block_attributes(quantized))]
    if codes.shape != shape:
        sizes = add_initializer(graph, f"{key}.shape", list(shape))
        nodes.append(_node("Reshape", key, [nodes[0].outputs[0], sizes]))
        _describe(nodes[0].outputs[0], f"{key}.matrix", tuple(codes.shape))
    return nodes


def _as_affine(signs: SignCoded) -> Quantized:
    """Codes -1 and 1 of 2 bits: ONNX has no type of 1 bit."""
    zero_point = torch.zeros_like(signs.scale, dtype=torch.int32)
    codes = 2 * signs.codes.to(torch.int32) - 1
    return Quantized(codes, signs.scale, zero_point, 2, "symmetric", None)


def lookup_nodes(graph: ir.Graph, key: str, shared: Shared) -> list[ir.Node]:
    """Indices in the smallest type that holds them, cast to what Gather takes, and the codebook."""
    dtype = ir.DataType[f"UINT{_width_for(shared.bits)}"].numpy()
    codes = add_initializer(graph, f"{key}.codes", shared.indices.numpy().astype(dtype))
    codebook = add_initializer(graph, f"{key}.codebook", shared.codebook.numpy())
    indices = _node("Cast", key, [codes], {"to": int(ir.DataType.INT32)})
    return [indices, _node("Gather", key, [codebook, indices.outputs[0]])]


def float_nodes(graph: ir.Graph, key: str, coded: FloatCoded) -> list[ir.Node]:
    """Floats of 8 bits are dequantized, of 16 bits, which have no scale, cast."""
    dtype = FLOAT_TYPES[coded.format]
    patterns = coded.codes.contiguous().numpy().view(dtype.numpy())
    codes = add_initializer(graph, f"{key}.codes", patterns)
    if coded.bits == 16:
        return [_node("Cast", key, [codes], {"to": int(ir.DataType.FLOAT)})]
    scale = add_initializer(graph, f"{key}.scale", coded.scale.numpy())
    axis = {"axis": 0} if coded.scale.dim() else {}
    return [_node("DequantizeLinear", key, [codes, scale], axis)]


def _node(
    operator: str, key: str, inputs: list[ir.Value], attributes: dict[str, int] | None = None
) -> ir.Node:
    return ir.node(operator, inputs, attributes, name=f"{node_name(key)}.{operator}")


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
    sign = "U" if quantized.scheme == "asymmetric" else ""
    return ir.DataType[f"{sign}INT{_width_for(quantized.bits)}"]


def _width_for(bits: int) -> int:
    return next(width for width in WIDTHS if width >= bits)


def _block_attributes(quantized: Quantized) -> dict[str, int]:
    if quantized.group_size is not None:
        return {"axis": 1, "block_size": quantized.group_size}
    return {"axis": 0} if quantized.scale.dim() else {}


def _describe(value: ir.Value, name: str, shape: tuple[int, ...]) -> None:
    value.name, value.shape, value.type = name, ir.Shape(shape), ir.TensorType(ir.DataType.FLOAT)
