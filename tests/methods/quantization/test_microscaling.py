"""Microscaling: the published code tables, scales by hand, and ml_dtypes and torch as oracles."""

import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from torch import Tensor

from compress_core.methods.quantization import (
    MX_FORMATS,
    MXCoded,
    MXFormat,
    QuantizeFloat,
    QuantizeMX,
    quantize_float,
    quantize_mx,
)
from compress_core.methods.quantization.microscaling import (
    decode_element,
    element_values,
    encode_element,
    largest_exponent,
    magnitudes,
    power_of_two,
)
from compress_core.weights import sqnr_db

FORMATS = tuple(MX_FORMATS)
POWERS = tuple(name for name in FORMATS if name != "nvfp4")
ELEMENTS: dict[MXFormat, Any] = {
    "mxfp8_e4m3": ml_dtypes.float8_e4m3fn,
    "mxfp8_e5m2": ml_dtypes.float8_e5m2,
    "mxfp6_e2m3": ml_dtypes.float6_e2m3fn,
    "mxfp6_e3m2": ml_dtypes.float6_e3m2fn,
    "mxfp4": ml_dtypes.float4_e2m1fn,
    "nvfp4": ml_dtypes.float4_e2m1fn,
}
LARGEST = {
    "mxfp8_e4m3": 448,
    "mxfp8_e5m2": 57344,
    "mxfp6_e2m3": 7.5,
    "mxfp6_e3m2": 28,
    "mxfp4": 6,
    "mxint8": 127 / 64,
    "nvfp4": 6,
}


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def coded(values: list[float], name: MXFormat) -> MXCoded:
    return quantize_mx(torch.tensor([values]), QuantizeMX(name))


@pytest.mark.parametrize("name", ELEMENTS)
def test_the_numbers_are_those_of_ml_dtypes(name: MXFormat) -> None:
    patterns = np.arange(2 ** MX_FORMATS[name].bits, dtype=np.uint8)
    theirs = patterns.view(ELEMENTS[name]).astype(np.float32)
    theirs = np.where(np.isfinite(theirs), theirs, np.nan)  # an infinity is no weight
    np.testing.assert_array_equal(element_values(name).numpy(), theirs)


def test_mxint8_is_twos_complement_in_64ths() -> None:
    found = element_values("mxint8")
    expected = torch.arange(256, dtype=torch.uint8).view(torch.int8).float() / 64
    assert torch.equal(found, expected)


@pytest.mark.parametrize("name", FORMATS)
def test_the_largest_numbers_are_the_published_ones(name: MXFormat) -> None:
    assert float(magnitudes(name)[-1]) == LARGEST[name]
    assert largest_exponent(name) == math.floor(math.log2(LARGEST[name]))


@pytest.mark.parametrize("name", ELEMENTS)
def test_rounding_is_that_of_ml_dtypes(name: MXFormat) -> None:
    table = magnitudes(name)
    middles = (table[1:] + table[:-1]) / 2  # ties
    values = torch.cat([middles, -middles, normal(2000) * float(table[-1]) / 3])
    values = values.clamp(-table[-1], table[-1])
    theirs = values.numpy().astype(ELEMENTS[name]).astype(np.float32)
    assert torch.equal(decode_element(encode_element(values, name), name), torch.tensor(theirs))


@pytest.mark.parametrize("name", FORMATS)
def test_overflow_saturates_and_zero_has_no_sign(name: MXFormat) -> None:
    found = encode_element(torch.tensor([1e9, -1e9, -0.0, 0.0, -1e-9]), name)
    largest = LARGEST[name]
    assert decode_element(found, name).tolist() == [largest, -largest, 0, 0, 0]
    assert found[2:].tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", FORMATS)
def test_every_number_stands_for_itself(name: MXFormat) -> None:
    values = magnitudes(name)
    both = torch.cat([values, -values])
    assert torch.equal(decode_element(encode_element(both, name), name), both)


def test_scales_are_the_powers_of_two_of_e8m0() -> None:
    patterns = torch.arange(255, dtype=torch.uint8)
    found = power_of_two(patterns)
    assert torch.equal(found, patterns.view(torch.float8_e8m0fnu).float())
    theirs = patterns.numpy().view(ml_dtypes.float8_e8m0fnu).astype(np.float32)
    np.testing.assert_array_equal(found.numpy(), theirs)


def test_a_block_of_mxfp4_by_hand() -> None:
    # max 7: floor(log2 7) − 2 = 0, scale 1; 7 saturates at 6, 2.5 and 3.5 go to even mantissas
    found = coded([7.0, 2.5, 3.5, -0.25, 0.75, -5.0], "mxfp4")
    assert found.scale_codes.tolist() == [[127]]
    assert found.dequantize().tolist() == [[6, 2, 4, 0, 1, -4]]
    assert found.codes.tolist() == [[7, 4, 6, 0, 2, 14]]


def test_blocks_have_scales_of_their_own_and_the_last_may_be_short() -> None:
    weight = torch.cat([torch.full((1, 32), 48.0), torch.full((1, 3), 0.375)], dim=1)
    found = quantize_mx(weight, QuantizeMX("mxfp4"))
    # 48 = 6 · 2³ and 0.375 = 6 · 2⁻⁴
    assert found.scale_codes.tolist() == [[127 + 3, 127 - 4]]
    assert found.codes.tolist() == [[7] * 35]
    assert torch.equal(found.dequantize(), weight)


def test_mxint8_by_hand() -> None:
    # max 1.5: scale 1, elements in 64ths; −1.99 rounds to −127/64, where the codes end
    assert coded([1.5, -0.5, 1 / 128], "mxint8").dequantize().tolist() == [[1.5, -0.5, 0]]
    assert coded([-1.999, 1.0], "mxint8").codes.tolist() == [[256 - 127, 64]]


def test_nvfp4_by_hand() -> None:
    # 2688 = 6 · 448: the tensor's scale is 1; the blocks' are 448 (0x7e) and 1 (0x38)
    found = coded([2688.0, -1344.0] + [0.0] * 14 + [6.0, 2.5, -0.5], "nvfp4")
    assert float(found.tensor_scale) == 1
    assert found.scale_codes.tolist() == [[0x7E, 0x38]]
    assert found.dequantize()[0, [0, 1, 16, 17, 18]].tolist() == [2688, -1344, 6, 2, -0.5]


@pytest.mark.parametrize("name", POWERS)
def test_blocks_are_those_of_numpy_and_ml_dtypes(name: MXFormat) -> None:
    weight = normal(5, 70) * torch.logspace(-20, 20, 5)[:, None]
    found = quantize_mx(weight, QuantizeMX(name)).dequantize()
    for row, start in ((row, start) for row in range(5) for start in (0, 32, 64)):
        block = weight[row, start : start + 32].double().numpy()
        shift = math.frexp(abs(block).max())[1] - 1 - math.floor(math.log2(LARGEST[name]))
        scaled = np.clip(block / 2.0**shift, -LARGEST[name], LARGEST[name])
        element = ELEMENTS.get(name)
        rounded = (scaled * 64).round() / 64 if element is None else scaled.astype(element)
        expected = rounded.astype(np.float64) * 2.0**shift
        np.testing.assert_array_equal(found[row, start : start + 32].numpy(), expected)


def test_nvfp4_is_that_of_torch_types_and_ml_dtypes() -> None:
    weight = normal(4, 48)
    scale = weight.abs().max() / (6 * 448)
    largest = weight.view(4, 3, 16).abs().amax(2)
    blocks = (largest / 6 / scale).to(torch.float8_e4m3fn).float() * scale
    spread = blocks.repeat_interleave(16, dim=1)
    elements = (weight / spread).clamp(-6, 6).numpy().astype(ml_dtypes.float4_e2m1fn)
    expected = torch.from_numpy(elements.astype(np.float32)) * spread
    assert torch.equal(quantize_mx(weight, QuantizeMX("nvfp4")).dequantize(), expected)


@pytest.mark.parametrize("name", FORMATS)
def test_a_block_of_zeros_gets_the_smallest_scale(name: MXFormat) -> None:
    weight = torch.zeros(2, 64)
    weight[1, 40] = 1.0
    found = quantize_mx(weight, QuantizeMX(name))
    assert found.scale_codes[0, 0] == (1 if name == "nvfp4" else 0)
    assert torch.equal(found.dequantize() == 0, weight == 0)
    assert not quantize_mx(torch.zeros(3, 5), QuantizeMX(name)).dequantize().any()


@pytest.mark.parametrize("name", POWERS)
def test_subnormal_and_huge_weights_stay_finite(name: MXFormat) -> None:
    weight = torch.tensor([[2.0**-149, -(2.0**-140)], [3e38, -1e38]])
    found = quantize_mx(weight, QuantizeMX(name))
    assert found.dequantize().isfinite().all()
    assert found.scale_codes[0].tolist() == [0]  # 2⁻¹²⁷, the smallest
    assert found.dequantize()[1, 0] == pytest.approx(3e38, rel=0.25)


def test_tiny_weights_of_nvfp4_stay_finite() -> None:
    weight = torch.tensor([[1e-37, -1e-38], [1e-45, 0.0]])
    found = quantize_mx(weight, QuantizeMX("nvfp4"))
    assert found.scale.min() > 0
    assert found.dequantize().isfinite().all()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("shape", [(3, 4, 3, 3), (5, 1), (2, 33), (7,)])
def test_kernels_keep_their_shape_and_the_input_is_untouched(
    name: MXFormat, shape: tuple[int, ...]
) -> None:
    weight = normal(*shape)
    before = weight.clone()
    found = quantize_mx(weight, QuantizeMX(name))
    assert torch.equal(weight, before)
    assert (found.codes.shape, found.dequantize().shape) == (weight.shape, weight.shape)
    inputs = math.prod(shape[1:])
    assert found.scale.shape == (shape[0], -(-inputs // found.group_size))


@pytest.mark.parametrize("name", POWERS)
def test_rounding_again_changes_nothing(name: MXFormat) -> None:
    once = quantize_mx(normal(6, 50), QuantizeMX(name)).dequantize()
    assert torch.equal(quantize_mx(once, QuantizeMX(name)).dequantize(), once)


def test_one_outlier_coarsens_its_block_alone() -> None:
    weight = normal(1, 512)
    weight[0, 0] = 1000
    blocks = quantize_mx(weight, QuantizeMX("mxfp4")).dequantize()
    channel = quantize_float(weight, QuantizeFloat("fp4_e2m1")).dequantize()
    behind = slice(32, None)
    assert (sqnr_db(weight[0, behind], blocks[0, behind]) or 0) > 15
    assert not channel[0, behind].any()


def test_nvfp4_has_less_error_than_mxfp4_on_normal_weights() -> None:
    weight = normal(64, 512)
    nvfp4, mxfp4 = (
        quantize_mx(weight, step).dequantize() for step in (QuantizeMX("nvfp4"), QuantizeMX())
    )
    assert (sqnr_db(weight, nvfp4) or 0) > (sqnr_db(weight, mxfp4) or 0) + 1


def test_an_unknown_format_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=r"mxfp5.*mxfp4"):
        QuantizeMX("mxfp5")  # type: ignore[arg-type]
