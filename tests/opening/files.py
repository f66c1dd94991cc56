"""ONNX files made here, opened as the page does."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from compress_core.opening import store
from compress_core.opening.facts import SOURCE
from compress_core.sandbox import run


def open_in_sandbox(raw: bytes, title: str, **asked: object) -> str:
    """The name of the network that is opened."""
    name, folder = store.new_folder(title)
    (folder / SOURCE).write_bytes(raw)
    run("open_network", {"title": title, **asked}, folder)
    return name


def small_network(seed: int = 0) -> bytes:
    """Gemm, Relu, MatMul, Add: (batch, 16) → (batch, 4)."""
    rng = np.random.default_rng(seed)
    weights = {
        "fc1.weight": rng.standard_normal((12, 16)),
        "fc1.bias": rng.standard_normal(12),
        "fc2.weight": rng.standard_normal((12, 4)),
        "fc2.bias": rng.standard_normal(4),
    }
    nodes = [
        helper.make_node("Gemm", ["x", "fc1.weight", "fc1.bias"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("MatMul", ["r", "fc2.weight"], ["m"]),
        helper.make_node("Add", ["m", "fc2.bias"], ["y"]),
    ]
    tensors = [numpy_helper.from_array(w.astype(np.float32), name) for name, w in weights.items()]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    raw: bytes = model.SerializeToString()
    return raw
