"""Low-bit floats: torch's and ml_dtypes' own types as oracles, NF4 from the normal quantiles."""

import re
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from compress_core.methods.quantization import Quantize, quantize
from compress_core.methods.quantization.floats import (
    E2M1,
    FORMAT_BITS,
    NF4,
    FloatFormat,
    QuantizeFloat,
    decode_float,
    encode_float,
    largest_value,
    quantize_float,
)
from compress_core.weights import sqnr_db

FORMATS = tuple(FORMAT_BITS)
SCALED = ("fp8_e4m3", "fp8_e5m2", "fp4_e2m1", "nf4")
TORCH_TYPES = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp8_e4m3": torch.float8_e4m3fn,
    "fp8_e5m2": torch.float8_e5m2,
}
NUMPY_TYPES = {
    "fp16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "fp8_e4m3": ml_dtypes.float8_e4m3fn,
    "fp8_e5m2": ml_dtypes.float8_e5m2,
    "fp4_e2m1": ml_dtypes.float4_e2m1fn,
}


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def rounded(values: Tensor, name: FloatFormat) -> Tensor:
    return decode_float(encode_float(values, name), name)


def numbers_of(name: FloatFormat) -> Tensor:
    """Every finite number of the format, ascending."""
    count = 2 ** FORMAT_BITS[name]
    codes = torch.arange(count).to(torch.uint16 if count > 256 else torch.uint8)
    values = decode_float(codes, name)
    return values[values.isfinite()].unique()


@pytest.mark.parametrize("name", TORCH_TYPES)
def test_values_equal_torchs_own_type(name: FloatFormat) -> None:
    values = normal(5000) * largest_value(name) ** 0.5 / 4
    torch.testing.assert_close(
        rounded(values, name), values.to(TORCH_TYPES[name]).float(), rtol=0, atol=0
    )


@pytest.mark.parametrize("name", NUMPY_TYPES)
def test_codes_are_the_bit_patterns_of_the_standard(name: FloatFormat) -> None:
    # the numbers themselves, and the middles between two, which go to the even one
    numbers = numbers_of(name).double()
    values = torch.cat([numbers, (numbers[1:] + numbers[:-1]) / 2]).float()
    theirs = values.numpy().astype(NUMPY_TYPES[name])
    patterns = theirs.view(np.uint16 if FORMAT_BITS[name] == 16 else np.uint8)
    patterns = np.where(theirs.astype(np.float32) == 0, 0, patterns)  # no negative zero
    np.testing.assert_array_equal(encode_float(values, name).numpy(), patterns)


def test_the_numbers_of_e2m1_are_those_of_the_standard() -> None:
    # OCP Microscaling Formats 1.0, table 5: sign, two bits of exponent (bias 1), one of mantissa
    for code, value in enumerate(E2M1.tolist()):
        sign, exponent, mantissa = code >> 3, (code >> 1) & 3, code & 1
        magnitude = (1 + mantissa / 2) * 2 ** (exponent - 1) if exponent else mantissa / 2
        assert value == (-magnitude if sign else magnitude)


def test_nf4_holds_the_quantiles_of_the_normal_distribution() -> None:
    # QLoRA: 8 quantiles below zero and 9 above share the zero; the tails are cut at this offset
    quantile, tail = NormalDist().inv_cdf, 0.9677083
    above = [quantile(p) for p in np.linspace(tail, 0.5, 9)[:-1]]
    below = [-quantile(p) for p in np.linspace(tail, 0.5, 8)[:-1]]
    expected = np.sort([*above, 0.0, *below]) / max(above)
    np.testing.assert_allclose(NF4, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "largest"),
    [("fp16", 65504), ("fp8_e4m3", 448), ("fp8_e5m2", 57344), ("fp4_e2m1", 6), ("nf4", 1)],
)
def test_overflow_saturates_at_the_largest_number(name: FloatFormat, largest: float) -> None:
    values = torch.tensor([largest, largest * 1.01, 1e37, -1e37])
    assert rounded(values, name).tolist() == [largest, largest, largest, -largest]


@pytest.mark.parametrize("name", FORMATS)
def test_every_number_of_a_format_stands_for_itself(name: FloatFormat) -> None:
    numbers = numbers_of(name)
    assert torch.equal(rounded(numbers, name), numbers)


@pytest.mark.parametrize("name", FORMATS)
def test_no_other_number_lies_nearer(name: FloatFormat) -> None:
    values = normal(200) * largest_value(name) ** 0.5 / 4
    numbers = numbers_of(name).double()
    nearest = (values.double()[:, None] - numbers).abs().amin(1)
    assert torch.equal((rounded(values, name).double() - values.double()).abs(), nearest)


@pytest.mark.parametrize("name", FORMATS)
def test_a_zero_stays_one_and_none_is_negative(name: FloatFormat) -> None:
    weight = normal(4, 20)
    weight[:, ::2] = 0
    weight[0, 1] = -1e-30
    decoded = quantize_float(weight, QuantizeFloat(name)).dequantize()
    assert not decoded[:, ::2].any()
    assert not decoded[decoded == 0].signbit().any()


@pytest.mark.parametrize("name", SCALED)
def test_the_scale_brings_the_largest_weight_to_the_largest_number(name: FloatFormat) -> None:
    weight = normal(6, 30)
    coded = quantize_float(weight, QuantizeFloat(name))
    torch.testing.assert_close(coded.scale, weight.abs().amax(1) / largest_value(name))
    at = weight.abs().argmax(1, keepdim=True)
    torch.testing.assert_close(coded.dequantize().gather(1, at), weight.gather(1, at))


@pytest.mark.parametrize("name", ["fp16", "bf16"])
def test_sixteen_bits_are_not_scaled(name: FloatFormat) -> None:
    weight = normal(3, 5, 2, 2)
    for granularity in ("tensor", "channel", "group"):
        coded = quantize_float(weight, QuantizeFloat(name, granularity))
        assert coded.scale.shape == ()
        assert coded.scale.item() == 1
        assert torch.equal(coded.dequantize(), weight.to(TORCH_TYPES[name]).float())


@pytest.mark.parametrize(
    ("granularity", "shape"), [("tensor", ()), ("channel", (3,)), ("group", (3, 3))]
)
@pytest.mark.parametrize("name", SCALED)
def test_each_granularity_has_its_number_of_scales(
    name: FloatFormat, granularity: Any, shape: tuple[int, ...]
) -> None:
    step = QuantizeFloat(name, granularity, group_size=4)
    coded = quantize_float(normal(3, 5, 1, 2), step)  # (3, 10): groups of 4, 4 and 2
    assert coded.scale.shape == shape
    assert coded.codes.shape == coded.dequantize().shape == (3, 5, 1, 2)


def test_a_group_is_rounded_as_if_alone() -> None:
    weight = normal(3, 10)
    together = quantize_float(weight, QuantizeFloat("nf4", "group", group_size=4)).dequantize()
    for start, stop in pairwise([0, 4, 8, 10]):
        alone = quantize_float(weight[:, start:stop].contiguous(), QuantizeFloat("nf4"))
        assert torch.equal(together[:, start:stop], alone.dequantize())


@pytest.mark.parametrize("name", FORMATS)
@given(
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=20),
    st.sampled_from(["tensor", "channel", "group"]),
    st.integers(2, 9),
)
def test_rounding_twice_changes_nothing_more(
    name: FloatFormat, values: list[float], granularity: Any, group_size: int
) -> None:
    step = QuantizeFloat(name, granularity, group_size)
    once = quantize_float(torch.tensor([values]), step).dequantize()
    torch.testing.assert_close(quantize_float(once, step).dequantize(), once, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", FORMATS)
def test_zeros_and_denormals_become_zero(name: FloatFormat) -> None:
    weight = torch.tensor([[0.0, 0.0], [1e-45, -1e-44]])
    assert not quantize_float(weight, QuantizeFloat(name)).dequantize()[0].any()
    if name in SCALED:
        coded = quantize_float(weight, QuantizeFloat(name))
        assert coded.scale.tolist() == [1, 1]
        assert not coded.dequantize().any()


def test_normal_weights_fit_nf4_better_than_evenly_spaced_levels() -> None:
    weight = normal(64, 64)
    affine = quantize(weight, Quantize(bits=4, granularity="group", group_size=64)).dequantize()
    step = QuantizeFloat("nf4", "group", group_size=64)
    nf4 = quantize_float(weight, step).dequantize()
    assert (sqnr_db(weight, nf4) or 0) > (sqnr_db(weight, affine) or 0)


def test_the_input_is_untouched() -> None:
    weight = normal(4, 4)
    before = weight.clone()
    for name in FORMATS:
        quantize_float(weight, QuantizeFloat(name))
    assert torch.equal(weight, before)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"format": "fp12"}, ["format='fp12'", "fp16, bf16, fp8_e4m3", "choose"]),
        ({"granularity": "row"}, ["granularity='row'", "tensor, channel, group", "choose"]),
        ({"group_size": 1}, ["group_size=1", "at least 2", "32 is usual"]),
        ({"layers": ()}, ["layers=()", "at least one", "such as"]),
    ],
)
def test_a_bad_setting_is_refused(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        QuantizeFloat(**settings)
