"""Multiply-accumulates by hand."""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from compress_core.compressed import compress
from compress_core.measurement import cost
from compress_core.measurement.cost import layer_macs, macs_by_layer, measure_latency
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune
from compress_core.models.networks import mnist_lenet_5, mnist_lenet_300_100
from compress_core.original import Original


def test_lenet_5_by_hand() -> None:
    macs = layer_macs(mnist_lenet_5().eval(), torch.zeros(1, 1, 28, 28))
    assert macs == {
        "conv1": 24 * 24 * 20 * 25,
        "conv2": 8 * 8 * 50 * 20 * 25,
        "fc1": 800 * 500,
        "fc2": 500 * 10,
    }
    assert sum(macs.values()) == 2_293_000


def test_lenet_300_100_by_hand() -> None:
    macs = layer_macs(mnist_lenet_300_100().eval(), torch.zeros(1, 1, 28, 28))
    assert sum(macs.values()) == 784 * 300 + 300 * 100 + 100 * 10 == 266_200


@pytest.mark.parametrize(
    ("layer", "shape", "macs"),
    [
        (nn.Conv2d(4, 6, 3, groups=2), (4, 5, 5), 6 * 3 * 3 * 2 * 9),
        (nn.Conv2d(4, 6, 3, stride=2, padding=1), (4, 5, 5), 6 * 3 * 3 * 4 * 9),
        (nn.Conv1d(2, 3, 3, dilation=2), (2, 9), 3 * 5 * 2 * 3),
        (nn.Linear(7, 5), (4, 7), 4 * 7 * 5),  # four tokens
        (nn.Conv3d(2, 3, 2), (2, 3, 3, 3), 3 * 2**3 * 2 * 2**3),
        # each of the 2 x 2 inputs of a channel is multiplied with 3 outputs of its group, 3 x 3
        (nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), (4, 2, 2), 4 * 2 * 2 * 3 * 9),
    ],
)
def test_one_layer_by_hand(layer: nn.Module, shape: tuple[int, ...], macs: int) -> None:
    model = nn.Sequential(OrderedDict(layer=layer)).eval()
    assert layer_macs(model, torch.zeros(1, *shape)) == {"layer": macs}


def test_the_batch_does_not_count() -> None:
    model = nn.Sequential(nn.Linear(7, 5)).eval()
    assert layer_macs(model, torch.zeros(10, 7)) == layer_macs(model, torch.zeros(1, 7))


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        # three tokens of width 8: query, key, value, output; then the head
        ("packed", {"attention.in_proj": 3 * 3 * 64, "attention.out_proj": 3 * 64, "head": 24}),
        # keys and values of width 4
        (
            "packed_cross",
            {
                "attention.q_proj": 3 * (64 + 2 * 32),
                "attention.k_proj": 0,
                "attention.v_proj": 0,
                "attention.out_proj": 192,
                "head": 24,
            },
        ),
        (
            "cross_attention",
            {
                "attention.q_proj": 3 * 64,
                "attention.k_proj": 3 * 32,
                "attention.v_proj": 3 * 32,
                "attention.out_proj": 192,
                "head": 24,
            },
        ),
        ("words", {"embedding": 0, "head": 12}),
        ("bilinear", {"layer": 4 * 3 * 2}),
        ("bare", {"positions": 0, "mix.weight": 0, "head": 12}),
        ("cell", {"cell.weight_ih": 2 * 9 * 4, "cell.weight_hh": 2 * 9 * 3}),  # called twice
        (  # three time steps of four gates of width 3, in both directions
            "recurrent",
            {
                "rnn.weight_ih_l0": 3 * 12 * 4,
                "rnn.weight_hh_l0": 3 * 12 * 3,
                "rnn.weight_ih_l0_reverse": 3 * 12 * 4,
                "rnn.weight_hh_l0_reverse": 3 * 12 * 3,
                "head": 18,
            },
        ),
        ("tied", {"a": 2 * 16}),
        ("repeated", {"a": 2 * 16}),
    ],
)
def test_odd_models_by_hand(
    animal: Callable[[str], Original], name: str, macs: dict[str, int]
) -> None:
    original = animal(name)
    assert macs_by_layer(original.module, original) == macs


def test_a_factor_pair_counts_as_its_two_layers(digits_cnn: Original) -> None:
    recipe = (Factorize(rank=4, layers=("conv2", "fc1")),)
    macs = macs_by_layer(compress(digits_cnn, recipe).module, digits_cnn)
    assert macs == {
        "conv1": 64 * 16 * 9,
        "conv2": 64 * (4 * 16 * 9 + 32 * 4),
        "fc1": 4 * (512 + 64),
        "fc2": 640,
    }


def test_break_even_never_adds_macs(digits_cnn: Original) -> None:
    before = macs_by_layer(digits_cnn.module, digits_cnn)
    after = macs_by_layer(compress(digits_cnn, (Factorize(),)).module, digits_cnn)
    assert all(after[name] <= before[name] for name in before)


def test_zeros_do_not_save_macs(digits_cnn: Original) -> None:
    pruned = compress(digits_cnn, (Prune(sparsity=0.9),))
    assert macs_by_layer(pruned.module, digits_cnn) == macs_by_layer(digits_cnn.module, digits_cnn)


def test_counting_leaves_no_hook_behind(digits_cnn: Original) -> None:
    layer_macs(digits_cnn.module, digits_cnn.example)
    assert not any(module._forward_hooks for module in digits_cnn.module.modules())


def test_latency_is_measured_on_the_graph() -> None:
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])
    graph = helper.make_graph(
        [helper.make_node("Relu", ["images"], ["logits"])], "relu", [images], [logits]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    latency = measure_latency(model.SerializeToString(), example(), runs=20)
    assert latency.runs == 20
    assert 0 < latency.latency_ms_p50 <= latency.latency_ms_p95 < np.inf


def test_a_graph_is_fed_each_input_by_its_name_in_order() -> None:
    class Session:
        def get_inputs(self) -> list[TensorProto]:
            return [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 3]) for n in "ab"]

    first, second = torch.zeros(1, 3), torch.ones(1, 3)
    feed = cost.feed_of(Session(), (first, second))
    assert feed["a"].tolist() == first.tolist()
    assert feed["b"].tolist() == second.tolist()


def example() -> Tensor:
    return torch.zeros(1, 3)


def test_models_are_timed_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[tuple[str, int]] = []

    def time_one(session: str, _feed: object, runs: int) -> list[float]:
        turns.append((session, runs))
        return [0.002 if session == "slow" else 0.001] * runs

    class Session(str):
        def get_inputs(self) -> list[TensorProto]:
            return [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3])]

    monkeypatch.setattr(cost, "open_session", lambda model: Session(model.decode()))
    monkeypatch.setattr(cost, "_time", time_one)
    found = cost.measure_latencies((b"slow", b"fast"), example(), runs=25)
    assert [latency.latency_ms_p50 for latency in found] == pytest.approx([2.0, 1.0])
    warm_up, turn = [("slow", 3), ("fast", 3)], [("slow", 10), ("fast", 10)]
    assert turns == [*warm_up, *turn, *turn, ("slow", 5), ("fast", 5)]
