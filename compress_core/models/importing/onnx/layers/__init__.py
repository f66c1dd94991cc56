"""The nodes whose weights are constants become the layers of torch.

Each builder takes a node, and gives the module that stands in its place, or None for one that stays
a node, its weights then bare parameters of the network.
"""

from collections.abc import Callable

from onnx import NodeProto

from compress_core.models.importing.onnx.graph import Graph
from compress_core.models.importing.onnx.layers.common import Built, NodeView
from compress_core.models.importing.onnx.layers.convolution import build_conv, build_conv_transpose
from compress_core.models.importing.onnx.layers.matrices import (
    build_gather,
    build_gemm,
    build_matmul,
)
from compress_core.models.importing.onnx.layers.normalization import (
    build_batch_norm,
    build_group_norm,
    build_instance_norm,
    build_layer_norm,
)
from compress_core.models.importing.onnx.layers.recurrent import build_recurrent

BUILDERS: dict[str, Callable[[NodeView], Built | None]] = {
    "Gemm": build_gemm,
    "MatMul": build_matmul,
    "Conv": build_conv,
    "ConvTranspose": build_conv_transpose,
    "Gather": build_gather,
    "BatchNormalization": build_batch_norm,
    "InstanceNormalization": build_instance_norm,
    "LayerNormalization": build_layer_norm,
    "GroupNormalization": build_group_norm,
    "LSTM": build_recurrent,
    "GRU": build_recurrent,
    "RNN": build_recurrent,
}


def build_layer(graph: Graph, node: NodeProto) -> Built | None:
    """The layer that stands in the place of `node`; None for a node that is none."""
    builder = BUILDERS.get(node.op_type) if not node.domain else None
    return builder(NodeView(graph, node)) if builder else None
