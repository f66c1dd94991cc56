"""Magnitude and random pruning, with torch's own pruning as the oracle."""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune as torch_prune

from compress_core.compressed import compress
from compress_core.methods.pruning import (
    Prune,
    RandomPrune,
    plan_prune,
    plan_random,
    random_mask,
)
from compress_core.original import Original
from compress_core.weights import Profile


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def kept(original: Original, step: Prune | RandomPrune) -> dict[str, Tensor]:
    layers = compress(original, (step,)).layers
    return {name: stored.dense != 0 for name, stored in layers.items()}


def torch_layers(original: Original) -> dict[str, nn.Module]:
    """Copies of the layers, for torch's pruning to write to."""
    layers = {}
    for name, layer in original.layers.items():
        layers[name] = nn.Module()
        layers[name].weight = nn.Parameter(layer.weight.clone())
    return layers


def test_a_one_sigma_threshold_prunes_68_percent_of_a_normal_tensor() -> None:
    profile = Profile(normal(1000, 1000))
    (count,) = plan_prune(Prune(sigmas=1), {"fc": [profile]})["fc"]
    assert count / 1e6 == pytest.approx(math.erf(1 / math.sqrt(2)), abs=0.0015)  # 0.6827


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.9, 0.99])
def test_layer_sparsity_equals_torchs_l1_unstructured(
    digits_cnn: Original, sparsity: float
) -> None:
    expected = torch_layers(digits_cnn)
    for layer in expected.values():
        torch_prune.l1_unstructured(layer, "weight", sparsity)
    masks = kept(digits_cnn, Prune(sparsity=sparsity, scope="layer"))
    for name, layer in expected.items():
        assert torch.equal(masks[name], layer.weight_mask.bool())


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.9, 0.99])
def test_global_sparsity_equals_torchs_global_unstructured(
    digits_cnn: Original, sparsity: float
) -> None:
    expected = torch_layers(digits_cnn)
    torch_prune.global_unstructured(
        [(layer, "weight") for layer in expected.values()],
        torch_prune.L1Unstructured,
        amount=sparsity,
    )
    masks = kept(digits_cnn, Prune(sparsity=sparsity))
    for name, layer in expected.items():
        assert torch.equal(masks[name], layer.weight_mask.bool())


@pytest.mark.parametrize("sparsity", [0.0, 0.25, 0.5, 0.9])
def test_random_pruning_prunes_as_many_as_torchs(digits_cnn: Original, sparsity: float) -> None:
    expected = torch_layers(digits_cnn)
    masks = kept(digits_cnn, RandomPrune(sparsity=sparsity))
    for name, layer in expected.items():
        torch_prune.random_unstructured(layer, "weight", sparsity)
        assert int(masks[name].sum()) == int(layer.weight_mask.sum())


def test_half_sparsity_leaves_half_the_weights(linear_of: Callable[[Tensor], Original]) -> None:
    masks = kept(linear_of(normal(8, 8)), Prune(sparsity=0.5))
    assert int(masks["fc"].sum()) == 32


def test_kept_weights_are_untouched_and_pruned_ones_are_plus_zero(
    linear_of: Callable[[Tensor], Original],
) -> None:
    dense = compress(linear_of(torch.tensor([[-1.0, -3.0]])), (Prune(threshold=2),)).layers["fc"]
    assert dense.dense.tolist() == [[0.0, -3.0]]
    assert math.copysign(1, dense.dense[0, 0]) == 1


def test_a_threshold_prunes_each_layer_by_the_same_magnitude(digits_cnn: Original) -> None:
    masks = kept(digits_cnn, Prune(threshold=0.05))
    for name, layer in digits_cnn.layers.items():
        assert torch.equal(masks[name], layer.weight.abs() > 0.05)


def test_sigmas_follow_the_spread_of_each_layer(digits_cnn: Original) -> None:
    masks = kept(digits_cnn, Prune(sigmas=0.7))
    for name, layer in digits_cnn.layers.items():
        threshold = 0.7 * float(np.std(layer.weight.numpy(), dtype=np.float64))
        assert torch.equal(masks[name], layer.weight.abs() > np.float32(threshold))


def test_zero_sparsity_prunes_nothing(digits_cnn: Original) -> None:
    assert all(mask.all() for mask in kept(digits_cnn, Prune(sparsity=0)).values())


def test_half_of_a_constant_layer_is_exactly_half(animal: Callable[[str], Original]) -> None:
    masks = kept(animal("constant"), Prune(sparsity=0.5))
    assert masks["fc"].view(-1).tolist() == [False] * 6 + [True] * 6


def test_both_factors_of_a_pair_are_planned_together() -> None:
    pair = [Profile(torch.tensor([1.0, 2.0])), Profile(torch.tensor([3.0, 4.0]))]
    assert plan_prune(Prune(sparsity=0.5), {"fc": pair}) == {"fc": (2, 0)}
    assert plan_prune(Prune(sparsity=0.5, scope="layer"), {"fc": pair}) == {"fc": (1, 1)}


def test_random_pruning_takes_the_same_share_of_every_layer() -> None:
    profiles = {"a": [Profile(normal(10))], "b": [Profile(normal(40))]}
    assert plan_random(RandomPrune(sparsity=0.3), profiles) == {"a": (3,), "b": (12,)}


def test_the_same_seed_draws_the_same_weights() -> None:
    weight = normal(10, 10)
    first, again, other = (random_mask(weight, 50, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_random_masks_leave_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    random_mask(normal(4), 2, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("step", "settings", "words"),
    [
        (Prune, {"sparsity": 1.0}, ["sparsity=1", "below 1", "leave no weight"]),
        (Prune, {"sparsity": -0.1}, ["sparsity=-0.1", "at least 0", "fraction"]),
        (Prune, {"sparsity": 90}, ["sparsity=90", "below 1", "fraction"]),
        (Prune, {"sparsity": math.nan}, ["sparsity=nan", "no number", "fraction"]),
        (Prune, {"threshold": -1}, ["threshold=-1", "at least 0", "magnitudes"]),
        (Prune, {"threshold": math.inf}, ["threshold=inf", "at least 0", "magnitudes"]),
        (Prune, {"sigmas": -1}, ["sigmas=-1", "at least 0", "magnitudes"]),
        (Prune, {}, ["sparsity=None", "give exactly one"]),
        (Prune, {"sparsity": 0.5, "sigmas": 1}, ["sigmas=1", "give exactly one"]),
        (Prune, {"sparsity": 0.5, "scope": "model"}, ["scope='model'", "global, layer", "choose"]),
        (Prune, {"sparsity": 0.5, "layers": ()}, ["layers=()", "at least one", "such as"]),
        (Prune, {"sparsity": 0.5, "layers": "fc1"}, ["layers='fc1'", "at least one", "such as"]),
        (RandomPrune, {"sparsity": 1}, ["sparsity=1", "below 1", "leave no weight"]),
        (RandomPrune, {"sparsity": 0.5, "seed": -1}, ["seed=-1", "at least 0"]),
        (RandomPrune, {"sparsity": 0.5, "seed": 0.5}, ["seed=0.5", "whole number"]),
    ],
)
def test_a_bad_setting_is_refused(
    step: type[Prune | RandomPrune], settings: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        step(**settings)
