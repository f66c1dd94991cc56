"""What the browser interpolates, against the core's exact numbers."""

import dataclasses
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from compress_core import Factorize, Prune, Quantize, Recipe, compress, load_model
from compress_core.measurement.report import measure_size
from compress_core.methods.pruning import prune_smallest
from compress_core.methods.quantization import Binarize, Granularity, Scheme, quantize
from compress_core.original import Original
from compress_core.storage.streams import StoredWeight
from compress_core.stored import StoredLayer
from compress_core.views.live_profiles import (
    HISTOGRAM_BINS,
    POINTS,
    SAMPLE,
    range_sample,
    weight_points,
)
from compress_core.views.live_pruning import (
    BYTES_EVERY,
    MEASURED_SPARSITIES,
    PruningProfile,
    pruning_profile,
)
from compress_core.views.summaries import pruned_layer
from compress_core.weights import Profile, sqnr_db
from tests.live_bytes import measured_bytes

NORMAL = "normal"
NAMES = ("digits-cnn", "digits-mlp", "digits-transformer", NORMAL)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


@cache
def model(name: str) -> Original:
    if name != NORMAL:
        return load_model(name)
    linear = nn.Linear(800, 300, bias=False)
    linear.weight.data = normal(300, 800)
    return Original(nn.Sequential(linear).eval(), (800,), name=NORMAL)


@cache
def profiles(name: str, step: Quantize | None = None) -> dict[str, PruningProfile]:
    layers = compress(model(name), ()).layers
    measured = measured_bytes(model(name), (step,) if step else ()) or {}
    return {
        key: pruning_profile(stored, measured=measured.get(key)) for key, stored in layers.items()
    }


@pytest.fixture
def stored(linear_of: Callable[[Tensor], Original]) -> Callable[..., StoredLayer]:
    """A weight (out, in) as the one layer of a model, after the given steps."""
    return lambda weight, *steps: compress(linear_of(weight), steps).layers["fc"]


def sparsity_at(profile: PruningProfile, threshold: float) -> float:
    return float(np.interp(threshold, profile.magnitudes, profile.sparsities))


def bytes_at(profile: PruningProfile, sparsity: float) -> float:
    few = len(profile.byte_counts) == len(profile.sparsities)
    knots = profile.sparsities if few else profile.sparsities[::BYTES_EVERY]
    return float(np.interp(sparsity, knots, profile.byte_counts))


def estimated_bytes(name: str, prune: Prune, step: Quantize | None) -> float:
    pruned = compress(model(name), (prune,)).layers
    found = profiles(name, step)
    return sum(bytes_at(found[key], pruned_layer(pruned[key]).sparsity) for key in pruned)


def exact_bytes(name: str, recipe: Recipe) -> int:
    return sum(row.bytes for row in measure_size(compress(model(name), recipe)).layers)


def numbers(row: object) -> int:
    """How many numbers of a profile travel as arrays."""
    values = vars(row).values()
    return sum(value.size for value in values if isinstance(value, np.ndarray))


@pytest.mark.parametrize("name", NAMES)
def test_a_knots_magnitude_is_the_exact_threshold(name: str) -> None:
    for key, profile in profiles(name).items():
        exact = model(name).layers[key].profile
        counts = np.round(profile.sparsities * profile.weights).astype(int).tolist()
        thresholds = [exact.threshold_at(count) for count in counts]
        assert np.array_equal(profile.magnitudes, np.array(thresholds, np.float32))


@pytest.mark.parametrize("name", NAMES)
@given(share=st.floats(0, 1))
def test_the_sparsity_at_any_threshold_is_within_one_percent(name: str, share: float) -> None:
    for key, profile in profiles(name).items():
        threshold = share * profile.limit
        exact = model(name).layers[key].profile.sparsity_at(threshold)
        assert sparsity_at(profile, threshold) == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_beyond_90_percent_the_sparsity_is_within_an_eighth_of_a_percent(name: str) -> None:
    """There a percent is half of what is left."""
    for key, profile in profiles(name).items():
        for sparsity in (0.9, 0.95, 0.985, 0.999):
            threshold = float(np.quantile(model(name).layers[key].weight.abs(), sparsity))
            exact = model(name).layers[key].profile.sparsity_at(threshold)
            step = 0.00125 + 1 / profile.weights
            assert sparsity_at(profile, threshold) == pytest.approx(exact, abs=step)


@pytest.mark.parametrize("name", NAMES)
def test_the_energy_of_every_knot_is_the_sum_of_the_smallest_squares(name: str) -> None:
    for key, profile in profiles(name).items():
        squares = np.sort(model(name).layers[key].weight.double().square().ravel())
        counts = np.round(profile.sparsities * profile.weights).astype(int).tolist()
        shares = [squares[:count].sum() / squares.sum() for count in counts]
        assert profile.energies == pytest.approx(shares, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_energy_in_between_is_the_cores_to_half_a_percent(name: str) -> None:
    for sparsity in (0.123, 0.618, 0.9012, 0.977):
        pruned = compress(model(name), (Prune(sparsity=sparsity),)).layers
        for key, profile in profiles(name).items():
            cut = pruned_layer(pruned[key])
            kept = 1 - np.interp(cut.sparsity, profile.sparsities, profile.energies)
            assert kept == pytest.approx(cut.energy_kept, abs=0.005)


@pytest.mark.parametrize("name", NAMES)
def test_the_histogram_counts_every_weight(name: str) -> None:
    for key, profile in profiles(name).items():
        weight = model(name).layers[key].weight
        assert profile.counts.sum() == profile.weights == weight.numel()
        assert profile.limit == float(weight.abs().max())


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=10)
@given(sparsity=st.floats(0, 0.99))
@example(sparsity=0.0)
@example(sparsity=0.99)
def test_float_bytes_are_within_5_percent(name: str, sparsity: float) -> None:
    prune = Prune(sparsity=sparsity)
    exact = exact_bytes(name, (prune,))
    assert estimated_bytes(name, prune, None) == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("sparsity", [0.25, 0.618, 0.9286, 0.985])
@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("digits-cnn", Quantize(bits=5)),
        ("digits-cnn", Quantize(bits=2, scheme="asymmetric")),
        ("digits-mlp", Quantize(bits=4, clipping="percentile", granularity="group")),
        (NORMAL, Quantize(bits=4, clipping="mse")),
    ],
    ids=["symmetric", "asymmetric", "groups", "mse"],
)
def test_coded_bytes_are_within_5_percent(name: str, step: Quantize, sparsity: float) -> None:
    prune = Prune(sparsity=sparsity)
    exact = exact_bytes(name, (prune, step))
    # zero has another code in each channel, and near the end the file jumps as the channels empty
    far = step.scheme == "asymmetric" and sparsity > 0.95
    assert estimated_bytes(name, prune, step) == pytest.approx(exact, rel=0.3 if far else 0.05)


@pytest.mark.parametrize("granularity", ["tensor", "channel"])
def test_coded_bytes_are_within_10_percent_up_to_the_last_sparsity_offered(
    granularity: Granularity,
) -> None:
    step = Quantize(bits=2, scheme="asymmetric", granularity=granularity)
    prune = Prune(sparsity=0.999)
    exact = exact_bytes(NORMAL, (prune, step))
    assert estimated_bytes(NORMAL, prune, step) == pytest.approx(exact, rel=0.1)


def test_float_bytes_are_within_5_percent_up_to_the_last_sparsity_offered() -> None:
    prune = Prune(sparsity=0.999)
    exact = exact_bytes(NORMAL, (prune,))
    assert estimated_bytes(NORMAL, prune, None) == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("step", [None, Quantize(bits=4), Quantize(bits=2, scheme="asymmetric")])
def test_a_factor_pair_has_one_curve_over_both_factors(
    digits_cnn: Original, step: Quantize | None
) -> None:
    factors = Factorize(rank=8, layers=("fc1",))
    pair = compress(digits_cnn, (factors,)).layers["fc1"]
    measured = measured_bytes(digits_cnn, (factors, *((step,) if step else ()))) or {}
    profile = pruning_profile(pair, measured=measured.get("fc1"))
    assert profile.weights == 8 * (512 + 64)
    recipe = (factors, Prune(threshold=float(profile.magnitudes[160]), layers=("fc1",)))
    cut = pruned_layer(compress(digits_cnn, recipe).layers["fc1"])
    assert cut.sparsity == pytest.approx(profile.sparsities[160])  # 80 % of both together
    assert cut.energy_kept == pytest.approx(1 - profile.energies[160], abs=1e-6)
    rows = measure_size(compress(digits_cnn, (*recipe, *((step,) if step else ())))).layers
    exact = next(row.bytes for row in rows if row.name == "fc1")
    # each factor is measured at its own share, the file has that of both
    assert bytes_at(profile, cut.sparsity) == pytest.approx(exact, rel=0.1)


def test_a_small_layer_has_a_knot_for_each_weight(stored: Callable[..., StoredLayer]) -> None:
    profile = pruning_profile(stored(torch.tensor([[3.0, -1.0], [0.0, 2.0]])))
    assert profile.sparsities.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert profile.magnitudes.tolist() == [0, 0, 1, 2, 3]
    assert profile.energies.tolist() == pytest.approx([0, 0, 1 / 14, 5 / 14, 1])
    assert profile.limit == 3
    # one byte of mask and four a kept weight, of which three are there from the start
    assert profile.byte_counts.tolist() == [13, 13, 9, 5, 1]


@pytest.mark.parametrize("shape", [(1, 7), (8, 9), (10, 20)])
def test_the_float_bytes_of_a_small_layer_are_exact_at_each_weight(
    stored: Callable[..., StoredLayer], shape: tuple[int, int]
) -> None:
    """To a word of the coder. As long as a mask saves less than its own header of 60 bytes or so,
    the file stays dense, and the profile does not know."""
    layer = stored(normal(*shape))
    for count, found in enumerate(pruning_profile(layer).byte_counts.tolist()):
        pruned = StoredWeight(Profile(prune_smallest(layer.layer.profile, count))).streams
        header = 72 if pruned.header["encoding"] == "dense" else 4
        better_coded = 8  # a mask by contexts, say
        assert pruned.byte_count - header <= found <= pruned.byte_count + better_coded


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_measured_bytes_are_those_of_the_file(
    linear_of: Callable[[Tensor], Original], bits: int
) -> None:
    original, step = linear_of(normal(40, 50)), Quantize(bits=bits)
    measured = measured_bytes(original, (step,))
    assert measured is not None
    for sparsity, found in zip(MEASURED_SPARSITIES, measured["fc"], strict=True):
        prune = (Prune(sparsity=sparsity),) if sparsity else ()
        assert found == measure_size(compress(original, (*prune, step))).layers[0].bytes


def test_nothing_is_measured_where_nothing_codes_the_weights(digits_cnn: Original) -> None:
    assert measured_bytes(digits_cnn, ()) is None
    assert measured_bytes(digits_cnn, (Factorize(rank=8, layers=("fc1",)),)) is None


def test_codes_without_a_zero_have_no_curve(digits_cnn: Original) -> None:
    assert measured_bytes(digits_cnn, (Binarize(),)) is None


def test_codes_that_are_not_measured_count_their_bits(stored: Callable[..., StoredLayer]) -> None:
    profile = pruning_profile(stored(torch.tensor([[3.0, -1.0], [0.5, 2.0]])), bits=8)
    # a byte of mask and a byte for each weight that is kept; without a mask four
    assert profile.byte_counts.tolist() == [4, 4, 3, 2, 1]


def test_an_all_zero_layer_has_flat_curves(animal: Callable[[str], Original]) -> None:
    (layer,) = compress(animal("all_zero"), ()).layers.values()
    profile = pruning_profile(layer)
    assert not profile.magnitudes.any()
    assert not profile.energies.any()  # nothing is lost: energy kept is 1
    assert profile.limit == 1
    assert set(profile.byte_counts.tolist()) == {2}


def test_a_constant_layer_falls_at_one_threshold(animal: Callable[[str], Original]) -> None:
    (layer,) = compress(animal("constant"), ()).layers.values()
    profile = pruning_profile(layer)
    assert profile.magnitudes.tolist() == [0] + [0.25] * 12
    assert profile.energies == pytest.approx(np.arange(13) / 12)
    assert sparsity_at(profile, 0.25) == 1
    assert sparsity_at(profile, 0.2499) < 1 / 12  # no whole weight
    # twelve floats; or two bytes of mask, and the floats that are left
    assert profile.byte_counts.tolist() == [48] + [2 + 4 * left for left in range(11, -1, -1)]


def test_a_single_weight_has_two_knots(animal: Callable[[str], Original]) -> None:
    (layer,) = compress(animal("one_weight"), ()).layers.values()
    profile = pruning_profile(layer)
    assert (profile.weights, profile.limit, profile.counts.sum()) == (1, 0.5, 1)
    assert profile.sparsities.tolist() == profile.energies.tolist() == [0, 1]
    assert profile.magnitudes.tolist() == [0, 0.5]
    assert profile.byte_counts.tolist() == [4, 1]


def test_a_range_sample_knows_the_noise_of_the_steps_before(
    stored: Callable[..., StoredLayer],
) -> None:
    """3² + 1² + 0.5² + 2², of which pruning half takes 1² + 0.5²."""
    sample = range_sample(
        stored(torch.tensor([[3.0, -1.0], [0.5, 2.0]]), Prune(sparsity=0.5)), Quantize()
    )
    assert (sample.signal, sample.prior, sample.factors) == (14.25, 1.25, 1)


def test_every_odd_model_has_profiles_that_are_finite(zoo_model: Original) -> None:
    for layer in compress(zoo_model, ()).layers.values():
        for row in (pruning_profile(layer), range_sample(layer, Quantize())):
            for value in vars(row).values():
                assert isinstance(value, str) or np.isfinite(value).all()


def test_profiling_leaves_the_weights_as_they_were(stored: Callable[..., StoredLayer]) -> None:
    weight = normal(30, 20)
    pruning_profile(stored(weight))
    range_sample(stored(weight), Quantize())
    assert torch.equal(weight, normal(30, 20))


@pytest.mark.parametrize(
    "count",
    [
        *(1, 200, 218),
        219,
        260,
        *(261, 5_000, 240_000),
    ],
)
def test_a_profile_has_at_most_1000_numbers(stored: Callable[..., StoredLayer], count: int) -> None:
    layer = stored(normal(1, count))
    assert numbers(pruning_profile(layer)) <= 1000
    assert numbers(range_sample(layer, Quantize())) <= 1000
    assert numbers(weight_points(layer.layer.weight.numpy())) <= 1000


WEIGHT = torch.tensor([[4.0, -1.0, 0.5, -2.0, 8.0], [3.0, 0.25, -0.75, 1.0, -6.0]])
LIMITS = {  # the largest magnitude of the weights that share a scale, by hand
    "tensor": [8, 8, 8, 8, 8, 8, 8, 8, 8, 8],
    "channel": [8, 8, 8, 8, 8, 6, 6, 6, 6, 6],
    "group": [4, 4, 2, 2, 8, 3, 3, 1, 1, 6],
}


@pytest.mark.parametrize(("granularity", "scales"), [("tensor", 1), ("channel", 2), ("group", 6)])
def test_the_symmetric_range_is_plus_and_minus_the_largest_that_shares_the_scale(
    stored: Callable[..., StoredLayer],
    granularity: Granularity,
    scales: int,
) -> None:
    sample = range_sample(stored(WEIGHT), Quantize(granularity=granularity, group_size=2))
    assert sample.values.tolist() == WEIGHT.ravel().tolist()
    assert sample.high == pytest.approx(LIMITS[granularity])
    assert np.array_equal(sample.low, -sample.high)
    assert (sample.weights, sample.scales) == (10, scales)


@pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
@pytest.mark.parametrize("scheme", ["symmetric", "asymmetric"])
def test_the_range_is_what_the_lowest_and_highest_code_stand_for(
    stored: Callable[..., StoredLayer],
    scheme: Scheme,
    granularity: Granularity,
) -> None:
    step = Quantize(scheme=scheme, granularity=granularity, group_size=2)
    sample = range_sample(stored(WEIGHT), step)
    coded = quantize(WEIGHT, step)
    q_min, q_max = (-127, 127) if scheme == "symmetric" else (0, 255)
    for found, code in ((sample.low, q_min), (sample.high, q_max)):
        every = dataclasses.replace(coded, codes=torch.full((2, 5), code))
        assert np.array_equal(found, every.dequantize().ravel().numpy())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scheme", ["symmetric", "asymmetric"])
@pytest.mark.parametrize("granularity", ["tensor", "channel", "group"])
def test_each_sampled_weight_lies_in_its_range(
    name: str,
    scheme: Scheme,
    granularity: Granularity,
) -> None:
    """Up to half of one of 255 steps: the zero point is a whole number."""
    step = Quantize(scheme=scheme, granularity=granularity)
    for layer in compress(model(name), ()).layers.values():
        sample = range_sample(layer, step)
        slack = (sample.high - sample.low) * (0.501 / 255 if scheme == "asymmetric" else 1e-6)
        assert (sample.low - slack <= sample.values).all()
        assert (sample.values <= sample.high + slack).all()
        assert (sample.low <= 0).all()
        assert (sample.high >= 0).all()


def test_the_asymmetric_range_reaches_from_the_least_to_the_largest_weight(
    stored: Callable[..., StoredLayer],
) -> None:
    step = Quantize(scheme="asymmetric", granularity="channel")
    sample = range_sample(stored(WEIGHT), step)
    width = np.repeat([10.0, 9.0], 5)  # -2 … 8 and -6 … 3
    assert sample.high - sample.low == pytest.approx(width)
    assert sample.low == pytest.approx(np.repeat([-2.0, -6.0], 5), abs=10 / 255 / 2)


def test_bits_and_clipping_of_the_step_do_not_matter(stored: Callable[..., StoredLayer]) -> None:
    """The browser tries them all on one sample."""
    layer = stored(normal(20, 30))
    plain, other = (
        range_sample(layer, step)
        for step in (Quantize(), Quantize(bits=2, clipping="percentile", percentile=60))
    )
    assert np.array_equal(plain.high, other.high)
    assert np.array_equal(plain.values, other.values)


def test_a_large_layer_is_sampled_evenly_from_its_first_weight_to_its_last(
    stored: Callable[..., StoredLayer],
) -> None:
    weight = torch.arange(3_200.0).view(32, 100)
    sample = range_sample(stored(weight), Quantize())
    assert (len(sample.values), sample.values[0], sample.values[-1]) == (SAMPLE, 0, 3199)
    assert set(np.diff(sample.values).tolist()) == {10, 11}
    # each with the range of its own row: 99, 199, …
    assert sample.high == pytest.approx(sample.values // 100 * 100 + 99)


def test_a_factor_pair_is_sampled_as_one(digits_cnn: Original) -> None:
    pair = compress(digits_cnn, (Factorize(rank=8, layers=("fc1",)),)).layers["fc1"]
    sample = range_sample(pair, Quantize(granularity="channel"))
    first, second = (weight.values for weight in pair.weights)
    assert sample.weights == first.numel() + second.numel()
    assert sample.scales == 8 + 64  # output channels of the one and the other
    assert (sample.values[0], sample.values[-1]) == (first[0, 0], second[-1, -1])


def test_few_weights_are_all_shown_in_ascending_order() -> None:
    points = weight_points(np.array([[0.5, -1.0], [2.0, 0.0]], np.float32))
    assert points.points.tolist() == [-1, 0, 0.5, 2]
    assert points.counts.sum() == 4


def test_the_bins_reach_5_percent_beyond_the_largest_magnitude() -> None:
    """2.1 / 60.5 is the width of a bin: 0 lies in the middle one, ±2 in the fourth from the end."""
    counts = weight_points(np.array([-2, 0, 2, 2], np.float32)).counts
    assert len(counts) == HISTOGRAM_BINS
    assert {int(i): counts[i] for i in counts.nonzero()[0]} == {2: 1, 60: 1, 118: 2}


@pytest.mark.parametrize("count", [1, POINTS - 1, POINTS, POINTS + 1, 2 * POINTS, 240_000])
def test_many_weights_are_thinned_and_all_are_counted(count: int) -> None:
    weights = normal(count).numpy()
    found = weight_points(weights)
    assert len(found.points) == min(count, POINTS)
    assert found.counts.sum() == count
    assert (np.diff(found.points) >= 0).all()
    assert np.isin(found.points, weights).all()


def test_thinned_weights_are_quantiles() -> None:
    weights = normal(100_000).numpy()
    quantiles = np.quantile(weights, (np.arange(POINTS) + 0.5) / POINTS)
    assert weight_points(weights).points == pytest.approx(quantiles, abs=0.01)


def test_the_noise_of_the_thinned_weights_is_that_of_all() -> None:
    """What they are for: SQNR at 4 bits to a third of a decibel."""
    weights = normal(50_000)
    points = torch.from_numpy(weight_points(weights.numpy()).points)
    all_of_them, some = (
        sqnr_db(w, torch.round(w / 0.5).clamp(-7, 7) * 0.5) for w in (weights, points)
    )
    assert some == pytest.approx(all_of_them, abs=0.3)


def test_weights_that_are_all_zero_have_one_bar() -> None:
    found = weight_points(np.zeros((3, 4), np.float32))
    assert (found.points.tolist(), found.counts[60]) == ([0] * 12, 12)
