"""Weight sharing: scikit-learn's KMeans and all partitions of few weights are the oracles."""

import itertools
import re
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from torch import Tensor

from compress_core.methods.weight_sharing import (
    INITS,
    Shared,
    ShareWeights,
    codebook_usage,
    share,
    share_across,
    sse,
)
from compress_core.methods.weight_sharing.optimum import BINS, bin_edges, optimal_cuts

TENSORS = st.builds(
    lambda values, shape: torch.tensor(values[: int(np.prod(shape))]).view(shape),
    st.lists(st.one_of(st.just(0.0), st.floats(-100, 100, width=32)), min_size=24, max_size=24),
    st.sampled_from([(1,), (24,), (1, 1), (4, 6), (3, 2, 4), (2, 3, 2, 2), (6, 1, 2, 2)]),
)
STEPS = st.builds(
    ShareWeights,
    clusters=st.integers(2, 30),
    init=st.sampled_from(list(INITS)),
    keep_zeros=st.booleans(),
    seed=st.integers(0, 9),
)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def pruned(weight: Tensor, threshold: float = 1.0) -> Tensor:
    return torch.where(weight.abs() > threshold, weight, 0.0)


def squared_error(values: NDArray[np.float64]) -> float:
    return float(np.square(values - values.mean()).sum())


def kmeans_sse(weight: Tensor, clusters: int, init: Any, runs: int = 1) -> float:
    """SSE of scikit-learn's KMeans, its centroids as exact as ours."""
    model = KMeans(clusters, init=init, n_init=runs, tol=0, random_state=0, algorithm="lloyd")
    return float(model.fit(weight.double().reshape(-1, 1).numpy()).inertia_)


def best_of_all_partitions(values: list[float], clusters: int) -> float:
    """The least SSE over every way to cut the sorted values."""
    ordered = np.sort(np.array(values))
    return min(
        sum(squared_error(part) for part in np.split(ordered, cuts))
        for cuts in itertools.combinations(range(1, len(values)), clusters - 1)
    )


# The codes


def test_two_heaps_by_hand() -> None:
    shared = share(torch.tensor([[1.0, 2, 11], [13, 3, 12]]), ShareWeights(2))
    assert shared.codebook.tolist() == [2, 12]
    assert shared.indices.tolist() == [[0, 0, 1], [1, 0, 1]]
    assert shared.dequantize().tolist() == [[2, 2, 12], [12, 2, 12]]
    assert codebook_usage(shared).tolist() == [3, 3]
    assert sse(torch.tensor([[1.0, 2, 11], [13, 3, 12]]), shared) == 4


def test_a_weight_between_two_centroids_goes_to_the_lower() -> None:
    shared = share(torch.tensor([0.0, 1, 2]), ShareWeights(2, "linear", keep_zeros=False))
    assert shared.indices.tolist() == [0, 0, 1]  # 1 lies between the first centroids, 0 and 2
    assert shared.codebook.tolist() == [0.5, 2]


@pytest.mark.parametrize(("clusters", "bits"), [(2, 1), (3, 2), (16, 4), (17, 5), (256, 8)])
def test_an_index_needs_the_logarithm_of_the_codebooks_length(clusters: int, bits: int) -> None:
    assert share(normal(1000), ShareWeights(clusters)).bits == bits


def test_equal_weights_need_no_bits() -> None:
    assert share(torch.full((3, 4), 0.3), ShareWeights(16)).bits == 0


@given(TENSORS, STEPS)
def test_codes_are_well_formed(weight: Tensor, step: ShareWeights) -> None:
    shared = share(weight, step)
    assert shared.codebook.dtype == torch.float32
    assert shared.codebook.isfinite().all()
    assert (shared.codebook[1:] > shared.codebook[:-1]).all()
    assert shared.codebook.numel() <= step.clusters
    assert shared.indices.dtype == torch.int32
    assert shared.indices.shape == weight.shape
    assert codebook_usage(shared).min() > 0
    assert codebook_usage(shared).sum() == weight.numel()


@given(TENSORS, STEPS)
def test_only_codebook_values_come_back(weight: Tensor, step: ShareWeights) -> None:
    shared = share(weight, step)
    values = shared.dequantize()
    assert values.shape == weight.shape
    assert set(values.unique().tolist()) == set(shared.codebook.tolist())


@given(TENSORS, STEPS)
def test_each_entry_is_the_mean_of_its_weights(weight: Tensor, step: ShareWeights) -> None:
    shared = share(weight, step)
    for entry, value in enumerate(shared.codebook):
        own = weight[shared.indices == entry].double()
        torch.testing.assert_close(own.mean().float(), value, rtol=1e-6, atol=1e-30)


@given(TENSORS, STEPS)
def test_few_distinct_weights_are_kept_exactly(weight: Tensor, step: ShareWeights) -> None:
    distinct = weight.unique()
    if distinct.numel() <= step.clusters:
        assert torch.equal(share(weight, step).codebook, distinct)
        assert torch.equal(share(weight, step).dequantize(), weight)


@pytest.mark.parametrize("init", INITS)
def test_each_weight_gets_the_nearest_entry(init: Any) -> None:
    weight = normal(40, 50)
    shared = share(weight, ShareWeights(16, init=init))
    distances = (weight.view(-1, 1) - shared.codebook).abs()
    chosen = distances.gather(1, shared.indices.view(-1, 1).long())[:, 0]
    torch.testing.assert_close(chosen, distances.amin(1), rtol=0, atol=1e-6)


def test_equal_seeds_give_equal_codes() -> None:
    first, second = (share(normal(500), ShareWeights(8, init="random", seed=3)) for _ in range(2))
    assert torch.equal(first.codebook, second.codebook)
    assert torch.equal(first.indices, second.indices)


def test_another_seed_draws_other_centroids() -> None:
    codebooks = [share(normal(500), ShareWeights(32, init="random", seed=s)) for s in (0, 1)]
    assert not torch.equal(codebooks[0].codebook, codebooks[1].codebook)


def test_the_global_random_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    share(normal(500), ShareWeights(8, init="random"))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("init", INITS)
def test_the_input_is_untouched(init: Any) -> None:
    weight = pruned(normal(20, 30))
    before = weight.clone()
    share(weight, ShareWeights(8, init=init))
    assert torch.equal(weight, before)


def test_weights_of_any_layout_keep_their_places() -> None:
    weight = normal(4, 3, 5, 5)
    laid_out = weight.contiguous(memory_format=torch.channels_last)
    expected = share(weight, ShareWeights(8)).dequantize()
    assert torch.equal(share(laid_out, ShareWeights(8)).dequantize(), expected)


# Zeros


@given(TENSORS, STEPS)
def test_pruned_weights_stay_exactly_zero(weight: Tensor, step: ShareWeights) -> None:
    values = share(weight, step).dequantize()
    if step.keep_zeros:
        assert not values[weight == 0].any()


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("clusters", [3, 4, 16, 64])
def test_keeping_zeros_leaves_the_sparsity_as_it_was(clusters: int, init: Any) -> None:
    weight = pruned(normal(40, 50))
    values = share(weight, ShareWeights(clusters, init=init)).dequantize()
    assert torch.equal(values == 0, weight == 0)


def test_zero_is_one_of_the_clusters() -> None:
    weight = pruned(normal(40, 50))
    shared = share(weight, ShareWeights(16))
    assert shared.codebook.numel() == 16
    assert int((shared.codebook == 0).sum()) == 1
    assert codebook_usage(shared)[shared.codebook == 0] == int((weight == 0).sum())


def test_the_other_weights_are_clustered_as_if_the_zeros_were_not_there() -> None:
    weight = pruned(normal(40, 50))
    kept = weight[weight != 0]
    alone = share(kept, ShareWeights(15))
    assert torch.equal(
        share(weight, ShareWeights(16)).dequantize()[weight != 0], alone.dequantize()
    )


def test_without_an_entry_of_their_own_zeros_drown() -> None:
    weight = torch.tensor([0.0, 0.1, 5, 5.1])
    shared = share(weight, ShareWeights(2, keep_zeros=False))
    assert float(shared.dequantize()[0]) == pytest.approx(0.05)


def test_a_mean_of_zero_joins_the_entry_of_the_zeros() -> None:
    shared = share(torch.tensor([-1.0, 0, 1]), ShareWeights(2))
    assert shared.codebook.tolist() == [0]


def test_negative_zero_is_zero() -> None:
    for keep_zeros in (True, False):
        shared = share(torch.tensor([-0.0, 0.0, 1.0]), ShareWeights(2, keep_zeros=keep_zeros))
        assert shared.codebook.numpy().tobytes() == np.float32([0, 1]).tobytes()


# Lloyd's algorithm


def first_centroids(weight: Tensor, init: str, clusters: int) -> NDArray[np.float64]:
    values = weight.double().numpy()
    if init == "linear":
        return np.linspace(values.min(), values.max(), clusters)
    return np.quantile(values, (np.arange(clusters) + 0.5) / clusters, method="higher")


@pytest.mark.parametrize("clusters", [2, 7, 16])
@pytest.mark.parametrize("init", ["linear", "density"])
def test_kmeans_from_the_same_centroids_ends_at_scikit_learns(init: Any, clusters: int) -> None:
    weight = normal(3000).tanh()  # without gaps, so that no centroid is without weights
    theirs = kmeans_sse(weight, clusters, first_centroids(weight, init, clusters)[:, None])
    ours = sse(weight, share(weight, ShareWeights(clusters, init=init)))
    assert ours == pytest.approx(theirs, rel=1e-6)


def heavy_tails(name: str, count: int = 4000) -> Tensor:
    """Weights among which equally spaced centroids find nothing for most of them."""
    middle, spread = normal(count), normal(count, 3).flip(0)
    return {
        "student": middle / spread.square().mean(1).sqrt(),
        "cauchy": middle / spread[:, 0],
        "outlier": torch.cat([middle / 100, torch.tensor([5.0, -4.0])]),
    }[name]


@pytest.mark.parametrize("tails", ["student", "cauchy", "outlier"])
def test_a_centroid_without_weights_is_seeded_better_than_scikit_learns(tails: str) -> None:
    weight, ratios = heavy_tails(tails), []
    for clusters in (8, 16, 64, 256):
        start = first_centroids(weight, "linear", clusters)[:, None]
        shared = share(weight, ShareWeights(clusters, init="linear", keep_zeros=False))
        assert shared.codebook.numel() == clusters
        ratios.append(sse(weight, shared) / kmeans_sse(weight, clusters, start))
    assert max(ratios) < 1.15  # both end where they end
    assert np.exp(np.log(ratios).mean()) < 0.95


@pytest.mark.parametrize("clusters", [4, 16, 64])
def test_the_default_start_leaves_no_more_error_than_any_other(clusters: int) -> None:
    weight = heavy_tails("student")
    default = sse(weight, share(weight, ShareWeights(clusters)))
    for init in INITS:
        assert default <= 1.001 * sse(weight, share(weight, ShareWeights(clusters, init=init)))


def test_centroids_drawn_from_equal_weights_are_seeded_anew() -> None:
    weight = torch.cat([torch.full((5000,), 0.5), normal(100)])
    step = ShareWeights(16, init="random", keep_zeros=False)
    assert share(weight, step).codebook.numel() == 16


def test_weights_of_very_different_size_stay_in_order() -> None:
    weight = torch.tensor([-1e30, -1e-30, 1e-38, 1e-30, 1.0, 1e30, 3e30])
    for init in INITS:
        shared = share(weight, ShareWeights(5, init=init))
        assert (shared.codebook[1:] > shared.codebook[:-1]).all()
        assert shared.codebook.isfinite().all()


# The optimum


@given(
    st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=11, unique=True),
    st.integers(2, 6),
)
def test_no_partition_of_few_weights_is_better(values: list[float], clusters: int) -> None:
    weight = torch.tensor(values)
    found = sse(weight, share(weight, ShareWeights(clusters, init="optimal", keep_zeros=False)))
    best = best_of_all_partitions(values, min(clusters, len(values)))
    assert found <= best * (1 + 1e-5) + 1e-9  # the codebook is float32


@pytest.mark.parametrize("clusters", [2, 3, 4, 5, 6])
def test_the_cuts_are_the_best_of_all_where_weights_repeat(clusters: int) -> None:
    values = [0.0, 0, 0, 1, 1, 4, 5, 5, 5, 9, 12]
    cuts = optimal_cuts(np.array(values), clusters)
    found = sum(squared_error(part) for part in np.split(np.array(values), cuts[1:-1]))
    assert found == pytest.approx(best_of_all_partitions(values, clusters))


@pytest.mark.parametrize("clusters", [2, 4, 16, 64])
@pytest.mark.parametrize("draw", ["normal", "laplace", "standard_cauchy"])
def test_scikit_learn_never_finds_better_clusters(draw: str, clusters: int) -> None:
    values = getattr(np.random.default_rng(0), draw)(size=8_000).astype(np.float32)
    weight = torch.from_numpy(values)
    theirs = kmeans_sse(weight, clusters, "k-means++", runs=3)
    ours = sse(weight, share(weight, ShareWeights(clusters, init="optimal")))
    assert ours <= theirs * 1.0003


@pytest.mark.parametrize("init", INITS)
@given(weight=TENSORS, clusters=st.integers(2, 12))
def test_no_start_ends_below_the_optimum(init: Any, weight: Tensor, clusters: int) -> None:
    best = sse(weight, share(weight, ShareWeights(clusters, init="optimal")))
    found = sse(weight, share(weight, ShareWeights(clusters, init=init)))
    assert best <= found * (1 + 1e-5) + 1e-9


@given(TENSORS)
def test_more_clusters_are_never_worse(weight: Tensor) -> None:
    errors = [sse(weight, share(weight, ShareWeights(k, init="optimal"))) for k in range(2, 26)]
    assert all(b <= a * (1 + 1e-5) + 1e-9 for a, b in itertools.pairwise(errors))
    assert errors[-1] == 0


def test_two_clusters_of_a_normal_lie_at_the_root_of_two_over_pi() -> None:
    shared = share(normal(100_000), ShareWeights(2, init="optimal"))
    expected = np.sqrt(2 / np.pi)  # Max 1960, table I
    torch.testing.assert_close(
        shared.codebook, torch.tensor([-expected, expected]).float(), atol=0.01, rtol=0
    )


def test_sixteen_clusters_of_a_normal_leave_the_error_of_the_lloyd_max_quantizer() -> None:
    weight = normal(200_000)
    error = sse(weight, share(weight, ShareWeights(16, init="optimal"))) / 200_000
    assert error == pytest.approx(0.009497, rel=0.02)  # Max 1960, table I


def test_a_thousand_clusters_are_found_among_four_thousand_bins() -> None:
    weight = normal(20_000)
    shared = share(weight, ShareWeights(1000, init="optimal"))
    assert shared.codebook.numel() == 1000
    linear = share(weight, ShareWeights(1000, init="linear"))
    assert sse(weight, shared) < 0.9 * sse(weight, linear)


def test_more_clusters_than_bins_are_all_used() -> None:
    weight = normal(20_000)
    assert share(weight, ShareWeights(4096, init="optimal")).codebook.numel() == 4096


# The histogram


def test_few_distinct_weights_have_a_bin_each() -> None:
    assert bin_edges(np.array([1.0, 1, 2, 5, 5, 5])).tolist() == [0, 2, 3, 6]


def test_bins_cover_all_weights_and_are_not_too_many() -> None:
    edges = bin_edges(np.sort(normal(50_000).double().numpy()))
    assert edges[0] == 0
    assert edges[-1] == 50_000
    assert (np.diff(edges) > 0).all()
    assert 0.9 * BINS <= edges.size - 1 <= BINS


def test_equal_weights_share_a_bin() -> None:
    ordered = np.sort(np.round(np.random.default_rng(0).normal(size=100_000), 4))
    edges = bin_edges(ordered)[1:-1]
    assert np.unique(ordered).size > BINS
    assert (ordered[edges] > ordered[edges - 1]).all()


def test_an_outlier_does_not_widen_the_bins_of_the_others() -> None:
    values = np.sort(np.random.default_rng(0).normal(size=50_000))
    without = bin_edges(values).size
    assert bin_edges(np.append(values, 1e6)).size > 0.9 * without


# One codebook for several weights


def test_weights_of_several_models_get_the_very_same_codebook() -> None:
    weights = [normal(40, 50), normal(30, 3, 3, 3, seed=1), normal(7, seed=2)]
    shared = share_across(weights, ShareWeights(16, scope="all"))
    assert all(part.codebook is shared[0].codebook for part in shared)
    assert [part.indices.shape for part in shared] == [weight.shape for weight in weights]


def test_a_codebook_across_weights_is_that_of_all_of_them_in_a_row() -> None:
    weights = [normal(40, 50), pruned(normal(30, 20, seed=1))]
    shared = share_across(weights, ShareWeights(16, init="optimal"))
    row = share(
        torch.cat([weight.view(-1) for weight in weights]), ShareWeights(16, init="optimal")
    )
    assert torch.equal(shared[0].codebook, row.codebook)
    assert torch.equal(torch.cat([part.indices.view(-1) for part in shared]), row.indices)


def test_codebooks_of_their_own_are_never_worse_than_a_common_one() -> None:
    weights = [normal(40, 50), normal(30, 20, seed=1) * 5]
    step = ShareWeights(16, init="optimal")
    common = zip(weights, share_across(weights, step), strict=True)
    own = sum(sse(weight, share(weight, step)) for weight in weights)
    assert own < sum(sse(weight, shared) for weight, shared in common)


def test_the_usage_of_a_common_codebook_is_counted_for_each_weight() -> None:
    weights = [torch.tensor([1.0, 1, 2]), torch.tensor([2.0, 3])]
    usage = [codebook_usage(part).tolist() for part in share_across(weights, ShareWeights(4))]
    assert usage == [[2, 1, 0], [0, 1, 1]]


def test_no_weights_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match=r"weights=\[\]: a codebook needs at least one"):
        share_across([], ShareWeights())


# The settings


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"clusters": 1}, ["clusters=1", "at least 2", "16 make"]),
        ({"clusters": 4097}, ["clusters=4097", "below 4097", "16 make"]),
        ({"clusters": 16.0}, ["clusters=16.0", "whole number", "16 make"]),
        ({"init": "kmeans++"}, ["init='kmeans++'", "optimal, linear, density, random", "choose"]),
        ({"keep_zeros": 1}, ["keep_zeros=1", "True, False", "choose"]),
        ({"scope": "global"}, ["scope='global'", "layer, all", "choose"]),
        ({"seed": -1}, ["seed=-1", "at least 0", "such as 0"]),
        ({"layers": ()}, ["layers=()", "at least one", "such as"]),
    ],
)
def test_a_bad_setting_is_refused(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        ShareWeights(**settings)


def test_a_codebook_and_its_indices_are_all_that_is_needed() -> None:
    shared = Shared(torch.tensor([-1.0, 2.0]), torch.tensor([[0, 1, 1]], dtype=torch.int32))
    assert shared.dequantize().tolist() == [[-1, 2, 2]]
