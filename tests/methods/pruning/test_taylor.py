"""Taylor importance, against gradients by hand and losses that are known exactly."""

import math
import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune as torch_prune

from compress_core.methods.pruning import PruneTaylor, plan_sparsity, prune_lowest, taylor_scores
from compress_core.weights import Profile


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_scores_of_a_two_layer_net_are_those_of_its_gradient_by_hand() -> None:
    x, labels = normal(8, 5), torch.arange(8) % 3
    w1, w2 = normal(4, 5, seed=1).requires_grad_(), normal(3, 4, seed=2).requires_grad_()
    functional.cross_entropy(torch.relu(x @ w1.T) @ w2.T, labels).backward()

    before = x @ w1.T  # (8, 4)
    hidden = before.clamp(min=0)
    error = ((hidden @ w2.T).softmax(1) - functional.one_hot(labels, 3)) / 8  # ∂L/∂logits
    by_hand = {w2: error.T @ hidden, w1: ((error @ w2) * (before > 0)).T @ x}
    for weight, gradient in by_hand.items():
        expected = (weight * gradient).abs().detach()
        torch.testing.assert_close(taylor_scores(weight.detach(), weight.grad), expected)


@given(st.integers(0, 99))
def test_the_score_is_the_change_of_a_linear_loss_when_the_weight_goes(seed: int) -> None:
    weight, slope = normal(3, 4, seed=seed), normal(3, 4, seed=seed + 100)
    scores = taylor_scores(weight, slope)  # the loss is Σ slope·w, its gradient the slope
    for index in range(12):
        without = weight.view(-1).clone()
        without[index] = 0
        change = (slope.double() * (weight - without.view(3, 4)).double()).sum().abs()
        assert float(scores.view(-1)[index]) == pytest.approx(float(change))


def test_a_gradient_of_ones_gives_the_magnitudes() -> None:
    weight = normal(6, 4, 3, 3)
    assert torch.equal(taylor_scores(weight, torch.ones_like(weight)), weight.abs())


def test_scores_do_not_depend_on_the_memory_format_of_the_gradient() -> None:
    weight, gradient = normal(6, 4, 3, 3), normal(6, 4, 3, 3, seed=1)
    last = torch.channels_last
    scores = taylor_scores(weight.to(memory_format=last), gradient.to(memory_format=last))
    assert scores.is_contiguous()
    assert torch.equal(scores, taylor_scores(weight, gradient))


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.9])
def test_global_scope_equals_torchs_with_these_scores(sparsity: float) -> None:
    weights = {"conv": normal(6, 4, 3, 3), "fc": normal(10, 8, seed=2)}
    scores = {n: taylor_scores(w, normal(*w.shape, seed=1)) for n, w in weights.items()}
    modules = {name: nn.Module() for name in weights}
    for name, module in modules.items():
        module.weight = nn.Parameter(weights[name].clone())
    torch_prune.global_unstructured(
        [(module, "weight") for module in modules.values()],
        torch_prune.L1Unstructured,
        importance_scores={(module, "weight"): scores[name] for name, module in modules.items()},
        amount=sparsity,
    )
    profiles = {name: Profile(values) for name, values in scores.items()}
    counts = plan_sparsity(sparsity, "global", {name: [p] for name, p in profiles.items()})
    for name, module in modules.items():
        pruned = prune_lowest(weights[name], profiles[name], counts[name][0], "global")
        assert torch.equal(pruned != 0, module.weight_mask.bool())


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_is_refused(value: float) -> None:
    gradient = torch.tensor([[1.0, value, 2.0]])
    with pytest.raises(ValueError, match=r"gradient holds 1 NaN or infinite values of 3; .*look"):
        taylor_scores(torch.ones(1, 3), gradient)


def test_a_gradient_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, 1\) must have .*\(1, 3\); take it"):
        taylor_scores(torch.ones(1, 3), torch.ones(3, 1))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sparsity": 1}, ["sparsity=1", "below 1", "leave no weight"]),
        ({"sparsity": 0.5, "scope": "model"}, ["scope='model'", "global, layer, row", "choose"]),
        ({"sparsity": 0.5, "samples": 0}, ["samples=0", "at least 1", "256"]),
        ({"sparsity": 0.5, "samples": 2.5}, ["samples=2.5", "whole number"]),
        ({"sparsity": 0.5, "seed": -1}, ["seed=-1", "at least 0"]),
        ({"sparsity": 0.5, "layers": "fc1"}, ["layers='fc1'", "at least one"]),
    ],
)
def test_a_bad_setting_is_refused(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        PruneTaylor(**settings)
