"""What the browser gets of a tensor on disk is what it gets of the same layer in memory."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from compress_core import Quantize
from compress_core.applying.quantize import CODES
from compress_core.checkpoint import Checkpoint, Entry, census_of, take_census
from compress_core.methods.quantization import MX_FORMATS, QuantizeFloat, QuantizeMX
from compress_core.methods.weight_sharing import ShareWeights, share
from compress_core.storage.streams import weight_of
from compress_core.stored import StoredLayer, untouched
from compress_core.views.checkpoint_profiles import (
    census_profile,
    codebook_profile,
    scale_profile,
)
from compress_core.views.live_profiles import weight_points
from compress_core.views.live_pruning import pruning_profile
from compress_core.views.summaries import scale_view
from compress_core.weights import Layer
from tests.checkpoint.conftest import normal

WEIGHT = normal(60, 50)


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    save_file({"w": WEIGHT}, tmp_path / "w.safetensors")
    return Checkpoint.open(tmp_path).entry("w")


def in_memory() -> StoredLayer:
    return untouched(Layer("w", "w", "linear", WEIGHT, ("w",), None))


def test_the_curves_of_pruning_are_those_of_the_layer(entry: Entry) -> None:
    found, expected = census_profile(entry, census_of(WEIGHT)), pruning_profile(in_memory())
    for field in fields(expected):
        assert getattr(found, field.name) == pytest.approx(getattr(expected, field.name)), field


def test_bins_of_a_wide_type_change_them_little(entry: Entry) -> None:
    found, expected = census_profile(entry, take_census(entry)), pruning_profile(in_memory())
    assert found.magnitudes == pytest.approx(expected.magnitudes, rel=1 / 4000)
    assert found.energies == pytest.approx(expected.energies, abs=1e-3)


@pytest.mark.parametrize(
    "step",
    [
        Quantize(4),
        Quantize(3, granularity="group", group_size=16),
        Quantize(4, granularity="tensor"),
        QuantizeFloat("nf4"),
        QuantizeMX("mxfp4"),
        QuantizeMX("nvfp4"),
    ],
)
def test_levels_and_noise_of_a_channel_are_those_of_the_layer(
    step: Quantize | QuantizeFloat | QuantizeMX, entry: Entry
) -> None:
    if isinstance(step, QuantizeMX):
        block = MX_FORMATS[step.format].block
        settings = Quantize(granularity="group", group_size=block)
    else:
        settings = Quantize(granularity=step.granularity, group_size=step.group_size)
    found = scale_profile(entry, lambda: census_of(WEIGHT), settings, step, 7)
    before = in_memory()
    after = before.with_weights(step, (weight_of(CODES[type(step)](WEIGHT, step)),))
    expected = scale_view(before, after, settings, 7)
    assert found.view.levels == pytest.approx(expected.levels)
    assert found.view.sqnr_db == pytest.approx(expected.sqnr_db)
    drawn = weight_points(expected.weights).points  # without the least and the greatest weight
    assert np.array_equal(found.points.points[1:-1], drawn[1:-1])
    assert found.sample.weights == 3000


def test_the_scales_of_the_tensor_are_counted(entry: Entry) -> None:
    for granularity, count in (("tensor", 1), ("channel", 60), ("group", 60 * 2)):
        step = Quantize(4, granularity=granularity)
        found = scale_profile(entry, lambda: census_of(WEIGHT), step, step, 0)
        assert found.sample.scales == count


def test_the_codebook_is_that_of_the_core(entry: Entry) -> None:
    step = ShareWeights(8)
    points, _, codebook = codebook_profile(entry, census_of(WEIGHT), step)
    assert torch.equal(codebook, share(WEIGHT, step).codebook)
    assert points.counts.sum() == 3000
