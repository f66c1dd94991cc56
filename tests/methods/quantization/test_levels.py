"""Levels: every number that a weight can become, and no other."""

import pytest
import torch

from compress_core.methods.quantization import (
    Quantize,
    QuantizeFloat,
    Ternarize,
    binarize,
    quantize,
    quantize_float,
    ternarize,
)
from compress_core.methods.quantization.levels import (
    channel_levels,
    channel_scale,
    format_values,
    granularity_of,
)

WEIGHT = torch.tensor([[4.0, -1.0, 0.5, -2.0], [3.0, 0.25, -0.75, 1.0]])


def test_symmetric_levels_mirror_around_zero() -> None:
    coded = quantize(WEIGHT, Quantize(3))
    assert channel_levels(coded, 1).tolist() == [-3, -2, -1, 0, 1, 2, 3]
    assert channel_scale(coded, 1) == 1


def test_asymmetric_levels_start_at_the_range() -> None:
    coded = quantize(WEIGHT, Quantize(2, "asymmetric"))
    assert channel_levels(coded, 0).tolist() == [-2, 0, 2, 4]


def test_signs_have_two_levels_and_ternary_codes_three() -> None:
    assert channel_levels(binarize(WEIGHT), 1).tolist() == [-1.25, 1.25]
    assert channel_levels(ternarize(WEIGHT, Ternarize()), 0).tolist() == [-3, 0, 3]


def test_e2m1_has_fifteen_numbers() -> None:
    magnitudes = [0.5, 1, 1.5, 2, 3, 4, 6]
    expected = [-m for m in reversed(magnitudes)] + [0.0] + magnitudes
    assert format_values("fp4_e2m1").tolist() == expected


@pytest.mark.parametrize(
    ("name", "count", "largest"),
    [("fp16", 63487, 65504), ("fp8_e4m3", 253, 448), ("fp8_e5m2", 247, 57344), ("nf4", 16, 1)],
)
def test_formats_have_so_many_finite_numbers(name: str, count: int, largest: float) -> None:
    values = format_values(name)  # type: ignore[arg-type]
    assert (len(values), float(values[-1])) == (count, largest)
    assert bool((values.diff() > 0).all())


@pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
def test_every_weight_becomes_a_level_of_its_channel(granularity: str) -> None:
    step = QuantizeFloat("nf4", granularity, group_size=4)  # type: ignore[arg-type]
    coded = quantize_float(WEIGHT, step)
    assert granularity_of(coded) == granularity
    for channel, row in enumerate(coded.dequantize()):
        assert bool(torch.isin(row, channel_levels(coded, channel)).all())
