"""Walking the compressible layers, and the profile that answers any threshold at once."""

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor, nn

from compress_core.original import Original
from compress_core.weights import Profile, as_matrix, sqnr_db, walk_layers, with_weights

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


def test_layers_come_in_the_order_of_their_modules(digits_cnn: Original) -> None:
    shapes = {name: layer.shape for name, layer in digits_cnn.layers.items()}
    assert shapes == {
        "conv1": (16, 1, 3, 3),
        "conv2": (32, 16, 3, 3),
        "fc1": (64, 512),
        "fc2": (10, 64),
    }


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("words", {"embedding": "embedding", "head": "linear"}),
        ("conv1d", {"conv": "conv1d"}),
        ("grouped", {"conv": "conv2d"}),
        (
            "packed",
            {
                "attention.in_proj": "attention",
                "attention.out_proj": "linear",
                "head": "linear",
            },
        ),
        (
            "packed_cross",
            {
                "attention.q_proj": "attention",
                "attention.k_proj": "attention",
                "attention.v_proj": "attention",
                "attention.out_proj": "linear",
                "head": "linear",
            },
        ),
    ],
)
def test_every_kind_of_layer_is_found(
    animal: Callable[[str], Original], name: str, kinds: dict[str, str]
) -> None:
    assert {name: layer.kind for name, layer in animal(name).layers.items()} == kinds


@pytest.mark.parametrize("name", ["tied", "repeated"])
def test_a_tied_weight_is_one_layer(animal: Callable[[str], Original], name: str) -> None:
    layers = animal(name).layers
    assert list(layers) == ["a"]
    assert layers["a"].tied_keys == ("a.weight", "b.weight")


def test_norms_and_biases_are_no_layers(animal: Callable[[str], Original]) -> None:
    assert list(animal("norm").layers) == ["conv"]


@pytest.mark.parametrize(
    ("name", "layer", "reason"),
    [
        ("tied", "a", "tied"),
        ("repeated", "a", "tied"),
        ("words", "embedding", "embedding"),
        ("packed", "attention.in_proj", "attention"),
        ("packed", "attention.out_proj", "attention"),
        ("grouped", "conv", "2 groups"),
    ],
)
def test_a_layer_says_why_it_cannot_be_factorized(
    animal: Callable[[str], Original], name: str, layer: str, reason: str
) -> None:
    assert reason in (animal(name).layers[layer].refuses_factors or "")


def test_a_plain_layer_can_be_factorized(digits_cnn: Original) -> None:
    assert {layer.refuses_factors for layer in digits_cnn.layers.values()} == {None}


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (torch.tensor([[1.0, math.nan]]), ["fc.weight", "1 NaN", "finite", "load"]),
        (torch.tensor([[math.inf, -math.inf]]), ["fc.weight", "2 NaN or infinite", "finite"]),
        (torch.zeros(0, 4), ["fc.weight", "empty", "(0, 4)", "remove"]),
        (torch.zeros(2, 2).double(), ["fc.weight", "float64", "float32", ".float()"]),
        (torch.zeros(2, 2).half(), ["fc.weight", "float16", "float32", ".float()"]),
    ],
    ids=["nan", "infinite", "empty", "double", "half"],
)
def test_a_weight_that_cannot_be_compressed_is_refused_by_name(
    weight: Tensor, words: list[str]
) -> None:
    model = nn.Module()
    model.fc = nn.Linear(1, 1)
    model.fc.weight = nn.Parameter(weight)
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        walk_layers(model)


def test_with_weights_leaves_the_model_untouched() -> None:
    model = nn.Linear(2, 1)
    before = model.weight.clone()
    replaced = with_weights(model, {"weight": torch.zeros(1, 2)})
    assert torch.equal(model.weight, before)
    assert not replaced.get_parameter("weight").any()


def test_with_weights_shares_what_it_does_not_replace() -> None:
    model = nn.Linear(2, 1)
    assert with_weights(model, {"weight": torch.zeros(1, 2)}).bias is model.bias


def test_with_weights_shares_no_buffer() -> None:
    model = nn.BatchNorm1d(2).eval()
    with_weights(model, {}).running_mean.add_(1)
    assert not model.running_mean.any()


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_a_replaced_weight_keeps_the_layout_of_the_old_one(layout: torch.memory_format) -> None:
    model = nn.Conv2d(3, 4, 3).to(memory_format=layout)
    replaced = with_weights(model, {"weight": torch.ones(4, 3, 3, 3)})
    assert replaced.weight.stride() == model.weight.stride()


def test_one_tensor_under_two_names_stays_tied() -> None:
    shared = torch.ones(2, 2)
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    copied = with_weights(model, {"0.weight": shared, "1.weight": shared})
    assert copied.get_parameter("0.weight") is copied.get_parameter("1.weight")


def test_sqnr_of_a_tenth_of_the_amplitude_is_twenty_decibels() -> None:
    assert sqnr_db(torch.tensor([1.0]), torch.tensor([1.1])) == pytest.approx(20, abs=1e-4)


@pytest.mark.parametrize("weight", [torch.ones(2), torch.zeros(2)], ids=["exact", "all zero"])
def test_sqnr_is_none_where_it_has_no_finite_value(weight: Tensor) -> None:
    assert sqnr_db(weight, torch.ones(2)) is None
