"""The lowest weights: exact counts and stable ties, against one sort of everything."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from compress_core.methods.pruning import (
    Prune,
    global_counts,
    plan_prune,
    plan_sparsity,
    prune_lowest,
    smallest_mask,
)
from compress_core.methods.pruning.ranking import row_mask
from compress_core.weights import Profile

# few different values, so that ties are the rule
tied_values = st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0]), min_size=1, max_size=12)


def test_of_equal_weights_the_first_are_pruned_first() -> None:
    weight = torch.tensor([2.0, 1.0, -1.0, 1.0])
    assert smallest_mask(weight, 2, threshold=1.0).tolist() == [True, False, False, True]


@given(tied_values, st.floats(0, 0.99))
def test_ties_never_change_the_count(values: list[float], sparsity: float) -> None:
    weight = torch.tensor(values)
    (count,) = plan_prune(Prune(sparsity=sparsity, scope="layer"), {"fc": [Profile(weight)]})["fc"]
    mask = smallest_mask(weight, count, Profile(weight).threshold_at(count))
    # one weight is left where the fraction rounds to all of them
    expected = min(round(sparsity * len(values)), len(values) - 1)
    assert int((~mask).sum()) == count == expected


@given(tied_values, st.integers(0, 12))
def test_the_mask_is_that_of_a_stable_sort(values: list[float], count: int) -> None:
    weight, count = torch.tensor(values), min(count, len(values))
    expected = torch.ones(len(values), dtype=torch.bool)
    expected[weight.abs().argsort(stable=True)[:count]] = False
    mask = smallest_mask(weight, count, Profile(weight).threshold_at(count))
    assert torch.equal(mask, expected)


@given(st.lists(tied_values, min_size=1, max_size=4), st.floats(0, 0.99))
def test_global_counts_are_those_of_one_stable_sort(
    tensors: list[list[float]], sparsity: float
) -> None:
    owner = np.repeat(np.arange(len(tensors)), [len(values) for values in tensors])
    order = np.argsort(np.abs(np.concatenate(tensors)), kind="stable")
    pruned = owner[order[: round(sparsity * len(owner))]]
    counts = global_counts([Profile(torch.tensor(values)) for values in tensors], sparsity)
    assert counts == np.bincount(pruned, minlength=len(tensors)).tolist()


def test_global_counts_hold_for_the_smallest_and_largest_floats() -> None:
    extremes = torch.tensor([0.0, 1e-45, 1e-38, 1.0, 3.4e38])
    assert [global_counts([Profile(extremes)], s) for s in (0.2, 0.4, 0.6, 0.8)] == [
        [1],
        [2],
        [3],
        [4],
    ]


@st.composite
def tied_rows(draw: st.DrawFn) -> Tensor:
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 9))
    values = st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=columns, max_size=columns)
    return torch.tensor(draw(st.lists(values, min_size=rows, max_size=rows)))


@given(tied_rows(), st.integers(0, 9))
def test_a_row_mask_is_the_mask_of_each_row_alone(rows: Tensor, count: int) -> None:
    mask = row_mask(rows, min(count, rows.shape[1]))
    for row, kept in zip(rows, mask, strict=True):
        lowest = sorted(range(len(row)), key=row.tolist().__getitem__)[:count]
        assert kept.tolist() == [column not in lowest for column in range(len(row))]


@given(tied_rows(), st.floats(0, 0.99))
def test_row_scope_takes_the_same_number_from_each_row_and_leaves_one(
    scores: Tensor, sparsity: float
) -> None:
    columns = scores.shape[1]
    profile = Profile(scores)
    (count,) = plan_sparsity(sparsity, "row", {"fc": [profile]})["fc"]
    pruned = prune_lowest(torch.ones_like(scores), profile, count, "row")
    expected = min(round(sparsity * columns), columns - 1)
    assert pruned.eq(0).sum(1).tolist() == [expected] * len(scores)
    assert count == expected * len(scores)


def test_the_three_scopes_rank_everything_a_layer_or_a_row_together() -> None:
    weights = {"a": torch.tensor([[1.0, 2.0], [3.0, 4.0]]), "b": torch.tensor([[5.0, 6.0]])}
    scores = {name: Profile(weight) for name, weight in weights.items()}
    left = {}
    for scope in ("global", "layer", "row"):
        counts = plan_sparsity(0.5, scope, {name: [profile] for name, profile in scores.items()})
        pruned = (
            prune_lowest(weights[name], scores[name], counts[name][0], scope) for name in "ab"
        )
        left[scope] = [values.tolist() for values in pruned]
    assert left == {
        "global": [[[0.0, 0.0], [0.0, 4.0]], [[5.0, 6.0]]],
        "layer": [[[0.0, 0.0], [3.0, 4.0]], [[0.0, 6.0]]],
        "row": [[[0.0, 2.0], [0.0, 4.0]], [[0.0, 6.0]]],
    }


@pytest.mark.parametrize("scope", ["layer", "row"])
def test_the_lowest_score_goes_and_not_the_smallest_weight(scope: str) -> None:
    weight, scores = torch.tensor([[-9.0, 1.0]]), Profile(torch.tensor([[0.5, 2.0]]))
    pruned = prune_lowest(weight, scores, 1, scope)
    assert pruned.tolist() == [[0.0, 1.0]]
    assert math.copysign(1, pruned[0, 0]) == 1
    assert weight.tolist() == [[-9.0, 1.0]]
