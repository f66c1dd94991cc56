"""Data-aware rounding: the paper's own updates, rounding to the nearest, and outputs as oracles."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from compress_core.data import Dataset
from compress_core.methods.quantization import (
    CorrectBias,
    Quantize,
    Quantized,
    QuantizeGPTQ,
    binarize,
    code_range,
    corrected_bias,
    gptq,
    quantize,
)
from compress_core.original import Original

SHAPES = st.sampled_from([(1, 1), (3, 5), (4, 130), (2, 3, 4), (2, 3, 2, 2)])
SETTINGS = st.fixed_dictionaries(
    {
        "bits": st.sampled_from([1, 2, 3, 4, 8, 16]),
        "scheme": st.sampled_from(["symmetric", "asymmetric"]),
        "granularity": st.sampled_from(["tensor", "channel", "group"]),
        "clipping": st.sampled_from(["min_max", "percentile", "mse"]),
        "group_size": st.integers(2, 9),
    }
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def correlated(rows: int, columns: int) -> Tensor:
    """Inputs that a few hidden causes explain, as those of trained layers are, (rows, columns)."""
    causes = normal(rows, 6, seed=1) @ normal(6, columns, seed=2)
    return (causes + 0.3 * normal(rows, columns, seed=3)).double()


def gram(inputs: Tensor) -> Tensor:
    return inputs.T @ inputs / len(inputs)


def output_error(weight: Tensor, coded: Quantized, inputs: Tensor) -> float:
    lost = (weight - coded.dequantize()).flatten(1).double()
    return float((lost @ inputs.T).square().sum())


def frantar(weight: Tensor, hessian: np.ndarray, step: Quantize) -> np.ndarray:
    """Equations 2 and 3 of 2210.17323, word for word: the inverse loses a row with each weight."""
    levels = quantize(weight, step)
    w = weight.double().numpy().copy()
    inverse = np.linalg.inv(hessian)
    scale = levels.scale.double().numpy()
    q_min, q_max = code_range(step.bits, step.scheme)
    codes = np.zeros_like(w)
    for q in range(w.shape[1]):
        codes[:, q] = np.clip(np.round(w[:, q] / scale), q_min, q_max)
        error = (w[:, q] - codes[:, q] * scale) / inverse[q, q]
        w -= np.outer(error, inverse[q])
        inverse = inverse - np.outer(inverse[:, q], inverse[q]) / inverse[q, q]
    return codes


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("columns", [2, 7, 150])
def test_codes_equal_the_papers_updates(bits: int, columns: int) -> None:
    weight, moments = normal(5, columns), gram(correlated(400, columns))
    damped = moments + 0.01 * moments.diagonal().mean() * torch.eye(columns)
    expected = frantar(weight, damped.numpy(), Quantize(bits=bits))
    found = gptq(weight, moments, QuantizeGPTQ(bits=bits))
    np.testing.assert_array_equal(found.codes.numpy(), expected)


def test_each_target_is_the_optimum_given_the_weights_rounded_before() -> None:
    weight, moments = normal(1, 4), gram(correlated(50, 4))
    damped = (moments + 0.01 * moments.diagonal().mean() * torch.eye(4)).numpy()
    found = gptq(weight, moments, QuantizeGPTQ(bits=3))
    lost = (weight - found.dequantize()).double().numpy()[0]
    for k in range(4):  # the others may still take any value: least squares over them
        rest = np.linalg.solve(damped[k:, k:], -damped[k:, :k] @ lost[:k])
        target = float(weight[0, k] - rest[0])
        code = np.clip(np.round(target / found.scale.item()), -3, 3)
        assert found.codes[0, k] == code


@given(SHAPES, SETTINGS, st.floats(0.1, 10))
def test_uncorrelated_inputs_are_rounded_to_the_nearest(
    shape: tuple[int, ...], settings: dict[str, Any], power: float
) -> None:
    weight = normal(*shape)
    step = QuantizeGPTQ(**settings)
    nearest = quantize(weight, Quantize(**settings))
    columns = weight[0].numel()
    for diagonal in (torch.ones(columns), torch.linspace(0, power, columns)):
        found = gptq(weight, torch.diag(diagonal).double(), step)
        assert torch.equal(found.codes, nearest.codes)
        assert torch.equal(found.scale, nearest.scale)
        assert torch.equal(found.zero_point, nearest.zero_point)
        assert (found.bits, found.group_size) == (nearest.bits, nearest.group_size)


@given(SHAPES, SETTINGS)
def test_codes_stay_in_range_and_pruned_weights_zero(
    shape: tuple[int, ...], settings: dict[str, Any]
) -> None:
    weight = normal(*shape)
    pruned = normal(*shape, seed=4) > 0
    weight[pruned] = 0
    moments = gram(correlated(60, weight[0].numel()))
    found = gptq(weight, moments, QuantizeGPTQ(**settings))
    q_min, q_max = code_range(settings["bits"], settings["scheme"])
    assert q_min <= int(found.codes.min()) <= int(found.codes.max()) <= q_max
    assert found.codes.shape == found.dequantize().shape == shape
    assert found.codes.dtype == torch.int32
    assert not found.dequantize()[pruned].any()


@pytest.mark.parametrize("bits", [3, 4])
@pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
def test_outputs_are_nearer_than_with_rounding_to_the_nearest(bits: int, granularity: Any) -> None:
    weight, inputs = normal(20, 64), correlated(500, 64)
    nearest = quantize(weight, Quantize(bits=bits, granularity=granularity))
    found = gptq(weight, gram(inputs), QuantizeGPTQ(bits=bits, granularity=granularity))
    assert output_error(weight, found, inputs) < 0.5 * output_error(weight, nearest, inputs)


@pytest.mark.parametrize("bits", [3, 4])
def test_outputs_are_nearer_on_trained_weights_and_images(
    digits_mlp: Original, digits: Dataset, bits: int
) -> None:
    weight = digits_mlp.layers["fc1"].weight
    inputs = digits.images.flatten(1).double()
    nearest = quantize(weight, Quantize(bits=bits))
    found = gptq(weight, gram(inputs), QuantizeGPTQ(bits=bits))
    assert output_error(weight, found, inputs) < 0.7 * output_error(weight, nearest, inputs)


def test_inputs_that_are_always_zero_are_rounded_to_the_nearest() -> None:
    weight, inputs = normal(6, 12), correlated(100, 12)
    inputs[:, ::3] = 0
    found = gptq(weight, gram(inputs), QuantizeGPTQ(bits=3))
    nearest = quantize(weight, Quantize(bits=3))
    assert torch.equal(found.codes[:, ::3], nearest.codes[:, ::3])
    silent = gptq(weight, torch.zeros(12, 12).double(), QuantizeGPTQ(bits=3))
    assert torch.equal(silent.codes, nearest.codes)


@pytest.mark.parametrize("damping", [1e-6, 0.01])
def test_fewer_samples_than_inputs_are_enough(damping: float) -> None:
    weight, inputs = normal(6, 40), correlated(3, 40)
    found = gptq(weight, gram(inputs), QuantizeGPTQ(bits=4, damping=damping))
    nearest = quantize(weight, Quantize(bits=4))
    assert output_error(weight, found, inputs) < output_error(weight, nearest, inputs)


def test_a_grouped_convolution_is_rounded_group_by_group() -> None:
    weight = normal(6, 2, 3, 3)
    moments = torch.stack([gram(correlated(100, 18)), gram(correlated(100, 18).flip(1))])
    together = gptq(weight, moments, QuantizeGPTQ(bits=3))
    for group, part in enumerate(weight.chunk(2)):
        alone = gptq(part, moments[group], QuantizeGPTQ(bits=3))
        assert torch.equal(together.codes.chunk(2)[group], alone.codes)


def test_corrected_bias_by_hand() -> None:
    weight, rounded = torch.tensor([[1.5, 2.0]]), torch.tensor([[1.0, 3.0]])
    mean = torch.tensor([4.0, 1.0])  # 0.5 · 4 - 1 · 1
    assert corrected_bias(torch.tensor([10.0]), weight, rounded, mean).tolist() == [11]
    assert corrected_bias(None, weight, rounded, mean).tolist() == [1]


@pytest.mark.parametrize("with_bias", [True, False])
def test_the_mean_output_of_a_linear_layer_has_not_moved(with_bias: bool) -> None:
    weight, inputs = normal(8, 30), correlated(200, 30) + 2
    bias = normal(8, seed=5) if with_bias else None
    for rounded in (quantize(weight, Quantize(bits=2)), binarize(weight)):
        changed = rounded.dequantize()
        corrected = corrected_bias(bias, weight, changed, inputs.mean(0)).double()
        before = functional.linear(inputs, weight.double(), None if bias is None else bias.double())
        after = functional.linear(inputs, changed.double(), corrected)
        torch.testing.assert_close(after.mean(0), before.mean(0), rtol=0, atol=1e-5)


@given(st.sampled_from([1, 2, 4]), st.integers(1, 3), st.integers(1, 2), st.integers(0, 1))
def test_the_mean_output_of_a_convolution_has_not_moved(
    groups: int, kernel: int, stride: int, padding: int
) -> None:
    weight, images = normal(8, 4 // groups, kernel, kernel), normal(5, 4, 6, 6, seed=1) + 1
    changed = quantize(weight, Quantize(bits=2)).dequantize()
    patches = functional.unfold(images, kernel, padding=padding, stride=stride)
    mean = patches.double().mean((0, 2)).view(groups, -1)  # (groups, in / groups · kh · kw)
    corrected = corrected_bias(None, weight, changed, mean[0] if groups == 1 else mean)
    geometry = {"stride": stride, "padding": padding, "groups": groups}
    before = functional.conv2d(images, weight, **geometry)
    after = functional.conv2d(images, changed, corrected, **geometry)
    torch.testing.assert_close(after.mean((0, 2, 3)), before.mean((0, 2, 3)), rtol=0, atol=1e-5)


def test_an_unchanged_weight_keeps_its_bias_bit_for_bit() -> None:
    weight, bias = normal(8, 30), normal(8)
    assert torch.equal(corrected_bias(bias, weight, weight, normal(30).double()), bias)


def test_the_input_is_untouched() -> None:
    weight, moments = normal(4, 6), gram(correlated(20, 6))
    copies = weight.clone(), moments.clone()
    gptq(weight, moments, QuantizeGPTQ(bits=3))
    corrected_bias(None, weight, weight * 2, moments[0])
    assert torch.equal(weight, copies[0])
    assert torch.equal(moments, copies[1])


@pytest.mark.parametrize(
    ("step", "settings", "words"),
    [
        (QuantizeGPTQ, {"bits": 9}, ["bits=9", "not one of 1, 2", "choose"]),
        (QuantizeGPTQ, {"scheme": "affine"}, ["scheme='affine'", "choose"]),
        (QuantizeGPTQ, {"samples": 0}, ["samples=0", "at least 1", "256 are usual"]),
        (QuantizeGPTQ, {"seed": -1}, ["seed=-1", "at least 0"]),
        (QuantizeGPTQ, {"damping": 0}, ["damping=0", "at least 1e-06", "0.01 is usual"]),
        (QuantizeGPTQ, {"layers": ()}, ["layers=()", "at least one"]),
        (CorrectBias, {"samples": 0.5}, ["samples=0.5", "whole number", "256 are usual"]),
        (CorrectBias, {"seed": -1}, ["seed=-1", "at least 0"]),
        (CorrectBias, {"layers": ()}, ["layers=()", "at least one"]),
    ],
)
def test_a_bad_setting_is_refused(step: Any, settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        step(**settings)
