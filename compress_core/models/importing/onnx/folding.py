"""Compute at the door what depends on no input: transposed, reshaped and dequantized weights."""

import math
from collections.abc import Mapping

import torch
from onnx import AttributeProto, NodeProto

from compress_core.models.importing.onnx.constants import Constant, describe_result
from compress_core.models.importing.onnx.foreign import ForeignNode
from compress_core.models.importing.onnx.operators import operator_for

NEVER = {
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    *("Multinomial", "Bernoulli", "Dropout", "If", "Loop", "Scan"),
}
GROWING = {"ConstantOfShape", "Expand", "Tile", "Range", "Resize", "Upsample", "Pad", "OneHot"}
MOST_GROWN = 2**20  # values that a growing operator may make


def fold_node(
    node: NodeProto, inputs: list[Constant | None], opsets: Mapping[str, int]
) -> list[Constant] | None:
    """What a node makes of constants; None where it is left for the network to compute."""
    if node.op_type in NEVER or _has_graph(node) or not _is_small(node, inputs):
        return None
    values = [None if constant is None else constant.values for constant in inputs]
    try:
        run = operator_for(node, opsets.get(node.domain, 1)) or ForeignNode(node, opsets)
        with torch.no_grad():
            made = run(values)
    except Exception:  # whatever it raises, it will raise when the network runs, and be reported
        return None
    found = [tensor for tensor in made if tensor is not None]
    if len(found) < sum(bool(name) for name in node.output):
        return None
    return [describe_result(node, tensor.contiguous(), inputs) for tensor in found]


def _has_graph(node: NodeProto) -> bool:
    return any(a.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for a in node.attribute)


def _is_small(node: NodeProto, inputs: list[Constant | None]) -> bool:
    """Whether the result is not much larger than what the file holds."""
    if node.op_type not in GROWING:
        return True
    sizes = [c.values for c in inputs if c is not None and not c.is_float]
    if node.op_type == "Range":
        start, limit, delta = (float(c.values) for c in inputs[:3] if c is not None)
        return delta != 0 and abs((limit - start) / delta) <= MOST_GROWN
    grown = max((math.prod(max(int(n), 1) for n in s.flatten()[:16]) for s in sizes), default=1)
    first = inputs[0].values.numel() if inputs and inputs[0] is not None else 1
    factor = first if node.op_type == "Tile" else 1
    return grown * factor <= MOST_GROWN
