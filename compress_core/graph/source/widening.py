"""Codes of few bits in graphs that round their activations themselves."""

import onnx_ir as ir

from compress_core.graph.simplification import add_initializer

BYTES = {
    ir.DataType.INT2: ir.DataType.INT8,
    ir.DataType.INT4: ir.DataType.INT8,
    ir.DataType.UINT2: ir.DataType.UINT8,
    ir.DataType.UINT4: ir.DataType.UINT8,
}


def widen_codes(model: ir.Model) -> None:
    """Write codes of 2 and 4 bits as bytes where activations pass QuantizeLinear nodes: the same
    weights, and onnxruntime 1.32 loads no such graph in which a Gemm has integers of 4 bits."""
    graph = model.graph
    if not any(node.op_type == "QuantizeLinear" for node in graph):
        return
    for node in graph:
        if node.op_type == "DequantizeLinear" and node.inputs[0] is not None:
            for place in (0, 2):
                _widen(graph, node, place)


def _widen(graph: ir.Graph, node: ir.Node, place: int) -> None:
    value = node.inputs[place] if place < len(node.inputs) else None
    if value is None or value.dtype not in BYTES or value.const_value is None:
        return
    kind = BYTES[value.dtype].numpy()
    name = f"{value.name}.bytes"
    if name not in graph.initializers:
        add_initializer(graph, name, value.const_value.numpy().astype(kind))
    node.replace_input_with(place, graph.initializers[name])
    if not value.uses():
        graph.initializers.pop(str(value.name))
