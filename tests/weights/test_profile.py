"""The profile of a weight, which answers any threshold at once, and measures of weights."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from compress_core.weights import Profile, as_matrix, sqnr_db

finite = st.floats(-10, 10, width=32)
weights = arrays.arrays(np.float32, arrays.array_shapes(max_dims=3, max_side=5), elements=finite)


def profile_of(*values: float) -> Profile:
    return Profile(torch.tensor(values)[None])


def test_magnitudes_ascend() -> None:
    assert profile_of(-3, 1, 0, 2).magnitudes.tolist() == [0, 1, 2, 3]


def test_cumulative_energy_is_the_share_of_the_smallest() -> None:
    assert profile_of(4, -3, 0).cumulative_energy.tolist() == [0, 0, 9 / 25, 1]


def test_an_all_zero_weight_has_no_energy() -> None:
    assert profile_of(0, 0).cumulative_energy.tolist() == [0, 0, 0]


def test_sigma_is_the_population_standard_deviation() -> None:
    assert profile_of(1, 2, 3, 4).sigma == pytest.approx(np.std([1, 2, 3, 4]))


def test_a_threshold_prunes_what_equals_it() -> None:
    assert profile_of(-1, 2, 3).count_below(2) == 2


def test_a_threshold_is_compared_in_the_precision_of_the_weights() -> None:
    assert profile_of(0.1).count_below(0.1) == 1  # float32(0.1) > 0.1


@given(weights, st.floats(0, 10))
def test_sparsity_at_a_threshold_equals_the_masks(weight: np.ndarray, threshold: float) -> None:
    tensor = torch.from_numpy(weight)
    pruned = (tensor.abs() <= np.float32(threshold)).float().mean()
    assert Profile(tensor).sparsity_at(threshold) == pytest.approx(float(pruned))


def test_threshold_at_a_count_is_the_largest_pruned_magnitude() -> None:
    profile = profile_of(-5, 1, 3)
    assert [profile.threshold_at(count) for count in range(4)] == [0, 1, 3, 5]


def test_the_histogram_counts_every_weight_and_centres_a_bin_on_zero() -> None:
    counts, edges = profile_of(-2, 0, 0, 1.5).histogram(bins=5)
    assert counts.tolist() == [1, 0, 2, 0, 1]  # edges -2, -1.2, -0.4, 0.4, 1.2, 2
    assert edges[2] == -edges[3]


def test_the_histogram_of_zeros_has_a_width() -> None:
    counts, edges = profile_of(0, 0).histogram(bins=3)
    assert counts.tolist() == [0, 2, 0]
    assert edges[-1] == 1


def test_the_spectrum_is_numpys() -> None:
    weight = torch.randn(6, 2, 3, generator=torch.Generator().manual_seed(0))
    expected = np.linalg.svd(weight.numpy().reshape(6, 6), compute_uv=False)
    np.testing.assert_allclose(Profile(weight).spectrum, expected, rtol=1e-5)


def test_the_spectrum_is_computed_once_and_only_when_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    svd = torch.linalg.svd
    monkeypatch.setattr(torch.linalg, "svd", lambda *a, **k: calls.append(a) or svd(*a, **k))
    profile = profile_of(1, 2)
    profile.histogram()
    assert not calls
    assert profile.spectrum.tolist() == profile.spectrum.tolist()
    assert len(calls) == 1


def test_sorting_happens_once() -> None:
    profile = profile_of(2, 1)
    assert profile.magnitudes is profile.magnitudes


@pytest.mark.parametrize(
    ("shape", "matrix"), [((3,), (3, 1)), ((3, 4), (3, 4)), ((6, 2, 3, 3), (6, 18))]
)
def test_a_weight_as_a_matrix_has_its_outputs_as_rows(
    shape: tuple[int, ...], matrix: tuple[int, int]
) -> None:
    assert as_matrix(torch.zeros(shape)).shape == matrix


def test_sqnr_of_a_tenth_of_the_amplitude_is_twenty_decibels() -> None:
    assert sqnr_db(torch.tensor([1.0]), torch.tensor([1.1])) == pytest.approx(20, abs=1e-4)


@pytest.mark.parametrize("weight", [torch.ones(2), torch.zeros(2)], ids=["exact", "all zero"])
def test_sqnr_is_none_where_it_has_no_finite_value(weight: Tensor) -> None:
    assert sqnr_db(weight, torch.ones(2)) is None
