"""LSTM, GRU and RNN nodes as torch's modules: the gates in another order, the directions apart."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from compress_core.models.importing.onnx.calls import Recurrent
from compress_core.models.importing.onnx.constants import Constant
from compress_core.models.importing.onnx.layers.common import Built, NodeView, fill

# the places in ONNX's order of gates at which torch's stand
GATES = {
    "LSTM": (0, 2, 3, 1),  # i o f c → i f c o
    "GRU": (1, 0, 2),  # z r h → r z h
    "RNN": (0,),
}
MODULES: dict[str, Callable[..., nn.RNNBase]] = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}
ACTIVATIONS = {"LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"], "RNN": ["tanh"]}


def build_recurrent(view: NodeView) -> Built | None:
    """None for what torch's module cannot do: lengths, peepholes, clipping, other activations, and
    a GRU that resets before it multiplies."""
    kind = view.node.op_type
    weights, recurrent, bias = (view.constant(i) for i in (1, 2, 3))
    if view.moving is None or weights is None or recurrent is None or not _is_plain(view):
        return None
    if view.input(3) and bias is None:
        return None
    directions, rows, width = weights.values.shape
    gates = len(GATES[kind])
    hidden = rows // gates
    options = {"nonlinearity": "relu"} if kind == "RNN" and _activations(view) == ["relu"] else {}
    module = MODULES[kind](
        width, hidden, bias=bias is not None, bidirectional=directions == 2, **options
    )
    tensors: dict[str, Constant] = {}
    for i, ending in enumerate(("", "_reverse")[:directions]):
        tensors[f"weight_ih_l0{ending}"] = _reordered(weights, weights.values[i], kind)
        tensors[f"weight_hh_l0{ending}"] = _reordered(recurrent, recurrent.values[i], kind)
        if bias is not None:
            both = bias.values[i].chunk(2)
            tensors[f"bias_ih_l0{ending}"] = _reordered(bias, both[0], kind)
            tensors[f"bias_hh_l0{ending}"] = _reordered(bias, both[1], kind)
    call = Recurrent(directions, view.named.get("direction") == "reverse", kind == "LSTM")
    inputs = (view.moving, view.input(5), view.input(6) if kind == "LSTM" else "")
    filled = fill(module, tensors)
    assert isinstance(filled, nn.RNNBase)
    filled._init_flat_weights()  # its list of its parameters
    return Built(filled, call, inputs, tensors)


def _reordered(constant: Constant, values: Tensor, kind: str) -> Constant:
    gates = values.chunk(len(GATES[kind]))
    return replace(constant.laid_out(torch.cat([gates[i] for i in GATES[kind]])), codes=None)


def _activations(view: NodeView) -> list[str]:
    found = view.named.get("activations") or []
    assert isinstance(found, list)
    named = [f.decode() if isinstance(f, bytes) else str(f) for f in found]
    return [name.lower() for name in named]


def _is_plain(view: NodeView) -> bool:
    kind = view.node.op_type
    directions = 2 if view.named.get("direction") == "bidirectional" else 1
    usual = ACTIVATIONS[kind] * directions
    activations = _activations(view)
    known = not activations or activations == usual
    if kind == "RNN" and activations == ["relu"] * directions:
        known = True
    odd = ("clip", "input_forget", "layout", "activation_alpha", "activation_beta")
    if kind == "GRU" and not view.whole("linear_before_reset", 0):
        return False
    return known and not any(view.named.get(name) for name in odd) and not _has_more(view)


def _has_more(view: NodeView) -> bool:
    """Lengths of the sequences, or peepholes that are not zero."""
    peepholes = view.constant(7)
    closed = peepholes is not None and not peepholes.values.any()
    return bool(view.input(4)) or (bool(view.input(7)) and not closed)
