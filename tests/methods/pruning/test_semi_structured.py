"""N:M pruning, against brute force over each group and torch's own block sparsifier."""

import itertools
import re
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.ao.pruning import WeightNormSparsifier

from compress_core.methods.pruning import PruneNM, prune_nm
from compress_core.methods.pruning.semi_structured import kept_in_group, nm_mask


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


patterns = st.integers(2, 32).flatmap(lambda m: st.tuples(st.integers(1, m - 1), st.just(m)))
# Linear, Conv1d, Conv2d: out, in (per group), kernel
shapes = st.one_of(
    st.tuples(st.integers(1, 4), st.integers(1, 70)),
    st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 5)),
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3), st.integers(1, 3)),
)


@st.composite
def tied_weights(draw: st.DrawFn) -> Tensor:
    """Of few different values, so that ties are the rule."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    return torch.randint(-2, 3, draw(shapes), generator=generator).float()


@given(tied_weights(), patterns)
def test_each_group_is_that_of_a_stable_sort(weight: Tensor, pattern: tuple[int, int]) -> None:
    n, m = pattern
    for row, kept in zip(weight.flatten(1), nm_mask(weight, n, m).flatten(1), strict=True):
        for start in range(0, len(row), m):
            group = row[start : start + m].abs().tolist()
            pruned = len(group) - -(-n * len(group) // m)
            lowest = sorted(range(len(group)), key=group.__getitem__)[:pruned]
            expected = [column not in lowest for column in range(len(group))]
            assert kept[start : start + m].tolist() == expected


@given(st.integers(0, 99), st.sampled_from([(1, 4), (2, 4), (3, 4), (2, 5)]))
def test_no_other_mask_of_the_pattern_keeps_more_energy(
    seed: int, pattern: tuple[int, int]
) -> None:
    n, m = pattern
    weight = torch.randn(3, 2 * m, generator=torch.Generator().manual_seed(seed))
    groups = weight.view(-1, m)
    best = [max(sum(kept) for kept in itertools.combinations(g.square(), n)) for g in groups]
    kept = prune_nm(weight, n, m).square().view(-1, m).sum(1)
    torch.testing.assert_close(kept, torch.stack(best))


@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (3, 8)])
def test_linear_masks_are_those_of_torchs_block_sparsifier(n: int, m: int) -> None:
    model = nn.Sequential(nn.Linear(4 * m, 12, bias=False))
    model[0].weight.data = normal(12, 4 * m)
    sparsifier = WeightNormSparsifier(
        sparsity_level=1.0, sparse_block_shape=(1, m), zeros_per_block=m - n
    )
    sparsifier.prepare(model, [{"tensor_fqn": "0.weight"}])
    sparsifier.step()
    assert torch.equal(
        nm_mask(normal(12, 4 * m), n, m), model[0].parametrizations.weight[0].mask != 0
    )


@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 9))
def test_2_4_is_exactly_half_where_4_divides_the_inputs(out: int, groups: int, seed: int) -> None:
    weight = torch.randn(out, 4 * groups, generator=torch.Generator().manual_seed(seed))
    assert int(prune_nm(weight, 2, 4).count_nonzero()) * 2 == weight.numel()


def test_1_4_of_a_convolution_leaves_a_quarter() -> None:
    assert int(prune_nm(normal(6, 4, 3, 3), 1, 4).count_nonzero()) * 4 == 6 * 4 * 3 * 3


def test_groups_run_along_a_row_and_never_into_the_next() -> None:
    weight = torch.tensor([[1.0, 2.0, 3.0, 4.0], [8.0, 7.0, 6.0, 5.0]])
    assert prune_nm(weight, 1, 2).tolist() == [[0.0, 2.0, 0.0, 4.0], [8.0, 0.0, 6.0, 0.0]]


def test_a_ragged_last_group_keeps_its_share_rounded_up() -> None:
    weight = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]])  # 2 of 4, then ⌈1.5⌉ of 3
    assert prune_nm(weight, 2, 4).tolist() == [[0.0, 0.0, 3.0, 4.0, 0.0, 6.0, 7.0]]


@given(patterns, st.data())
def test_a_ragged_group_keeps_one_and_stays_n_m_under_padding(
    pattern: tuple[int, int], data: st.DataObject
) -> None:
    n, m = pattern
    size = data.draw(st.integers(1, m))
    kept = kept_in_group(size, n, m)
    assert 1 <= kept <= min(n, size)
    assert kept >= n * size / m > kept - 1


def test_of_equal_weights_the_first_are_pruned_first() -> None:
    assert nm_mask(torch.ones(1, 4), 2, 4).tolist() == [[False, False, True, True]]


def test_kept_weights_are_untouched_and_the_input_too() -> None:
    weight = normal(5, 3, 3, 3)
    pruned, mask = prune_nm(weight, 2, 4), nm_mask(weight, 2, 4)
    assert torch.equal(pruned[mask], weight[mask])
    assert not torch.signbit(pruned[~mask]).any()
    assert torch.equal(weight, normal(5, 3, 3, 3))


def test_pruning_twice_is_pruning_once() -> None:
    once = prune_nm(normal(4, 10), 2, 4)
    assert torch.equal(prune_nm(once, 2, 4), once)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n": 0}, ["n=0", "at least 1 and below 4", "kept weights"]),
        ({"n": 4}, ["n=4", "below 4", "kept weights"]),
        ({"n": 1.5}, ["n=1.5", "whole number"]),
        ({"n": 1, "m": 1}, ["m=1", "at least 2", "2:4"]),
        ({"m": 33}, ["m=33", "below 33", "2:4"]),
        ({"n": True}, ["n=True", "no number"]),
        ({"layers": ()}, ["layers=()", "at least one"]),
    ],
)
def test_a_bad_setting_is_refused(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        PruneNM(**settings)
