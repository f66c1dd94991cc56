"""The table of operators that become layers."""

from collections.abc import Callable

from onnx import NodeProto

from compress_core.models.importing.onnx import layers
from compress_core.models.importing.onnx.graph import Graph
from compress_core.models.importing.onnx.layers import Built, NodeView
from compress_core.models.importing.onnx.recurrent import build_recurrent

BUILDERS: dict[str, Callable[[NodeView], Built | None]] = {
    "Gemm": layers.build_gemm,
    "MatMul": layers.build_matmul,
    "Conv": layers.build_conv,
    "ConvTranspose": layers.build_conv_transpose,
    "Gather": layers.build_gather,
    "BatchNormalization": layers.build_batch_norm,
    "InstanceNormalization": layers.build_instance_norm,
    "LayerNormalization": layers.build_layer_norm,
    "GroupNormalization": layers.build_group_norm,
    "LSTM": build_recurrent,
    "GRU": build_recurrent,
    "RNN": build_recurrent,
}


def build_layer(graph: Graph, node: NodeProto) -> Built | None:
    """The layer that stands in the place of `node`; None for a node that is none."""
    builder = BUILDERS.get(node.op_type) if not node.domain else None
    return builder(NodeView(graph, node)) if builder else None
