"""Nodes that torch has nothing like run in onnxruntime, each by itself."""

import copy
import pickle
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from compress_core.models.importing.onnx.foreign import ForeignNode
from compress_core.models.importing.onnx.operators import operator_for
from tests.models.importing.onnx.running import (
    as_torch,
    make_node,
    node_tests,
    run_in_onnxruntime,
)

MICROSOFT = {"": 17, "com.microsoft": 1}


def cdist() -> onnx.NodeProto:
    return make_node("CDist", ["a", "b"], domain="com.microsoft", metric="euclidean")


@pytest.mark.parametrize("operator", ["NonMaxSuppression", "TfIdfVectorizer", "Unique"])
def test_operators_without_torch_pass_the_tests_of_onnx(operator: str) -> None:
    for case in node_tests()[operator][:4]:
        node, (inputs, outputs) = case.model.graph.node[0], case.data_sets[0]
        assert operator_for(node, case.model.opset_import[0].version) is None
        opsets = {one.domain: one.version for one in case.model.opset_import}
        found = ForeignNode(node, opsets)([as_torch(one) for one in inputs])
        for one, wanted in zip(found, outputs, strict=True):
            torch.testing.assert_close(one, as_torch(wanted))


def test_operators_of_microsoft_run_as_in_a_whole_model() -> None:
    a, b = torch.rand(3, 2), torch.rand(4, 2)
    (found,) = ForeignNode(cdist(), MICROSOFT)([a, b])
    torch.testing.assert_close(found, run_in_onnxruntime(cdist(), 17, [a, b])[0])


def test_inputs_of_other_types_and_ranks_get_sessions_of_their_own() -> None:
    node = ForeignNode(make_node("Einsum", ["x0"], equation="...i->..."), {"": 17})
    for x in (torch.rand(2, 3), torch.rand(4, 3), torch.rand(2, 2, 3), torch.rand(2, 3).double()):
        torch.testing.assert_close(node([x])[0], x.sum(-1))
    assert len(node._sessions) == 3  # sizes may differ within one


def test_inputs_and_outputs_may_be_left_out() -> None:
    node = helper.make_node("Unique", ["x"], ["y", "", "inverse"])
    found = ForeignNode(node, {"": 17})([torch.tensor([5.0, 3.0, 5.0])])
    assert [one if one is None else one.tolist() for one in found] == [[3, 5], None, [1, 0, 1]]


def test_numbers_without_axes_stay_so() -> None:
    (found,) = ForeignNode(make_node("Abs", ["x0"]), {"": 17})([torch.tensor(-2.0)])
    assert (found.shape, float(found)) == ((), 2)


def test_copies_and_pickles_run() -> None:
    node, (a, b) = ForeignNode(cdist(), MICROSOFT), (torch.rand(3, 2), torch.rand(4, 2))
    (wanted,) = node([a, b])
    for other in (copy.deepcopy(node), pickle.loads(pickle.dumps(node))):
        torch.testing.assert_close(other([a, b])[0], wanted)


def test_backward_is_refused_by_name() -> None:
    x = torch.rand(3, 2, requires_grad=True)
    (y,) = ForeignNode(cdist(), MICROSOFT)([x, torch.rand(4, 2)])
    assert y.requires_grad
    with pytest.raises(ValueError, match=r"node y0 \(com.microsoft.CDist\) .* has no gradient"):
        y.sum().backward()


def test_results_without_gradients_need_no_graph() -> None:
    x = torch.rand(3, 2, requires_grad=True)
    with torch.no_grad():
        assert not ForeignNode(cdist(), MICROSOFT)([x, x])[0].requires_grad
    assert not ForeignNode(make_node("Shape", ["x0"]), {"": 17})([x])[0].requires_grad


def test_an_operator_of_nobody_is_refused_by_name() -> None:
    node = ForeignNode(make_node("Sorcery", ["x0"], domain="of.somebody"), {"": 17})
    with pytest.raises(
        ValueError, match=r"y0 \(of.somebody.Sorcery\) cannot run, neither in torch"
    ):
        node([torch.ones(1)])


def test_wrong_inputs_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"CDist\) cannot run"):
        ForeignNode(cdist(), MICROSOFT)([torch.rand(3, 2), torch.rand(4, 5)])


def test_texts_are_refused() -> None:
    node = make_node("Cast", ["x0"], to=TensorProto.STRING)
    with pytest.raises(ValueError, match="gives texts or a sequence"):
        ForeignNode(node, {"": 17})([torch.ones(2)])


def test_files_beside_the_graph_are_refused() -> None:
    value = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1])
    value.data_location = TensorProto.EXTERNAL
    value.external_data.add(key="location", value="../secret")
    with pytest.raises(ValueError, match="reads a file beside the graph"):
        ForeignNode(helper.make_node("Constant", [], ["y"], value=value), {"": 17})


def inner_graph(reads: str) -> Any:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
    node = helper.make_node("Identity", [reads], ["z"])
    return helper.make_graph([node], "inner", [x], [onnx.ValueInfoProto(name="z")])


def test_a_graph_inside_that_reads_names_around_it_is_refused() -> None:
    node = helper.make_node("SequenceMap", ["s"], ["t"], body=inner_graph("outside"))
    with pytest.raises(ValueError, match="reads outside from around it"):
        ForeignNode(node, {"": 17})


def test_a_graph_inside_that_reads_its_own_names_is_taken() -> None:
    made = helper.make_node("SequenceMap", ["s"], ["t"], body=inner_graph("x"))
    assert "SequenceMap" in ForeignNode(made, {"": 17}).name


def test_types_that_numpy_has_not_are_refused() -> None:
    node = ForeignNode(make_node("Abs", ["x0"]), {"": 17})
    with pytest.raises(ValueError, match="bfloat16 cannot be handed to onnxruntime"):
        node([torch.ones(1, dtype=torch.bfloat16)])


def test_results_are_of_their_own_memory() -> None:
    node = ForeignNode(make_node("Identity", ["x0"]), {"": 17})
    x = torch.zeros(3)
    (y,) = node([x])
    x += 1
    assert np.array_equal(y.numpy(), [0, 0, 0])
