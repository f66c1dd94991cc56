"""Quantization: torch's and ONNX's own formulas as oracles, and the pitfalls of the textbooks."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator
from torch import Tensor

from compress_core.methods.quantization import (
    BITS,
    CLIP_GRID,
    Quantize,
    choose_qparams,
    code_range,
    quantize,
    textbook_min_max,
    textbook_times_255,
)
from compress_core.weights import sqnr_db

SCHEMES = ("symmetric", "asymmetric")
GRANULARITIES = ("tensor", "channel", "group")


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def row(*values: float) -> Tensor:
    return torch.tensor([values])


def squared_error(weight: Tensor, step: Quantize) -> float:
    return float((quantize(weight, step).dequantize() - weight).double().square().sum())


def run_onnx(operator: str, inputs: list[np.ndarray], axis: int) -> np.ndarray:
    names = ["x", "scale", "zero_point"]
    types = [helper.np_dtype_to_tensor_dtype(array.dtype) for array in inputs]
    graph = helper.make_graph(
        [helper.make_node(operator, names, ["y"], axis=axis)],
        operator,
        [helper.make_tensor_value_info(n, t, None) for n, t in zip(names, types, strict=True)],
        [helper.make_tensor_value_info("y", TensorProto.UNDEFINED, None)],
    )
    evaluator = ReferenceEvaluator(helper.make_model(graph))
    (result,) = evaluator.run(None, dict(zip(names, inputs, strict=True)))
    return np.asarray(result)


def test_symmetric_codes_by_hand() -> None:
    quantized = quantize(row(-1, 0, 0.25, 1), Quantize(bits=3))
    assert quantized.codes.tolist() == [[-3, 0, 1, 3]]  # 0.25 / (1/3) = 0.75
    assert quantized.scale.item() == pytest.approx(1 / 3)
    assert quantized.zero_point.item() == 0


def test_asymmetric_codes_by_hand() -> None:
    quantized = quantize(row(-1, 0, 0.5), Quantize(bits=8, scheme="asymmetric"))
    assert quantized.scale.item() == pytest.approx(1.5 / 255)
    assert quantized.zero_point.item() == 170  # 1 / (1.5/255)
    assert quantized.codes.tolist() == [[0, 170, 255]]


@pytest.mark.parametrize(
    ("bits", "scheme", "expected"),
    [
        (8, "symmetric", (-127, 127)),
        (2, "symmetric", (-1, 1)),
        (1, "symmetric", (-1, 0)),
        (8, "asymmetric", (0, 255)),
        (1, "asymmetric", (0, 1)),
        (16, "asymmetric", (0, 65535)),
    ],
)
def test_code_ranges(bits: int, scheme: Any, expected: tuple[int, int]) -> None:
    assert code_range(bits, scheme) == expected


def test_a_range_of_one_sign_is_widened_to_zero() -> None:
    scale, zero_point = choose_qparams(torch.tensor(2.0), torch.tensor(3.0), 2, "asymmetric")
    assert (scale.item(), zero_point.item()) == (1.0, 0)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_channel_weights_equal_torchs_fake_quantization(bits: int, scheme: Any) -> None:
    weight = normal(16, 50)
    ours = quantize(weight, Quantize(bits=bits, scheme=scheme))
    limits = code_range(bits, scheme)
    theirs = torch.fake_quantize_per_channel_affine(weight, ours.scale, ours.zero_point, 0, *limits)
    torch.testing.assert_close(ours.dequantize(), theirs, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("scheme", "dtype"), [("symmetric", torch.qint8), ("asymmetric", torch.quint8)]
)
def test_channel_codes_equal_torchs_quantized_tensor(scheme: Any, dtype: torch.dtype) -> None:
    weight = normal(16, 3, 3, 3)
    ours = quantize(weight, Quantize(bits=8, scheme=scheme))
    theirs = torch.quantize_per_channel(weight, ours.scale.double(), ours.zero_point, 0, dtype)
    assert torch.equal(ours.codes, theirs.int_repr().int())
    assert torch.equal(ours.dequantize(), theirs.dequantize())


@pytest.mark.parametrize(("scheme", "dtype"), [("symmetric", np.int8), ("asymmetric", np.uint8)])
def test_codes_and_values_equal_onnxs_reference(scheme: Any, dtype: type[np.generic]) -> None:
    weight = normal(16, 50)
    ours = quantize(weight, Quantize(bits=8, scheme=scheme))
    parameters = [ours.scale.numpy(), ours.zero_point.numpy().astype(dtype)]
    codes = run_onnx("QuantizeLinear", [weight.numpy(), *parameters], axis=0)
    values = run_onnx("DequantizeLinear", [codes, *parameters], axis=0)
    np.testing.assert_array_equal(ours.codes.numpy(), codes)
    np.testing.assert_array_equal(ours.dequantize().numpy(), values)


def test_torch_and_we_choose_the_same_asymmetric_parameters() -> None:
    weight = normal(8, 40)
    observer = torch.ao.quantization.PerChannelMinMaxObserver(
        ch_axis=0, dtype=torch.quint8, qscheme=torch.per_channel_affine
    )
    observer(weight)
    scale, zero_point = observer.calculate_qparams()
    ours = quantize(weight, Quantize(bits=8, scheme="asymmetric"))
    torch.testing.assert_close(ours.scale, scale)
    assert torch.equal(ours.zero_point.long(), zero_point.long())


@pytest.mark.parametrize(
    ("granularity", "shape"), [("tensor", ()), ("channel", (3,)), ("group", (3, 3))]
)
def test_each_granularity_has_its_number_of_scales(
    granularity: Any, shape: tuple[int, ...]
) -> None:
    step = Quantize(granularity=granularity, group_size=4)
    quantized = quantize(normal(3, 5, 1, 2), step)  # (3, 10): groups of 4, 4 and 2
    assert quantized.scale.shape == quantized.zero_point.shape == shape
    assert quantized.codes.shape == (3, 5, 1, 2)


def test_a_group_is_quantized_as_if_alone() -> None:
    weight = normal(3, 10)
    step = Quantize(bits=4, granularity="group", group_size=4, scheme="asymmetric")
    together = quantize(weight, step).dequantize()
    for columns in (slice(0, 4), slice(4, 8), slice(8, 10)):
        alone = quantize(weight[:, columns].contiguous(), Quantize(bits=4, scheme="asymmetric"))
        assert torch.equal(together[:, columns], alone.dequantize())


def test_one_outlier_spoils_the_tensors_scale_but_not_the_channels() -> None:
    weight = normal(4, 50)
    weight[0, 0] = 1000
    per_tensor = quantize(weight, Quantize(bits=4, granularity="tensor")).dequantize()
    per_channel = quantize(weight, Quantize(bits=4)).dequantize()
    assert not per_tensor[1:].any()
    assert float((per_channel[1:] - weight[1:]).abs().max()) < 0.3


@given(
    st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=20),
    st.sampled_from(BITS),
    st.sampled_from(SCHEMES),
)
def test_no_weight_moves_by_more_than_a_step(values: list[float], bits: int, scheme: Any) -> None:
    weight = row(*values)
    quantized = quantize(weight, Quantize(bits=bits, scheme=scheme, granularity="tensor"))
    if (bits, scheme) != (1, "symmetric"):  # its only levels are -scale and 0
        # rounding the zero point moves the ends of an asymmetric range by up to half a step more
        steps = 0.5 if scheme == "symmetric" else 1.0
        worst = float((quantized.dequantize() - weight).abs().max())
        assert worst <= float(quantized.scale) * (steps + 1e-3)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("bits", BITS)
def test_zero_stays_zero(scheme: Any, granularity: Any, bits: int) -> None:
    weight = normal(4, 20)
    weight[:, ::2] = 0
    for clipping in ("min_max", "percentile", "mse"):
        step = Quantize(bits=bits, scheme=scheme, granularity=granularity, clipping=clipping)
        assert not quantize(weight, step).dequantize()[:, ::2].any()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_quantizing_twice_changes_nothing_more(scheme: Any) -> None:
    step = Quantize(bits=4, scheme=scheme)
    once = quantize(normal(8, 30), step).dequantize()
    torch.testing.assert_close(quantize(once, step).dequantize(), once)


def test_uniform_weights_have_six_decibels_a_bit() -> None:
    weight = torch.rand(1, 100_000, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for bits in (4, 6, 8):
        found = sqnr_db(weight, quantize(weight, Quantize(bits=bits)).dequantize())
        # step 1 / q_max, noise step²/12, signal 1/3
        assert found == pytest.approx(20 * np.log10(2 * (2 ** (bits - 1) - 1)), abs=0.1)


def test_the_input_is_untouched() -> None:
    weight = normal(4, 4)
    before = weight.clone()
    for clipping in ("min_max", "percentile", "mse"):
        quantize(weight, Quantize(bits=3, clipping=clipping, granularity="group", group_size=3))
    assert torch.equal(weight, before)


@pytest.mark.parametrize("clipping", ["min_max", "percentile", "mse"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_zeros_and_denormals_quantize_to_zero(clipping: Any, scheme: Any) -> None:
    weight = torch.tensor([[0.0, 0.0], [1e-45, -1e-44]])
    quantized = quantize(weight, Quantize(bits=8, scheme=scheme, clipping=clipping))
    assert quantized.scale.tolist() == [1, 1]
    assert not quantized.dequantize().any()


@pytest.mark.parametrize("value", [0.3, -0.3])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_constant_survives(value: float, scheme: Any) -> None:
    weight = torch.full((2, 5), value)
    quantized = quantize(weight, Quantize(bits=4, scheme=scheme))
    torch.testing.assert_close(quantized.dequantize(), weight)


def test_a_percentile_clips_the_outliers_by_count() -> None:
    weight = row(*range(1, 101))
    quantized = quantize(weight, Quantize(clipping="percentile", percentile=95))
    assert quantized.scale.item() == pytest.approx(95 / 127)
    assert int((quantized.codes == 127).sum()) == 6  # 95 and the five beyond


def test_pruned_weights_do_not_count_for_the_percentile() -> None:
    weight = torch.cat([row(*range(1, 101)), torch.zeros(1, 900)], dim=1)
    quantized = quantize(weight, Quantize(clipping="percentile", percentile=95))
    assert quantized.scale.item() == pytest.approx(95 / 127)


def test_the_hundredth_percentile_is_min_max() -> None:
    weight = normal(5, 30)
    clipped = quantize(weight, Quantize(clipping="percentile", percentile=100))
    assert torch.equal(clipped.codes, quantize(weight, Quantize()).codes)


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_mse_range_is_the_best_of_all_clips(bits: int, scheme: Any) -> None:
    weight = normal(1, 300)
    q_min, q_max = code_range(bits, scheme)
    low, high = min(0.0, float(weight.min())), max(0.0, float(weight.max()))
    errors = []
    for fraction in CLIP_GRID.astype(float):
        width = max(-low, high) / q_max if scheme == "symmetric" else (high - low) / q_max
        scale = np.float32(fraction * width)
        zero = round(-low * fraction / scale) if scheme == "asymmetric" else 0
        codes = np.clip(np.round(weight.numpy() / scale) + zero, q_min, q_max)
        errors.append(np.square((codes - zero) * scale - weight.numpy()).sum())
    step = Quantize(bits=bits, scheme=scheme, clipping="mse")
    assert squared_error(weight, step) == pytest.approx(min(errors), rel=1e-4)


@given(
    st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=20),
    st.sampled_from(BITS),
    st.sampled_from(SCHEMES),
)
def test_the_mse_range_is_never_worse_than_min_max(
    values: list[float], bits: int, scheme: Any
) -> None:
    weight = row(*values)
    best = squared_error(weight, Quantize(bits=bits, scheme=scheme, clipping="mse"))
    assert best <= squared_error(weight, Quantize(bits=bits, scheme=scheme)) * (1 + 1e-5) + 1e-12


def test_per_channel_mse_holds_where_per_tensor_min_max_fails() -> None:
    weight = normal(16, 200) * torch.logspace(-2, 0, 16)[:, None]
    naive = quantize(weight, Quantize(bits=4, granularity="tensor")).dequantize()
    better = quantize(weight, Quantize(bits=4, clipping="mse")).dequantize()
    assert (sqnr_db(weight[0], naive[0]) or 0) < 1  # the smallest channel is gone
    assert (sqnr_db(weight[0], better[0]) or 0) > 18


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_textbook_formula_is_asymmetric_quantization_from_its_lowest_code(bits: int) -> None:
    low, high = -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1  # step 1: zero falls on a level
    inside = torch.rand(1, 200, generator=torch.Generator().manual_seed(0)) * (high - low) + low
    weight = torch.cat([row(low, high), inside], dim=1)
    ours = quantize(weight, Quantize(bits=bits, scheme="asymmetric"))
    assert torch.equal(textbook_min_max(weight, bits), ours.codes)


def test_times_255_fits_weights_between_zero_and_one() -> None:
    weight = torch.tensor([0.0, 0.2, 1.0])
    assert textbook_times_255(weight).tolist() == [0, 51, 255]


def test_times_255_loses_negative_and_large_weights() -> None:
    weight = torch.tensor([-0.5, 0.2, 2.0])
    decoded = textbook_times_255(weight) / 255
    torch.testing.assert_close(decoded, torch.tensor([0.0, 0.2, 1.0]))
    affine = quantize(weight[None], Quantize(bits=8, scheme="asymmetric")).dequantize()
    torch.testing.assert_close(affine[0], weight, atol=2.5 / 255, rtol=0)


def test_the_textbook_formula_refuses_a_constant() -> None:
    with pytest.raises(ValueError, match=r"all weights are 0\.5: \(max - min\) is 0"):
        textbook_min_max(torch.full((3,), 0.5), 8)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bits": 0}, ["bits=0", "not one of 1, 2, 3, 4, 5, 6, 7, 8, 16", "choose"]),
        ({"bits": 9}, ["bits=9", "not one of 1, 2", "choose"]),
        ({"bits": 4.0}, ["bits=4.0", "not one of 1, 2", "choose"]),
        ({"bits": "4"}, ["bits='4'", "not one of 1, 2", "choose"]),
        ({"scheme": "affine"}, ["scheme='affine'", "symmetric, asymmetric", "choose"]),
        ({"granularity": "row"}, ["granularity='row'", "tensor, channel, group", "choose"]),
        ({"clipping": "max"}, ["clipping='max'", "min_max, percentile, mse", "choose"]),
        ({"percentile": 20}, ["percentile=20", "at least 50", "99.9 clips"]),
        ({"percentile": 101}, ["percentile=101", "at most 100", "99.9 clips"]),
        ({"group_size": 1}, ["group_size=1", "at least 2", "32 is usual"]),
        ({"group_size": 2.5}, ["group_size=2.5", "whole number", "32 is usual"]),
        ({"layers": ()}, ["layers=()", "at least one", "such as"]),
    ],
)
def test_a_bad_setting_is_refused(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        Quantize(**settings)
