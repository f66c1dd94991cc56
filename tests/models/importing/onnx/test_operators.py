"""ONNX's own tests of its operators are the oracle; see also test_old_opsets and test_microsoft."""

import copy
import pickle
from typing import Any

import pytest
import torch
from onnx import helper

from compress_core.models.importing.onnx.operators import DOMAINS, ONNX, operator_for
from tests.models.importing.onnx.running import (
    NotNativeError,
    NoTorchTypeError,
    as_torch,
    node_tests,
    run_graph,
)

# Why a test of ONNX is not passed, by the start of its name.
EXCEPTIONS = {
    "test_training_dropout": "random numbers",
    "test_castlike_FLOAT_to_INT4": "a tensor of 4-bit integers is one of 8-bit integers in torch",
    "test_castlike_FLOAT_to_UINT4": "the same",
    "test_castlike_FLOAT16_to_INT4": "the same",
    "test_castlike_FLOAT16_to_UINT4": "the same",
    "test_quantizelinear_int4": "the same: the zero point does not say the range of the codes",
}
# Left to onnxruntime: an attribute or a type that our operator does not know.
ELSEWHERE = {
    "test_attention": "sliding windows of opset 28",
    "test_cast": "floats of 4 bits, integers of 2 bits, powers of two",
    "test_scan_sum": "opset 8, which loops over batches",
    "test_spacetodepth_crd": "a mode of opset 28",
    "test_if_opt": "the operator Optional",
}
# Tested in test_old_opsets and test_sequences.
NO_TESTS = {"GlobalLpPool", "SimplifiedLayerNormalization"} | {
    *("ConcatFromSequence", "SequenceAt", "SequenceConstruct"),
    *("SequenceEmpty", "SequenceErase", "SequenceLength"),
}


def starts_like(name: str, reasons: dict[str, str]) -> bool:
    return name.startswith(tuple(reasons))


def check(case: Any) -> None:
    versions = [one.version for one in case.model.opset_import if one.domain in {"", "ai.onnx"}]
    opset = max(7, *versions)  # Not is as in opset 1
    for inputs, outputs in case.data_sets:
        names = [one.name for one in case.model.graph.input]
        given = dict(zip(names, map(as_torch, inputs), strict=True))
        with torch.no_grad():
            made = run_graph(case.model.graph, opset, given)
        for found, wanted in zip(made, map(as_torch, outputs), strict=True):
            compare(found, wanted)


def compare(found: Any, wanted: Any) -> None:
    if isinstance(wanted, tuple):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            compare(one, other)
        return
    assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
    coarse = 2e-2 if wanted.dtype == torch.bfloat16 else 2e-3
    exact = torch.int64 if wanted.dtype == torch.uint64 else torch.float64
    torch.testing.assert_close(
        found.to(exact), wanted.to(exact), rtol=coarse, atol=1e-5, equal_nan=True
    )


def test_every_operator_has_tests_by_onnx() -> None:
    assert set(ONNX) - set(node_tests()) == NO_TESTS


def outcome(case: Any) -> str:
    """ "passed", "no type", "elsewhere", or the first line of what differs."""
    try:
        check(case)
    except NoTorchTypeError:
        return "no type"
    except NotNativeError:
        return "elsewhere"
    except AssertionError as error:
        return f"differs: {error}"
    return "passed"


@pytest.mark.parametrize("operator", sorted(set(ONNX) - NO_TESTS))
def test_operator_passes_the_tests_of_onnx(operator: str) -> None:
    outcomes = {case.name: outcome(case) for case in node_tests()[operator]}
    assert "passed" in outcomes.values()
    wrong = {name: said for name, said in outcomes.items() if said.startswith("differs")}
    assert [name for name in wrong if not starts_like(name, EXCEPTIONS)] == [], wrong
    left = [name for name, said in outcomes.items() if said == "elsewhere"]
    assert [name for name in left if not starts_like(name, ELSEWHERE)] == []


def test_operators_written_as_functions_of_others_give_the_same() -> None:
    outcomes = {case.name: outcome(case) for case in node_tests()["functions"]}
    wrong = {name: said for name, said in outcomes.items() if said.startswith("differs")}
    assert [name for name in wrong if not starts_like(name, EXCEPTIONS)] == [], wrong
    assert list(outcomes.values()).count("passed") >= 300


@pytest.mark.parametrize(
    ("node", "opset"),
    [
        (helper.make_node("NoSuchOperator", ["x"], ["y"]), 17),
        (helper.make_node("Relu", ["x"], ["y"], domain="of.somebody"), 17),
        (helper.make_node("Relu", ["x"], ["y"], unheard_of=1), 17),
        (helper.make_node("Add", ["a", "b"], ["y"], broadcast=1, axis=1), 6),
        (helper.make_node("BatchNormalization", list("xsbmv"), ["y"], spatial=0), 7),
    ],
    ids=["operator", "domain", "attribute", "opset before 7", "value of an attribute"],
)
def test_what_is_unknown_here_is_left_to_onnxruntime(node: Any, opset: int) -> None:
    assert operator_for(node, opset) is None


def test_operators_are_copied_and_pickled() -> None:
    node = helper.make_node("Gemm", ["a", "b"], ["y"], transB=1, alpha=2.0)
    operator = operator_for(node, 13)
    a, b = torch.rand(2, 3), torch.rand(4, 3)
    for other in (copy.deepcopy(operator), pickle.loads(pickle.dumps(operator))):
        assert other is not None
        torch.testing.assert_close(other((a, b))[0], 2 * a @ b.T)


def test_all_domains_name_about_two_hundred_operators() -> None:
    names = {(domain, name) for domain in ("", "com.microsoft") for name in DOMAINS[domain]}
    assert len(names) > 190
