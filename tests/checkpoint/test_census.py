"""The census of a tensor against NumPy, in every type."""

import hashlib

import ml_dtypes
import numpy as np
import pytest
import torch

from compress_core.checkpoint import Census, CheckpointError, Profiles, take_census
from compress_core.weights import Profile
from tests.checkpoint.conftest import Write, normal

EXACT = {
    torch.bfloat16: ml_dtypes.bfloat16,
    torch.float16: np.float16,
    torch.float8_e4m3fn: ml_dtypes.float8_e4m3fn,
    torch.float8_e5m2: ml_dtypes.float8_e5m2,
    torch.int8: np.int8,
    torch.uint8: np.uint8,
}


@pytest.mark.parametrize("dtype", EXACT)
def test_narrow_types_are_counted_exactly(dtype: torch.dtype, write: Write) -> None:
    raw = torch.randint(0, 256, (2000,), dtype=torch.uint8, generator=torch.Generator())
    tensor = raw.view(dtype).view(-1, 4)
    found = take_census(write({"w": tensor}).entry("w"))
    numbers = np.frombuffer(raw.numpy().tobytes(), EXACT[dtype]).astype(np.float32)
    finite = numbers[np.isfinite(numbers)]
    values, counts = np.unique(finite, return_counts=True)
    assert found.exact
    assert np.array_equal(found.values, values)
    assert np.array_equal(found.counts, counts)
    assert found.non_finite == numbers.size - finite.size
    assert found.content == hashlib.sha256(raw.numpy().tobytes()).hexdigest()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_wide_types_are_counted_in_narrow_bins(dtype: torch.dtype, write: Write) -> None:
    tensor = normal(300, 200).to(dtype)
    found, flat = take_census(write({"w": tensor}).entry("w")), tensor.float().numpy().ravel()
    assert found.weights == flat.size
    assert (found.values[0], found.values[-1]) == (flat.min(), flat.max())
    assert found.std == pytest.approx(flat.std(), rel=1e-3)
    assert found.sample(60_000) == pytest.approx(np.sort(flat), rel=1 / 4096)


@pytest.fixture
def halves(write: Write) -> tuple[Census, Profile]:
    tensor = normal(200, 150).bfloat16()
    tensor[:10] = 0
    return take_census(write({"w": tensor}).entry("w")), Profile(tensor.float())


def test_a_threshold_prunes_what_the_profile_says(halves: tuple[Census, Profile]) -> None:
    census, profile = halves
    for threshold in (0.0, 0.01, 0.02, 1.0):
        assert census.count_below(threshold) == profile.count_below(threshold)
    for count in (0, 1, 5000, 30_000):
        assert census.threshold_at(count) == profile.threshold_at(count)
        assert census.energy_below(count) == pytest.approx(profile.cumulative_energy[count])
    assert census.zeros == 1500
    assert census.std == pytest.approx(profile.sigma)


def test_the_histogram_is_that_of_numpy(halves: tuple[Census, Profile]) -> None:
    census, profile = halves
    counts, _ = profile.histogram(121)
    assert np.array_equal(census.histogram(121, census.limit), counts)


def test_a_sample_has_the_quantiles_and_both_ends(halves: tuple[Census, Profile]) -> None:
    census, profile = halves
    drawn, ordered = census.sample(100), np.sort(profile.weight.numpy().ravel())
    assert (drawn[0], drawn[-1]) == (ordered[0], ordered[-1])
    assert np.array_equal(drawn[1:-1], ordered[(np.arange(1, 99) + 0.5).astype(int) * 300 + 150])


def test_other_types_are_counted_as_bytes_alone(write: Write) -> None:
    entry = write({"ids": torch.arange(10)}).entry("ids")
    assert entry.bytes == 80
    with pytest.raises(CheckpointError, match="ids holds I64"):
        take_census(entry)


def test_nan_and_infinite_weights_are_told_apart(write: Write) -> None:
    tensor = normal(10, 10)
    tensor[0, 0], tensor[0, 1] = torch.nan, -torch.inf
    found = Profiles(write({"w": tensor}))
    assert found.census(found.checkpoint.entry("w")).non_finite == 2
    assert found.census(found.checkpoint.entry("w")).weights == 98
