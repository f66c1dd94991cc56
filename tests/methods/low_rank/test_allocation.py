"""One budget over layers: brute force on tiny cases; never worse than the same share of each."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from compress_core.methods.low_rank.allocation import (
    allocate,
    allocate_evenly,
    allocate_greedily,
    total_count,
    total_kept,
)
from compress_core.methods.low_rank.energy import Options, energy_curve


def make_options(spectrum: list[int], cost: int) -> Options:
    """Ranks of a layer with these singular values, each for `cost`, and the layer as it is."""
    kept = energy_curve(np.sort(np.array(spectrum, float))[::-1])
    n = len(kept)
    counts = cost * np.arange(1, n + 1)
    return Options((*((r,) for r in range(1, n)), None), counts, kept)


layers = st.lists(
    st.builds(
        make_options, st.lists(st.integers(1, 50), min_size=1, max_size=4), st.integers(1, 9)
    ),
    min_size=1,
    max_size=3,
)


def best_kept(options: list[Options], budget: int) -> float:
    choices = itertools.product(*(range(len(option.ranks)) for option in options))
    fitting = (c for c in choices if total_count(options, c) <= budget)
    return max(total_kept(options, choice) for choice in fitting)


def draw_budget(options: list[Options], data: st.DataObject) -> int:
    least = total_count(options, (0,) * len(options))
    return data.draw(st.integers(least, sum(int(option.counts[-1]) for option in options)))


@given(layers, st.data())
def test_the_budget_is_kept(options: list[Options], data: st.DataObject) -> None:
    budget = draw_budget(options, data)
    assert total_count(options, allocate(options, budget)) <= budget


@given(layers, st.data())
def test_it_is_never_worse_than_the_same_share_of_each(
    options: list[Options], data: st.DataObject
) -> None:
    budget = draw_budget(options, data)
    even = allocate_evenly(options, budget)
    assume(total_count(options, even) <= budget)
    assert total_kept(options, allocate(options, budget)) >= total_kept(options, even)


@given(layers, st.floats(1e-4, 1))
def test_it_is_the_optimum_wherever_a_price_of_a_weight_leads(
    options: list[Options], price: float
) -> None:
    """Each layer alone takes what is worth its price: no choice with as few weights keeps more."""
    priced = tuple(int(np.argmax(o.kept - price * o.counts)) for o in options)
    budget = total_count(options, priced)
    expected = best_kept(options, budget)
    assert total_kept(options, priced) == pytest.approx(expected)
    assert total_kept(options, allocate(options, budget)) == pytest.approx(expected)


@given(layers, st.data())
def test_it_is_off_the_optimum_by_less_than_one_upgrade(
    options: list[Options], data: st.DataObject
) -> None:
    budget = draw_budget(options, data)
    steps = [float(np.diff(o.kept).max(initial=0)) for o in options]
    kept = total_kept(options, allocate(options, budget))
    assert best_kept(options, budget) <= kept + max(steps) + 1e-9


def test_energy_for_each_weight_decides_by_hand() -> None:
    steep = make_options([3, 1], cost=10)  # keeps 0.9 at once
    flat = make_options([1, 1], cost=5)  # 0.5 more for 5 weights
    assert allocate([steep, flat], 20) == (0, 1)
    assert allocate([steep, flat], 25) == (0, 1)
    assert allocate([steep, flat], 30) == (1, 1)


def test_the_same_share_is_taken_where_it_packs_better() -> None:
    """The best upgrade for its weights is 5 of the first layer's, and wastes the last one."""
    first = Options(((1,), (2,), (3,), None), np.array([2, 5, 7, 10]), np.array([0, 0.42, 0.75, 1]))
    second = Options(((1,), (2,), None), np.array([2, 5, 10]), np.array([0, 0.42, 1]))
    assert allocate_greedily([first, second], 10) == (2, 0)
    assert allocate([first, second], 10) == (1, 1)


def test_a_whole_budget_leaves_every_layer_as_it_is() -> None:
    options = [make_options([4, 2, 1], cost=3), make_options([1, 1], cost=7)]
    assert allocate(options, 23) == (2, 1)


def test_a_budget_below_the_thinnest_factors_names_the_least() -> None:
    options = [make_options([4, 2, 1], cost=3), make_options([1, 1], cost=7)]
    rule = r"budget of 9 of 23 weights .* 10 of the thinnest.*use at least budget=0.4348, or leave"
    with pytest.raises(ValueError, match=rule):
        allocate(options, 9)
