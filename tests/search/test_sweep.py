"""Sweeps: every point is a real file, made from the original model."""

from collections.abc import Callable
from itertools import pairwise

import pytest
import torch

from compress_core.compressed import compress
from compress_core.data import Dataset
from compress_core.measurement.report import measure
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import Quantize
from compress_core.original import Original, load_model
from compress_core.search.sweep import families, sweep

RECIPES = ((Prune(sparsity=0.9),), (Quantize(bits=2),), ())


@pytest.fixture
def few(digits: Dataset) -> Dataset:
    return digits.subset(100)


def test_every_method_has_a_family(digits_cnn: Original) -> None:
    assert list(families(digits_cnn)) == [
        "prune",
        "quantize",
        "factorize",
        "spatial",
        "tucker",
        "prune + quantize",
        "n:m",
        "share",
        "low-bit",
        "random_prune",
        "prune_taylor",
        "prune_wanda",
        "gptq",
        "whitened",
        "channels",
        "factorize + prune + share",
    ]


def test_a_network_without_kernels_has_no_families_of_kernels(digits_mlp: Original) -> None:
    assert families(digits_mlp).keys().isdisjoint({"spatial", "tucker"})


def test_without_training_data_no_family_needs_them(digits_mlp: Original) -> None:
    bare = Original(digits_mlp.module, (1, 8, 8))
    missing = families(digits_mlp).keys() - families(bare).keys()
    assert missing == {"prune_taylor", "prune_wanda", "gptq", "whitened"}


def test_a_network_whose_channels_cannot_go_has_no_such_family(
    animal: Callable[[str], Original],
) -> None:
    assert "channels" not in families(animal("conv1d"))


@pytest.mark.parametrize("model", ["digits-mlp", "digits-cnn", "digits-transformer"])
def test_the_ends_of_every_family_fit_the_reference_networks(model: str) -> None:
    original = load_model(model)
    for family in families(original).values():
        mild, strong = (compress(original, family.recipes[i]).stored_bytes for i in (0, -1))
        assert strong <= mild, family.name


def test_a_model_that_cannot_be_factorized_has_no_such_family(
    animal: Callable[[str], Original],
) -> None:
    assert "factorize" not in families(animal("grouped"))


def test_factorization_names_the_layers_that_can_be_factorized(
    animal: Callable[[str], Original],
) -> None:
    (step,) = families(animal("packed"))["factorize"].recipes[0]
    assert isinstance(step, Factorize)
    assert step.layers == ("head",)


@pytest.mark.parametrize("name", ["prune", "quantize", "random_prune", "share", "channels"])
def test_a_family_goes_from_mild_to_strong(digits_mlp: Original, name: str) -> None:
    recipes = families(digits_mlp)[name].recipes
    sizes = [compress(digits_mlp, recipe).stored_bytes for recipe in (recipes[0], recipes[-1])]
    assert len(recipes) >= 9
    assert sizes[1] < 0.5 * sizes[0]


def test_less_energy_is_less_rank(digits_mlp: Original) -> None:
    recipes = families(digits_mlp)["factorize"].recipes
    ranks = [compress(digits_mlp, recipe).layers["fc1"].rank or 0 for recipe in recipes]
    assert all(after <= before for before, after in pairwise(ranks))
    assert ranks[-1] < ranks[0]


def test_every_point_starts_from_the_original(digits_cnn: Original, few: Dataset) -> None:
    swept = list(sweep(digits_cnn, RECIPES, few))
    alone = [measure(compress(digits_cnn, recipe), few) for recipe in RECIPES]
    assert swept == alone


def test_the_order_of_the_points_does_not_matter(digits_cnn: Original, few: Dataset) -> None:
    assert (
        list(sweep(digits_cnn, RECIPES[::-1], few)) == list(sweep(digits_cnn, RECIPES, few))[::-1]
    )


def test_points_come_one_at_a_time(digits_cnn: Original, few: Dataset) -> None:
    points = sweep(digits_cnn, (RECIPES[0], (Quantize(layers=("no such layer",)),)), few)
    assert next(points).size.sparsity == pytest.approx(0.9, abs=1e-4)
    with pytest.raises(ValueError, match="matches no layer"):
        next(points)


def test_a_sweep_writes_nothing_to_the_model(digits_cnn: Original, few: Dataset) -> None:
    before = {key: value.clone() for key, value in digits_cnn.module.state_dict().items()}
    list(sweep(digits_cnn, RECIPES, few))
    after = digits_cnn.module.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
