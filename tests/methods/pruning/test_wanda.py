"""Wanda, against the formula written out with loops, and the output error that it minimizes."""

import itertools
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

from compress_core.methods.pruning import (
    PruneWanda,
    input_norms,
    plan_sparsity,
    prune_lowest,
    wanda_scores,
)
from compress_core.methods.pruning.ranking import row_mask
from compress_core.weights import Profile


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def mean_squares(rows: Tensor) -> Tensor:
    """Σx² / count of each of the inputs (…, count, in)."""
    return rows.double().square().mean(-2)


def pruned(weight: Tensor, norms: Tensor, sparsity: float, scope: str = "row") -> Tensor:
    scores = Profile(wanda_scores(weight, norms))
    (count,) = plan_sparsity(sparsity, scope, {"layer": [scores]})["layer"]
    return prune_lowest(weight, scores, count, scope)


def reference(weight: Tensor, inputs: list[Tensor], sparsity: float) -> Tensor:
    """Sun et al. 2023, section 3, with loops; inputs: those of each output, (count, in)."""
    out = weight.clone().flatten(1)
    for i, x in enumerate(inputs):
        row = out[i].tolist()
        columns = [math.sqrt(sum(v * v for v in x[:, j].tolist())) for j in range(len(row))]
        score = [abs(w) * norm for w, norm in zip(row, columns, strict=True)]
        order = sorted(range(len(row)), key=score.__getitem__)
        for j in order[: round(sparsity * len(row))]:
            out[i, j] = 0.0
    return out.view(weight.shape)


@pytest.mark.parametrize("sparsity", [0.0, 0.25, 0.5, 0.9])
def test_a_linear_layer_is_pruned_as_the_formula_says(sparsity: float) -> None:
    weight, x = normal(6, 20), normal(30, 20, seed=1) * torch.linspace(0.1, 3, 20)
    expected = reference(weight, [x] * 6, sparsity)
    assert torch.equal(pruned(weight, input_norms(mean_squares(x)), sparsity), expected)


@given(
    groups=st.integers(1, 3),
    per_group=st.tuples(st.integers(1, 3), st.integers(1, 3)),  # out and in channels
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    sparsity=st.sampled_from([0.2, 0.5, 0.8]),
)
def test_a_convolution_is_pruned_as_the_formula_says_group_by_group(
    groups: int, per_group: tuple[int, int], kernel: tuple[int, int], sparsity: float
) -> None:
    out, channels = per_group
    weight = normal(groups * out, channels, *kernel)
    images = normal(2, groups, channels, 5, 5, seed=1) * torch.rand(groups, channels, 1, 1)
    patches = [functional.unfold(images[:, g], kernel).mT.flatten(0, 1) for g in range(groups)]
    norms = input_norms(torch.stack([mean_squares(x) for x in patches]))  # (groups, in per group)
    sparsity = min(sparsity, 1 - 1 / weight[0].numel())  # one weight of a row is always left
    expected = reference(weight, [patches[i // out] for i in range(groups * out)], sparsity)
    assert torch.equal(pruned(weight, norms, sparsity), expected)


@given(st.integers(0, 99), st.floats(1e-3, 1e3))
def test_equal_norms_give_the_magnitudes_of_each_row(seed: int, norm: float) -> None:
    weight = normal(5, 8, seed=seed)
    norms = torch.full((8,), norm, dtype=torch.float64)
    assert torch.equal(pruned(weight, norms, 0.5) != 0, row_mask(weight, 4))


@given(st.integers(0, 99), st.integers(1, 5))
def test_with_uncorrelated_inputs_no_other_mask_has_less_output_error(
    seed: int, count: int
) -> None:
    loudness = torch.rand(6, generator=torch.Generator().manual_seed(seed)) + 0.1
    x, weight = torch.diag(loudness), normal(1, 6, seed=seed)
    kept = pruned(weight, input_norms(mean_squares(x)), count / 6)
    errors = []
    for columns in itertools.combinations(range(6), count):
        masked = weight.clone()
        masked[:, columns] = 0
        errors.append(float((x @ (weight - masked).T).norm()))
    assert float((x @ (weight - kept).T).norm()) == pytest.approx(min(errors))


def test_a_weight_on_a_silent_input_goes_first() -> None:
    weight, norms = torch.tensor([[9.0, 0.5]]), torch.tensor([0.0, 1.0])
    assert pruned(weight, norms, 0.5).tolist() == [[0.0, 0.5]]


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.9])
def test_layer_scope_equals_torchs_with_these_scores(sparsity: float) -> None:
    weight, norms = normal(7, 9), normal(9, seed=1).abs()
    module = nn.Module()
    module.weight = nn.Parameter(weight.clone())
    scores = wanda_scores(weight, norms)
    torch_prune.l1_unstructured(module, "weight", sparsity, importance_scores=scores)
    assert torch.equal(pruned(weight, norms, sparsity, "layer") != 0, module.weight_mask.bool())


def test_the_norms_are_root_mean_squares_of_the_inputs() -> None:
    x = torch.tensor([[3.0, 0.0], [4.0, 2.0]])
    assert input_norms(mean_squares(x)).tolist() == pytest.approx([math.sqrt(12.5), math.sqrt(2)])


@pytest.mark.parametrize("shape", [(4,), (2, 4), (4, 3)])
def test_norms_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        ValueError, match=r"norms of shape .* weight of shape \(6, 3\); .* 3 inputs"
    ):
        wanda_scores(torch.ones(6, 3), torch.ones(shape))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_norms_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"norms holds 1 NaN or infinite values of 2; .*look"):
        wanda_scores(torch.ones(3, 2), torch.tensor([1.0, value]))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"sparsity": -0.1}, ["sparsity=-0.1", "at least 0", "fraction"]),
        ({"sparsity": 0.5, "scope": "column"}, ["scope='column'", "global, layer, row", "choose"]),
        ({"sparsity": 0.5, "samples": 0}, ["samples=0", "at least 1", "256"]),
        ({"sparsity": 0.5, "seed": 0.5}, ["seed=0.5", "whole number"]),
        ({"sparsity": 0.5, "layers": ("",)}, ["layers=('',)", "at least one"]),
    ],
)
def test_a_bad_setting_is_refused(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        PruneWanda(**settings)
