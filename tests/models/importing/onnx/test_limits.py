"""What would take all memory, or never end, is refused with a sentence; gradients are right."""

from typing import Any

import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor

from compress_core.models.importing.onnx.operators import control, elementwise, operator_for
from tests.models.importing.onnx.running import make_node, run_graph

ONE = torch.ones(1)
HUGE = torch.tensor([2**20, 2**20])
PIXEL = torch.ones(1, 1, 1, 1)

ABSURD: list[tuple[str, dict[str, Any], list[Tensor | None], str]] = [
    ("AffineGrid", {}, [torch.ones(1, 2, 3), torch.tensor([1, 1, 2**20, 2**20])], "elements"),
    ("CenterCropPad", {"axes": [0]}, [ONE, torch.tensor([2**40])], "elements"),
    ("ConstantOfShape", {}, [HUGE], "elements"),
    ("ConstantOfShape", {}, [torch.tensor([-2])], "negative"),
    ("ConvTranspose", {"strides": [2**20, 2**20]}, [PIXEL, PIXEL], "elements"),
    ("Expand", {}, [ONE, HUGE], "elements"),
    ("OneHot", {}, [torch.tensor([0]), torch.tensor(2**40), torch.tensor([0, 1])], "elements"),
    ("Pad", {}, [ONE, torch.tensor([2**40, 0])], "elements"),
    ("Range", {}, [torch.tensor(0), torch.tensor(2**40), torch.tensor(1)], "elements"),
    ("Range", {}, [torch.tensor(0), torch.tensor(9), torch.tensor(0)], "never ends"),
    ("Range", {}, [torch.tensor(0.0), torch.tensor(torch.inf), torch.tensor(1.0)], "never ends"),
    ("Resize", {}, [PIXEL, None, torch.tensor([1, 1, 1e6, 1e6])], "elements"),
    ("Resize", {}, [PIXEL, None, torch.tensor([1, 1, torch.inf, 2])], "finite"),
    ("Tile", {}, [torch.ones(2, 2), HUGE], "elements"),
]


@pytest.mark.parametrize(("op_type", "attributes", "inputs", "said"), ABSURD)
def test_absurd_sizes_are_refused(
    op_type: str, attributes: dict[str, Any], inputs: list[Tensor | None], said: str
) -> None:
    operator = operator_for(make_node(op_type, inputs, **attributes), 20)
    assert operator is not None
    with pytest.raises(ValueError, match=f"{op_type} .*{said}"):
        operator(inputs)


def endless_loop(body: onnx.GraphProto) -> onnx.NodeProto:
    return helper.make_node("Loop", ["", "true", "x"], ["y"], body=body)


def body_of(*nodes: onnx.NodeProto) -> onnx.GraphProto:
    kinds = {"i": TensorProto.INT64, "c": TensorProto.BOOL, "v": TensorProto.FLOAT}
    inputs = [helper.make_tensor_value_info(name, kind, []) for name, kind in kinds.items()]
    outputs = [onnx.ValueInfoProto(name=name) for name in ("c_next", "v_next")]
    keep = helper.make_node("Identity", ["c"], ["c_next"])
    return helper.make_graph([*nodes, keep], "body", inputs, outputs)


def run_loop(loop: onnx.NodeProto) -> Tensor:
    graph = helper.make_graph([loop], "g", [], [onnx.ValueInfoProto(name="y")])
    result: Tensor = run_graph(graph, 17, {"x": torch.tensor(0.0), "true": torch.tensor(True)})[0]
    return result


def test_a_loop_that_never_ends_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ITERATIONS_AT_MOST", 50)
    body = body_of(helper.make_node("Identity", ["v"], ["v_next"]))
    with pytest.raises(ValueError, match="Loop has run 50 times and has not ended"):
        run_loop(endless_loop(body))


def test_loops_in_loops_share_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ITERATIONS_AT_MOST", 50)
    ten = helper.make_node("Constant", [], ["ten"], value_int=10)
    inner = body_of(helper.make_node("Identity", ["v"], ["v_next"]))
    loop = helper.make_node("Loop", ["ten", "", "v"], ["v_next"], body=inner)
    with pytest.raises(ValueError, match="50 times"):
        run_loop(helper.make_node("Loop", ["", "true", "x"], ["y"], body=body_of(ten, loop)))


def test_a_loop_gives_what_its_body_made_last() -> None:
    body = body_of(helper.make_node("Add", ["v", "one"], ["v_next"]))
    graph = helper.make_graph(
        [helper.make_node("Loop", ["n", "", "x"], ["y"], body=body)],
        "g",
        [],
        [onnx.ValueInfoProto(name="y")],
    )
    given = {"n": torch.tensor(7), "x": torch.tensor(0.0), "one": torch.tensor(1.0)}
    assert float(run_graph(graph, 17, given)[0]) == 7


def test_the_least_integer_over_minus_one_does_not_stop_the_process() -> None:
    least = torch.tensor([-(2**63), 7])
    assert elementwise.divide(least, torch.tensor(-1)).tolist() == [-(2**63), -7]


def test_255_is_no_minus_one() -> None:
    codes = torch.tensor([255, 40], dtype=torch.uint8)
    assert elementwise.divide(codes, codes.flip(0)).tolist() == [6, 0]


DIFFERENTIABLE: list[tuple[str, dict[str, Any], list[tuple[int, ...]]]] = [
    (
        "Attention",
        {"q_num_heads": 2, "kv_num_heads": 1, "is_causal": 1},
        [(1, 2, 4), (1, 2, 2), (1, 2, 2)],
    ),
    ("AveragePool", {"kernel_shape": [2, 2], "pads": [1, 0, 0, 1], "ceil_mode": 1}, [(1, 2, 3, 4)]),
    ("BatchNormalization", {}, [(2, 3, 2), (3,), (3,), (3,), (3,)]),
    ("ConvTranspose", {"strides": [2, 2], "pads": [1, 0, 0, 1]}, [(1, 2, 3, 2), (2, 1, 2, 3)]),
    ("GRU", {"hidden_size": 2, "direction": "bidirectional"}, [(2, 1, 3), (2, 6, 3), (2, 6, 2)]),
    ("LRN", {"size": 3}, [(1, 4, 2)]),
    ("LSTM", {"hidden_size": 2}, [(2, 1, 3), (1, 8, 3), (1, 8, 2), (1, 16)]),
    ("LayerNormalization", {}, [(2, 3), (3,), (3,)]),
    ("ReduceLogSumExp", {}, [(2, 3)]),
]


@pytest.mark.parametrize(("op_type", "attributes", "shapes"), DIFFERENTIABLE)
def test_gradients_are_those_of_finite_differences(
    op_type: str, attributes: dict[str, Any], shapes: list[tuple[int, ...]]
) -> None:
    random = torch.Generator().manual_seed(5)
    inputs = [torch.rand(s, dtype=torch.float64, generator=random) + 0.5 for s in shapes]
    operator = operator_for(make_node(op_type, inputs, **attributes), 23)
    assert operator is not None
    given = [one.requires_grad_() for one in inputs]
    assert torch.autograd.gradcheck(lambda *xs: operator(xs)[0], given)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_gradients_of_resize_reach_the_image(mode: str) -> None:
    x = torch.rand(1, 1, 3, 4, dtype=torch.float64, requires_grad=True)
    inputs = [x, None, torch.tensor([1.0, 1, 1.7, 0.6])]
    operator = operator_for(make_node("Resize", inputs, mode=mode), 19)
    assert operator is not None
    assert torch.autograd.gradcheck(lambda one: operator([one, *inputs[1:]])[0], (x,))
