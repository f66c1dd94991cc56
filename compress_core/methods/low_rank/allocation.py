"""Divide one budget of weights among several layers: more go where they keep the most energy."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compress_core.methods.low_rank.energy import Options

Choice = tuple[int, ...]  # for each layer the index of its option


@dataclass(frozen=True)
class Upgrade:
    """A step of one layer to a better option."""

    rate: float  # share of the layer's energy for each weight more
    option: int
    cost: int


def allocate(options: Sequence[Options], budget: int) -> Choice:
    """One option for each layer, at most `budget` weights in all, with a large sum of kept energy.

    Greedy: from the cheapest options on, the upgrade with the most energy per weight that still
    fits. On energy curves that are concave that is the Lagrangian optimum of max Σ kept − λ·count:
    exact at each budget that it spends to the last weight, else off by less than one upgrade.
    Never worse than the same share of each layer, which is taken where it happens to be better.
    Raises ValueError where the cheapest options are over the budget.
    """
    even = allocate_evenly(options, budget)
    choices = [allocate_greedily(options, budget)]
    if total_count(options, even) <= budget:
        choices.append(even)
    return max(choices, key=lambda choice: total_kept(options, choice))


def allocate_greedily(options: Sequence[Options], budget: int) -> Choice:
    """The upgrades with the most energy per weight, one by one while there is one that fits."""
    chosen = [0] * len(options)
    left = budget - _least_count(options, budget)
    upgrades = [best_upgrade(option, 0, left) for option in options]
    while possible := [(i, upgrade) for i, upgrade in enumerate(upgrades) if upgrade]:
        layer, best = max(possible, key=lambda item: item[1].rate)
        chosen[layer], left = best.option, left - best.cost
        for i, upgrade in enumerate(upgrades):  # those that still fit are still the best
            if i == layer or (upgrade and upgrade.cost > left):
                upgrades[i] = best_upgrade(options[i], chosen[i], left)
    return tuple(chosen)


def _least_count(options: Sequence[Options], budget: int) -> int:
    least = sum(int(option.counts[0]) for option in options)
    if least > budget:
        full = full_count(options)
        raise ValueError(
            f"a budget of {budget:,} of {full:,} weights is below the {least:,} of the thinnest "
            f"factors; use at least budget={math.ceil(1e4 * least / full) / 1e4:g}, or leave "
            "layers out (layers=…)"
        )
    return least


def best_upgrade(option: Options, chosen: int, left: int) -> Upgrade | None:
    """The option with the most energy per weight more than the chosen one, if any fits."""
    cost = option.counts[chosen + 1 :] - option.counts[chosen]
    gain = option.kept[chosen + 1 :] - option.kept[chosen]
    rate = np.where(cost <= left, gain / cost, 0.0)
    if not rate.any():
        return None
    i = int(rate.argmax())
    return Upgrade(float(rate[i]), chosen + 1 + i, int(cost[i]))


def allocate_evenly(options: Sequence[Options], budget: int) -> Choice:
    """The same share for each layer: its best option of at most that many weights.

    Layers whose cheapest option has more take that one; the sum may be above the budget then.
    """
    full = full_count(options)
    fitting = [int(np.sum(o.counts * full <= budget * o.counts[-1])) for o in options]
    return tuple(max(0, count - 1) for count in fitting)


def full_count(options: Sequence[Options]) -> int:
    """Weights of all layers as they are, the last option of each."""
    return sum(int(option.counts[-1]) for option in options)


def total_count(options: Sequence[Options], choice: Choice) -> int:
    return sum(int(option.counts[i]) for option, i in zip(options, choice, strict=True))


def total_kept(options: Sequence[Options], choice: Choice) -> float:
    return sum(float(option.kept[i]) for option, i in zip(options, choice, strict=True))
