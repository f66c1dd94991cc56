"""Runs ONNX graphs node by node with our operators, and single nodes with onnxruntime."""

import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
import torch
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor

from compress_core.models.importing.onnx.operators import operator_for

# numpy's types that torch reads by their bytes, and those that it holds one value a byte
BYTES = {
    np.dtype(ml_dtypes.bfloat16): torch.bfloat16,
    np.dtype(ml_dtypes.float8_e4m3fn): torch.float8_e4m3fn,
    np.dtype(ml_dtypes.float8_e4m3fnuz): torch.float8_e4m3fnuz,
    np.dtype(ml_dtypes.float8_e5m2): torch.float8_e5m2,
    np.dtype(ml_dtypes.float8_e5m2fnuz): torch.float8_e5m2fnuz,
}
WIDENED = {np.dtype(ml_dtypes.int4): np.int8, np.dtype(ml_dtypes.uint4): np.uint8}
UNKNOWN = ("float4", "float8_e8m0", "int2", "uint2")


class NoTorchTypeError(Exception):
    """Values that torch has no type for: texts, and numbers of very few bits."""


class NotNativeError(Exception):
    """A node that no operator of ours runs."""


def as_torch(value: Any) -> Any:
    """The tensor of an array; a list of them, a sequence, becomes a tuple."""
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return tuple(as_torch(one) for one in value)
    array = np.array(numpy_helper.to_array(value) if isinstance(value, TensorProto) else value)
    if array.dtype.kind in "OUS" or array.dtype.name.startswith(UNKNOWN):
        raise NoTorchTypeError(array.dtype.name)
    if array.dtype in BYTES:
        raw = torch.from_numpy(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
        return raw.view(BYTES[array.dtype]).reshape(array.shape)
    return torch.from_numpy(array.astype(WIDENED.get(array.dtype, array.dtype)))


def run_graph(graph: GraphProto, opset: int, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """The graph's outputs; raises NotNativeError where a node has no operator."""
    values = dict(values) | {one.name: as_torch(one) for one in graph.initializer}
    for node in graph.node:

        def subgraph(inner: GraphProto) -> Any:
            return lambda given: run_graph(inner, opset, values | given)  # noqa: B023

        operator = operator_for(node, opset, subgraph=subgraph)
        if operator is None:
            raise NotNativeError(node.op_type)
        results = operator([values[name] if name else None for name in node.input])
        values |= dict(zip(node.output, results, strict=False))
    return tuple(values[one.name] for one in graph.output)


def make_node(op_type: str, inputs: Sequence[Any], *, outputs: int = 1, **attributes: Any) -> Any:
    """A node whose inputs are x0, x1, … (None: left out) and whose outputs are y0, y1, …"""
    names = ["" if one is None else f"x{i}" for i, one in enumerate(inputs)]
    return helper.make_node(op_type, names, [f"y{i}" for i in range(outputs)], **attributes)


def run_in_onnxruntime(node: NodeProto, opset: int, inputs: Sequence[Tensor | None]) -> list[Any]:
    """What onnxruntime makes of one node, in an optimized session, as tensors."""
    given = {f"x{i}": one.numpy() for i, one in enumerate(inputs) if one is not None}
    types = {k: helper.np_dtype_to_tensor_dtype(v.dtype) for k, v in given.items()}
    values = [helper.make_tensor_value_info(k, types[k], v.shape) for k, v in given.items()]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output]
    graph = helper.make_graph([node], "one", values, outputs)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=8)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return [as_torch(one) for one in session.run(None, given)]


@cache
def node_tests() -> dict[str, list[Any]]:
    """ONNX's own tests, by the operators in them; "functions" are those that expand an operator."""
    from onnx.backend.test.case.node import collect_testcases

    found: dict[str, list[Any]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their inputs overflow on purpose
        cases = collect_testcases(None)
    for case in cases:
        expanded = "_expanded" in case.name
        for name in {"functions"} if expanded else {one.op_type for one in case.model.graph.node}:
            found.setdefault(name, []).append(case)
    return found
