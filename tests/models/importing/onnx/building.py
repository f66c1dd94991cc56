"""Tiny ONNX models: one layer each, in one of the layouts in which files have it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, helper
from onnx.numpy_helper import from_array

Shape = Sequence[int | str | None]


def array(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """Normal noise in float32."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def model(
    nodes: Sequence[NodeProto],
    weights: Mapping[str, np.ndarray[Any, Any]],
    x: Shape,
    *,
    y: Shape | None = None,
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
    outputs: Sequence[str] = ("y",),
) -> bytes:
    """A file with an input "x" of shape `x`, and outputs of any shape."""
    made = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", kind, x)],
        [helper.make_tensor_value_info(name, kind, y) for name in outputs],
        [from_array(values, name) for name, values in weights.items()],
    )
    proto = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)])
    proto.ir_version = 8
    return bytes(proto.SerializeToString())


def node(
    op_type: str, inputs: Sequence[str], outputs: Sequence[str] = ("y",), **attributes: Any
) -> NodeProto:
    return helper.make_node(op_type, inputs, outputs, **attributes)
