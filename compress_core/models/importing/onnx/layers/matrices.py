"""Products with a constant matrix, and rows picked out of one: nn.Linear and nn.Embedding."""

from torch import nn

from compress_core.models.importing.onnx.calls import Lookup, Plain
from compress_core.models.importing.onnx.constants import Constant
from compress_core.models.importing.onnx.layers.common import Built, NodeView, fill, made_of


def build_gemm(view: NodeView) -> Built | None:
    weight, bias = view.constant(1), view.constant(2)
    if view.moving is None or weight is None or view.whole("transA", 0):
        return None
    if (view.input(2) and bias is None) or weight.values.dim() != 2:
        return None
    values = weight.values if view.whole("transB", 0) else weight.values.t()
    own = weight.laid_out(view.number("alpha", 1.0) * values)
    if bias is not None:
        flat = bias.values.reshape(-1) * view.number("beta", 1.0)
        flat_row = bias.values.dim() < 2 or bias.values.shape[0] == 1
        if not flat_row or len(flat) not in (1, len(values)):
            return None
        bias = bias.laid_out(flat.expand(len(values)))
    return _linear(view, own, bias)


def build_matmul(view: NodeView) -> Built | None:
    weight = view.constant(1)
    if view.moving is None or weight is None or weight.values.dim() != 2:
        return None
    return _linear(view, weight.laid_out(weight.values.t()), None)


def _linear(view: NodeView, weight: Constant, bias: Constant | None) -> Built | None:
    if weight.values.numel() == 0 or view.moving is None:
        return None
    fan_out, fan_in = weight.values.shape
    module = nn.utils.skip_init(nn.Linear, fan_in, fan_out, bias=bias is not None)
    tensors = made_of(weight=weight, bias=bias)
    filled = fill(module, tensors)
    return Built(filled, Plain(), (view.moving,), tensors, takes_bias=bias is None)


def build_gather(view: NodeView) -> Built | None:
    table = view.constant(0)
    if table is None or table.values.dim() != 2 or view.whole("axis", 0) not in (0, -2):
        return None
    if table.values.numel() == 0 or not view.input(1) or view.graph.constant(view.input(1)):
        return None
    rows, width = table.values.shape
    module = nn.utils.skip_init(nn.Embedding, rows, width)
    tensors = made_of(weight=table)
    return Built(fill(module, tensors), Lookup(), (view.input(1),), tensors)
