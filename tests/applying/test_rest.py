"""Biases and norms in few bits: what is rounded, what stays, and that the file holds just that."""

import pytest
import torch
from torch import Tensor, nn

from compress_core.compressed import Compressed, compress
from compress_core.data import Dataset
from compress_core.measurement.report import measure_size
from compress_core.methods.quantization import CorrectBias, Quantize, QuantizeRest, round_scale
from compress_core.methods.recalibration import RecalibrateNorms
from compress_core.original import Original, load_model
from compress_core.recipe import parse_step
from compress_core.storage.container import decode
from compress_core.storage.streams.floats import exact_type

WIDTH = 32


@pytest.fixture(scope="module")
def normed() -> Original:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(2, WIDTH, 3),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(512, 4),
        )
        module[1].running_mean.normal_()
        module[1].running_var.uniform_(0.5, 2)
        images = torch.rand(40, 2, 6, 6)
    data = Dataset("noise", "train", images, torch.arange(40) % 4, tuple("abcd"))
    return Original(module.eval(), (2, 6, 6), calibration=data)


def assert_stored_as_evaluated(compressed: Compressed) -> None:
    found, state = decode(compressed.container).state_dict, compressed.module.state_dict()
    assert found.keys() == state.keys()
    assert all(torch.equal(found[key], state[key]) for key in state)


@pytest.mark.parametrize("bits", [3, 5, 8])
def test_each_value_moves_by_at_most_a_step(normed: Original, bits: int) -> None:
    compressed = compress(normed, (QuantizeRest(bits),))
    state, before = compressed.module.state_dict(), normed.module.state_dict()
    assert {"0.bias", "1.running_mean"} <= compressed.network.coded.keys()
    for key in compressed.network.coded:
        width = before[key].clamp(min=0).max() - before[key].clamp(max=0).min()
        assert (state[key] - before[key]).abs().max() <= width / (2**bits - 1)
    assert_stored_as_evaluated(compressed)


def test_weights_and_counters_stay_as_they_are(normed: Original) -> None:
    compressed = compress(normed, (QuantizeRest(),))
    state, before = compressed.module.state_dict(), normed.module.state_dict()
    for key in ("0.weight", "4.weight", "1.num_batches_tracked"):
        assert torch.equal(state[key], before[key])


def test_the_bias_of_lenet_takes_a_quarter() -> None:
    plain, rounded = (
        measure_size(compress(load_model("mnist-lenet-5"), recipe))
        for recipe in ((Quantize(),), (Quantize(), QuantizeRest()))
    )
    scales_and_zero_points = 4 * (4 + 1)
    assert plain.rest_bytes == 4 * 580
    assert rounded.rest_bytes <= 580 + scales_and_zero_points
    assert rounded.stored_bytes <= plain.stored_bytes - 3 * 580 + 60


def spread_out(values: Tensor) -> Original:
    module = nn.Sequential(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16)).eval()
    module[1].running_var.copy_(values)
    return Original(module, (1, 5, 5))


def test_a_variance_that_would_move_far_stays_as_it_is() -> None:
    values = torch.logspace(-4, 1, 16)
    compressed = compress(spread_out(values), (QuantizeRest(),))
    assert torch.equal(compressed.module[1].running_var, values)
    assert "0.bias" in compressed.network.coded


def test_a_rounded_variance_stays_positive() -> None:
    values = torch.linspace(0.1, 1, 16)
    compressed = compress(spread_out(values), (QuantizeRest(),))
    assert "1.running_var" in compressed.network.coded
    assert (compressed.module[1].running_var > 0).all()


def test_tensors_are_named_by_patterns_of_their_keys(normed: Original) -> None:
    compressed = compress(normed, (parse_step("quantize_rest:tensors=*.running_*|0.bias"),))
    assert compressed.network.coded.keys() == {"0.bias", "1.running_mean", "1.running_var"}


def test_it_rounds_what_the_other_steps_leave(normed: Original) -> None:
    steps = (Quantize(bits=2), CorrectBias(samples=40), RecalibrateNorms(samples=40))
    before = compress(normed, steps).module.state_dict()
    compressed = compress(normed, (QuantizeRest(), *steps))
    state = compressed.module.state_dict()
    for key in compressed.network.coded:
        width = before[key].clamp(min=0).max() - before[key].clamp(max=0).min()
        assert (state[key] - before[key]).abs().max() <= width / 255
    assert_stored_as_evaluated(compressed)


def test_other_statistics_are_not_taken_for_those_of_before(normed: Original) -> None:
    some, all_of_them = (
        compress(normed, (RecalibrateNorms(samples=n), QuantizeRest())).module[1].running_mean
        for n in (8, 40)
    )
    assert not torch.equal(some, all_of_them)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("quantize_rest:bits=2", "bits=2 is not one of 3, 4, 5, 6, 7, 8"),
        ("quantize_rest:layers=0", "biases and norms are named by their own keys"),
    ],
)
def test_impossible_settings_are_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_step(text)


def test_a_pattern_without_a_tensor_is_refused(normed: Original) -> None:
    with pytest.raises(ValueError, match=r"tensors='fc\*' matches no bias and no norm; it has"):
        compress(normed, (QuantizeRest(tensors=("fc*",)),))


def test_a_network_whose_file_would_not_be_smaller_is_refused() -> None:
    small = Original(nn.Linear(3, 2).eval(), (3,))
    with pytest.raises(ValueError, match="no tensor is smaller in 8 bits"):
        compress(small, (QuantizeRest(),))


HALVES = [
    "quantize:bits=5",
    "quantize:bits=4,scheme=asymmetric,granularity=group",
    "quantize_float:format=nf4",
    "quantize_float:format=fp16",
    "binarize",
    "share:clusters=7",
    "share:clusters=7,scope=all",
]


@pytest.mark.parametrize("text", HALVES)
@pytest.mark.parametrize("scales", ["fp16", "bf16"])
def test_scales_and_codebooks_take_two_bytes_each(normed: Original, text: str, scales: str) -> None:
    rest = parse_step(f"quantize_rest:scales={scales}")
    plain, halved = (compress(normed, (parse_step(text), step)) for step in (QuantizeRest(), rest))
    assert_stored_as_evaluated(halved)
    floats = {
        id(tensor): tensor
        for weight in plain.weights.values()
        for tensor in weight.streams.tensors.values()
        if tensor.is_floating_point() and exact_type(tensor) == torch.float32
    }
    saved = sum(plain.file.parts.values()) - sum(halved.file.parts.values())
    assert saved == 2 * sum(tensor.numel() for tensor in floats.values())
    for key, weight in halved.weights.items():
        torch.testing.assert_close(
            weight.values, plain.weights[key].values, rtol=2**-8, atol=0, msg=key
        )


def test_a_scale_beyond_half_precision_stays_as_it_is() -> None:
    huge = torch.tensor([1e10, 1.0])
    assert round_scale(huge, "fp16") is huge
    assert torch.equal(round_scale(huge[1:] / 3, "bf16"), torch.tensor([0.333984375]))
