"""One and two bits: the closed forms of XNOR-Net and TWN, by hand and against all other scales."""

import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from compress_core.methods.quantization import Quantize, code_range, quantize
from compress_core.methods.quantization.binary import (
    Binarize,
    Ternarize,
    binarize,
    ternarize,
)

VALUES = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=20)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_signs_times_the_mean_magnitude_by_hand() -> None:
    coded = binarize(torch.tensor([[1.0, -2.0, 3.0], [0.5, 0.5, -0.5]]))
    assert coded.codes.tolist() == [[1, 0, 1], [1, 1, 0]]
    assert coded.scale.tolist() == [2, 0.5]
    assert coded.dequantize().tolist() == [[2, -2, 2], [0.5, 0.5, -0.5]]


def test_binary_kernels_have_one_scale_an_output_channel() -> None:
    weight = normal(6, 4, 3, 3)
    coded = binarize(weight)
    expected = weight.sign() * weight.abs().mean((1, 2, 3), keepdim=True)
    assert coded.scale.shape == (6,)
    torch.testing.assert_close(coded.dequantize(), expected)


def test_a_single_zero_becomes_plus_alpha_and_a_channel_of_zeros_stays() -> None:
    decoded = binarize(torch.tensor([[0.0, -0.0, -3.0], [0.0, 0.0, -0.0]])).dequantize()
    assert decoded.tolist() == [[1, 1, -1], [0, 0, 0]]
    assert not decoded[1].signbit().any()


def test_no_other_scale_of_the_signs_has_less_error() -> None:
    weight = normal(1, 200)
    best = float((binarize(weight).dequantize() - weight).square().sum())
    for alpha in torch.linspace(0, 3, 301):
        assert best <= float((weight.sign() * alpha - weight).square().sum()) + 1e-4


@given(VALUES)
def test_binary_weights_keep_signs_and_the_mean_magnitude(values: list[float]) -> None:
    weight = torch.tensor([values])
    coded = binarize(weight)
    magnitude = coded.dequantize().abs()
    torch.testing.assert_close(magnitude, weight.abs().mean().expand_as(weight))
    assert coded.bits == 1
    assert bool(((coded.dequantize() >= 0) == (weight >= 0)).all()) or not magnitude.any()


def test_ternary_codes_by_hand() -> None:
    # mean|w| = 2, Δ = 1.4, α = (4 + 2) / 2
    coded = ternarize(torch.tensor([[4.0, -2.0, 1.0, -1.0]]), Ternarize())
    assert coded.codes.tolist() == [[1, -1, 0, 0]]
    assert coded.scale.tolist() == [3]
    assert coded.dequantize().tolist() == [[3, -3, 0, 0]]


def test_ternary_kernels_follow_the_paper_channel_by_channel() -> None:
    weight = normal(6, 4, 3, 3)
    decoded = ternarize(weight, Ternarize(delta=0.6)).dequantize()
    for channel, found in zip(weight, decoded, strict=True):
        threshold = 0.6 * channel.abs().mean()
        alpha = channel.abs()[channel.abs() > threshold].mean()
        expected = torch.where(channel.abs() > threshold, channel.sign() * alpha, 0.0)
        torch.testing.assert_close(found, expected)


def test_seven_tenths_is_near_the_best_threshold_of_normal_weights() -> None:
    weight = normal(1, 50_000)
    deltas = [i / 100 for i in range(100)]
    errors = [
        float((ternarize(weight, Ternarize(d)).dequantize() - weight).square().sum())
        for d in deltas
    ]
    assert deltas[errors.index(min(errors))] == pytest.approx(0.75, abs=0.06)
    assert errors[70] < 1.01 * min(errors)


def test_ternary_weights_are_two_bit_symmetric_codes() -> None:
    coded = ternarize(normal(4, 9), Ternarize())
    reference = quantize(normal(4, 9), Quantize(bits=2))
    assert (coded.bits, coded.scheme, coded.group_size) == (2, "symmetric", None)
    assert coded.codes.dtype == reference.codes.dtype
    assert coded.scale.shape == reference.scale.shape
    assert coded.zero_point.equal(reference.zero_point)
    assert set(coded.codes.unique().tolist()) == {-1, 0, 1}
    assert code_range(2, "symmetric") == (-1, 1)


@given(VALUES, st.floats(0, 0.99))
def test_every_channel_keeps_its_largest_weight_and_its_zeros(
    values: list[float], delta: float
) -> None:
    weight = torch.tensor([values])
    decoded = ternarize(weight, Ternarize(delta)).dequantize()
    assert not decoded[weight == 0].any()
    assert bool(decoded.any()) == bool(weight.any())
    assert bool(((decoded == 0) | (decoded.sign() == weight.sign())).all())


def test_pruned_weights_stay_zero_when_ternarized() -> None:
    weight = normal(4, 20)
    weight[:, ::2] = 0
    assert not ternarize(weight, Ternarize(delta=0)).dequantize()[:, ::2].any()


def test_the_input_is_untouched() -> None:
    weight = normal(4, 4)
    before = weight.clone()
    binarize(weight)
    ternarize(weight, Ternarize())
    assert torch.equal(weight, before)


@pytest.mark.parametrize(
    ("step", "settings", "words"),
    [
        (Ternarize, {"delta": -0.1}, ["delta=-0.1", "at least 0", "0.7 fits"]),
        (Ternarize, {"delta": 1.0}, ["delta=1", "below 1", "0.7 fits"]),
        (Ternarize, {"layers": ()}, ["layers=()", "at least one"]),
        (Binarize, {"layers": ()}, ["layers=()", "at least one"]),
    ],
)
def test_a_bad_setting_is_refused(step: Any, settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        step(**settings)
