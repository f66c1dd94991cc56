"""Sequences of tensors go in and out of operators; onnxruntime is the oracle."""

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from tests.models.importing.onnx.running import run_graph


def graph_of(*nodes: onnx.NodeProto, constants: dict[str, object]) -> onnx.GraphProto:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 6])
    tensors = [numpy_helper.from_array(np.array(v), k) for k, v in constants.items()]
    return helper.make_graph(nodes, "g", [x], [onnx.ValueInfoProto(name="y")], tensors)


def check(graph: onnx.GraphProto) -> None:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = torch.rand(2, 6)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (found,), (wanted,) = run_graph(graph, 17, {"x": x}), session.run(None, {"x": x.numpy()})
    torch.testing.assert_close(found, torch.from_numpy(wanted))


def test_parts_are_split_picked_and_joined_as_onnxruntime_does() -> None:
    nodes = [
        helper.make_node("SplitToSequence", ["x", "sizes"], ["parts"], axis=1),
        helper.make_node("SequenceAt", ["parts", "last"], ["one"]),
        helper.make_node("SequenceErase", ["parts", "last"], ["fewer"]),
        helper.make_node("SequenceInsert", ["fewer", "one", "first"], ["turned"]),
        helper.make_node("ConcatFromSequence", ["turned"], ["y"], axis=1),
    ]
    check(graph_of(*nodes, constants={"sizes": [1, 2, 3], "last": -1, "first": 0}))


def test_sequences_are_built_and_stacked_as_onnxruntime_does() -> None:
    nodes = [
        helper.make_node("SequenceConstruct", ["x", "x"], ["two"]),
        helper.make_node("SequenceInsert", ["two", "x"], ["three"]),
        helper.make_node("ConcatFromSequence", ["three"], ["y"], axis=0, new_axis=1),
    ]
    check(graph_of(*nodes, constants={}))


def test_length_of_a_sequence_begun_empty() -> None:
    nodes = [
        helper.make_node("SequenceEmpty", [], ["none"]),
        helper.make_node("SequenceInsert", ["none", "x"], ["one"]),
        helper.make_node("SequenceLength", ["one"], ["y"]),
    ]
    assert int(run_graph(graph_of(*nodes, constants={}), 17, {"x": torch.rand(2, 6)})[0]) == 1
