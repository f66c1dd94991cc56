"""Bring an exported graph to what a reader expects to see: the network and nothing else."""

import numpy as np
import onnx_ir as ir
from numpy.typing import ArrayLike
from onnx_ir.passes import common
from onnxscript.optimizer import fold_constants


def simplify(model: ir.Model) -> None:
    """Drop what is not part of the network: computed shapes, copies, constants as nodes.

    Blank weights have no value that could be folded into another tensor.
    """
    parameters = set(model.graph.initializers)
    fold_constants(model)
    for node in list(model.graph):
        if node.op_type == "Reshape":
            _fix_shape(model.graph, node)
        elif node.op_type == "Conv":
            _drop_made_up_bias(node, parameters)
        elif node.op_type == "MatMul":
            _use_gemm(model.graph, node)
    for simplification in (
        common.IdentityEliminationPass(),
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.RemoveUnusedNodesPass(),
    ):
        simplification(model)


def clear_metadata(model: ir.Model) -> None:
    """Drop the exporter's notes to itself: stack traces, file names, decompositions."""
    common.ClearMetadataAndDocStringPass()(model)
    values = [*model.graph.inputs, *model.graph.initializers.values()]
    for value in (*values, *(output for node in model.graph for output in node.outputs)):
        value.metadata_props.clear()


def add_initializer(graph: ir.Graph, name: str, data: ArrayLike) -> ir.Value:
    """Register an array, or a list of sizes (int64), as an initializer."""
    array = np.asarray(data)
    tensor = ir.tensor(array, name=name)
    kind = ir.TensorType(tensor.dtype)
    value = ir.Value(name=name, shape=ir.Shape(array.shape), type=kind, const_value=tensor)
    graph.register_initializer(value)
    return value


def replace_value(old: ir.Value, new: ir.Value) -> None:
    """Let all users of `old` read `new`; where it is an output of the graph, under its name."""
    name = old.name
    old.replace_all_uses_with(new, replace_graph_outputs=True)
    if new.is_graph_output():
        old.name, new.name = None, name


def _fix_shape(graph: ir.Graph, node: ir.Node) -> None:
    """Reshape to a constant, -1 for the batch, where the tracer recorded how to compute it."""
    shape = node.outputs[0].shape
    if shape is None:
        return
    sizes = [size if isinstance(size, int) else -1 for size in shape]
    if sizes.count(-1) <= 1:
        node.replace_input_with(1, add_initializer(graph, f"{node.outputs[0].name}.shape", sizes))


def _drop_made_up_bias(node: ir.Node, parameters: set[str]) -> None:
    """Take away the zeros that the exporter adds to a convolution without bias."""
    bias = node.inputs[2] if len(node.inputs) > 2 else None
    zeros = None if bias is None or bias.name in parameters else bias.const_value
    if zeros is not None and not zeros.numpy().any():
        node.resize_inputs(2)


def _use_gemm(graph: ir.Graph, node: ir.Node) -> None:
    """Multiply rows by a weight with Gemm, which reads it as stored, not with Transpose and MatMul.

    onnxruntime 1.32 moves such a Transpose before the weight's DequantizeLinear, joins that with
    the MatMul and rounds the activations to 8 bits: logits off by a percent, an error at 2 bits.
    """
    inputs, weight = node.inputs[0], _transposed_parameter(node)
    if weight is None or weight.shape is None or inputs is None or inputs.shape is None:
        return
    sizes = [size if isinstance(size, int) else -1 for size in inputs.shape]
    if sizes.count(-1) > 1 or len(weight.shape) != 2:
        return
    fan_out, fan_in = weight.shape.numpy()
    product = node.outputs[0]
    to_rows = add_initializer(graph, f"{product.name}.rows", [-1, fan_in])
    to_tensor = add_initializer(graph, f"{product.name}.shape", [*sizes[:-1], fan_out])
    rows = ir.node("Reshape", [inputs, to_rows])
    gemm = ir.node("Gemm", [rows.outputs[0], weight], {"transB": 1})
    tensor = ir.node("Reshape", [gemm.outputs[0], to_tensor])
    # the next product asks for the shape of its inputs
    tensor.outputs[0].shape = ir.Shape([*inputs.shape[:-1], fan_out])
    tensor.outputs[0].type = inputs.type
    for new in (rows, gemm, tensor):
        new.metadata_props.update(node.metadata_props)  # from which it gets its name
    graph.insert_before(node, [rows, gemm, tensor])
    replace_value(product, tensor.outputs[0])
    graph.remove(node, safe=True)


def _transposed_parameter(node: ir.Node) -> ir.Value | None:
    """The initializer whose transpose is the second factor of a MatMul, None if there is none."""
    factor = node.inputs[1]
    transpose = factor.producer() if factor is not None else None
    if transpose is None or transpose.op_type != "Transpose":
        return None
    parameter = transpose.inputs[0]
    return parameter if parameter is not None and parameter.is_initializer() else None
