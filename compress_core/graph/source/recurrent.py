"""LSTM, GRU and RNN nodes that read torch's weights: gates in another order, directions apart."""

from collections.abc import Sequence
from typing import Any

import torch
from onnx import helper
from torch import nn

from compress_core.graph.naming import unique_name
from compress_core.graph.source.writer import Writer
from compress_core.models.importing.onnx.calls import Recurrent
from compress_core.models.importing.onnx.layers.recurrent import GATES


def write_recurrent(
    writer: Writer,
    path: str,
    module: nn.RNNBase,
    call: Recurrent,
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> None:
    """The node, and before it the nodes that put its weights together."""
    kind = type(module).__name__
    endings = ("", "_reverse")[: call.directions]
    order = writer.constant(path, "gates", _rows(kind, module.hidden_size))
    weights = _stacked(writer, path, module, [f"weight_ih_l0{e}" for e in endings], order)
    recurrent = _stacked(writer, path, module, [f"weight_hh_l0{e}" for e in endings], order)
    bias = ""
    if module.bias:
        both = [_biases(writer, path, module, ending, order) for ending in endings]
        bias = _joined(writer, path, both)
    states = [*inputs[1:], "", ""][:2]
    given = [inputs[0], weights, recurrent, bias, "", *states]
    while not given[-1]:
        given.pop()
    direction = "bidirectional" if call.directions == 2 else "forward"
    named: dict[str, Any] = {"hidden_size": module.hidden_size}
    named |= {"linear_before_reset": 1} if kind == "GRU" else {}
    node = helper.make_node(
        kind,
        given,
        list(outputs),
        name=unique_name(path, writer.taken),
        direction="reverse" if call.backward else direction,
        **named,
    )
    if kind == "RNN" and module.mode == "RNN_RELU":
        node.attribute.append(helper.make_attribute("activations", ["Relu"] * call.directions))
    writer.nodes.append(node)


def _rows(kind: str, hidden: int) -> list[int]:
    """The rows of torch's weight in ONNX's order of the gates."""
    gates = GATES[kind]
    blocks = torch.arange(len(gates) * hidden).reshape(len(gates), hidden)
    return [int(row) for gate in range(len(gates)) for row in blocks[gates.index(gate)]]


def _reordered(writer: Writer, path: str, module: nn.Module, attribute: str, order: str) -> str:
    key = writer.weight(module._parameters[attribute])
    made = writer.inner(path, attribute)
    writer.node("Gather", [key, order], made, name=f"{path}.{attribute}", axis=0)
    writer.multiplies(key)
    return made


def _stacked(
    writer: Writer, path: str, module: nn.Module, attributes: list[str], order: str
) -> str:
    """The weights of all directions, (directions, gates · hidden, …)."""
    made = [_reordered(writer, path, module, attribute, order) for attribute in attributes]
    return _joined(writer, path, made)


def _biases(writer: Writer, path: str, module: nn.Module, ending: str, order: str) -> str:
    names = [f"bias_ih_l0{ending}", f"bias_hh_l0{ending}"]
    both = [_reordered(writer, path, module, name, order) for name in names]
    made = writer.inner(path, f"bias{ending}")
    return writer.node("Concat", both, made, name=f"{path}.Concat", axis=0)


def _joined(writer: Writer, path: str, values: list[str]) -> str:
    raised = [writer.unsqueeze(value, path) for value in values]
    if len(raised) == 1:
        return raised[0]
    made = writer.inner(path, "directions")
    return writer.node("Concat", raised, made, name=f"{path}.Concat", axis=0)
