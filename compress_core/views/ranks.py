"""Factors in a few numbers, so that a browser can follow the drag of a rank, or of a budget.

As in `live_profiles`, what lies between two knots is an estimate; the core's exact numbers replace
it when the drag ends.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress_core.compressed import compress
from compress_core.measurement.report import module_macs
from compress_core.methods.low_rank import (
    Decomposition,
    Factorize,
    Form,
    Ranks,
    full_rank,
    parameter_count,
    plan_ranks,
    ranks_at,
)
from compress_core.original import Original

Floats = NDArray[np.float32]

KNOTS = 400  # ranks of a layer at most
BUDGET_KNOTS = 41
LEAST_BUDGET = 0.01


@dataclass(frozen=True, eq=False)
class RankProfile:
    """One layer in one form at `ranks` (k,), 1 … full: the share of energy kept, the weights and
    the MACs of all parts, and r_in of a Tucker triple (of a pair the rank again).

    `values` (k,) are singular values: of the matrix that the pair truncates, of a triple those of
    the unfolding along the outputs.
    """

    name: str
    full: int
    ranks: Floats
    inner: Floats
    values: Floats
    energies: Floats
    counts: Floats
    macs: Floats


def rank_profile(original: Original, decomposition: Decomposition) -> RankProfile:
    """The profile of one of the original's layers."""
    layer, form = decomposition.layer, decomposition.form
    full = full_rank(layer.shape, form)
    shown = np.unique(np.linspace(1, full, min(KNOTS, full)).astype(int))
    at = [ranks_at(layer.shape, rank, form) for rank in shown.tolist()]
    cost = PartCost.of(original, layer.name, form)
    return RankProfile(
        name=layer.name,
        full=full,
        ranks=shown.astype(np.float32),
        inner=np.array([ranks[0] for ranks in at], np.float32),
        values=singular_values(decomposition)[shown - 1].astype(np.float32),
        energies=np.array([decomposition.kept(ranks) for ranks in at], np.float32),
        counts=np.array([parameter_count(layer.shape, r, form) for r in at], np.float32),
        macs=np.array([cost.macs(ranks) for ranks in at], np.float32),
    )


def singular_values(decomposition: Decomposition) -> NDArray[np.float64]:
    """Singular values, of which a rank keeps the first: descending, (full,), up to a factor.

    √ of the energy that each rank adds; for a Tucker triple with r_in at its full rank.
    """
    layer, form = decomposition.layer, decomposition.form
    full = ranks_at(layer.shape, full_rank(layer.shape, form), form)
    kept = [decomposition.kept((*full[:-1], rank)) for rank in range(1, full[-1] + 1)]
    return np.sqrt(np.maximum(0, np.diff(kept, prepend=0)))


@dataclass(frozen=True)
class PartCost:
    """MACs of each part of a factorized layer, as counted at `ranks`.

    A part has its weights' MACs once a position of its output, and the positions are the same at
    any rank: from one count follow all others, exactly.
    """

    counted: tuple[int, ...]
    ranks: Ranks

    @classmethod
    def of(cls, original: Original, layer: str, form: Form) -> "PartCost":
        """Counted in a forward pass of the thinnest factors."""
        thin = compress(original, (Factorize(rank=1, form=form, layers=(layer,)),))
        stored = thin.layers[layer]
        found = module_macs(thin)
        paths = (key.removesuffix(".weight") for key in stored.weight_keys)
        # weights without a network multiply nothing
        return cls(tuple(found.get(path, 0) for path in paths), stored.ranks)

    def macs(self, ranks: Ranks) -> int:
        """MACs of all parts at `ranks`."""
        now, then = (1, *ranks, 1), (1, *self.ranks, 1)  # widths between the parts, beside the ends
        return sum(
            count * now[i] * now[i + 1] // (then[i] * then[i + 1])
            for i, count in enumerate(self.counted)
        )


@dataclass(frozen=True, eq=False)
class BudgetProfile:
    """One layer at each of the shared `budgets` (b,): its rank (0: left as it is), the weights of
    its parts, and the energy kept."""

    name: str
    weights: int
    budgets: Floats
    ranks: Floats
    counts: Floats
    energies: Floats


def budget_profiles(groups: Sequence[Mapping[str, Decomposition]]) -> list[BudgetProfile]:
    """The profile of each layer; each group spends the same share of its own weights.

    The budgets reach from the thinnest factors, or LEAST_BUDGET, to 1, and are denser where they
    are small.
    """
    least = max([LEAST_BUDGET, *(least_budget(group) for group in groups)])
    budgets = np.geomspace(least, 1, BUDGET_KNOTS) if least < 1 else np.ones(1)
    plans = [_plan_all(groups, budget) for budget in budgets.tolist()]
    decompositions = {name: found for group in groups for name, found in group.items()}
    return [
        _budget_profile(found, budgets, [plan[name] for plan in plans])
        for name, found in decompositions.items()
    ]


def least_budget(group: Mapping[str, Decomposition]) -> float:
    """The share of a group's weights that its thinnest factors have, in steps of 0.01 %."""
    full = sum(found.layer.weight.numel() for found in group.values())
    thin = sum(
        min(int(found.options.counts[0]), found.layer.weight.numel()) for found in group.values()
    )
    return min(1.0, float(np.ceil(1e4 * thin / full) / 1e4))


def _plan_all(
    groups: Sequence[Mapping[str, Decomposition]], budget: float
) -> dict[str, Ranks | None]:
    ranks: dict[str, Ranks | None] = {}
    for group in groups:
        ranks |= plan_ranks(Factorize(budget=min(1.0, budget)), group)
    return ranks


def _budget_profile(
    found: Decomposition, budgets: NDArray[np.float64], plan: Sequence[Ranks | None]
) -> BudgetProfile:
    layer, form = found.layer, found.form
    weights = layer.weight.numel()
    counts = [parameter_count(layer.shape, ranks, form) if ranks else weights for ranks in plan]
    return BudgetProfile(
        name=layer.name,
        weights=weights,
        budgets=budgets.astype(np.float32),
        ranks=np.array([ranks[-1] if ranks else 0 for ranks in plan], np.float32),
        counts=np.array(counts, np.float32),
        energies=np.array([found.kept(r) if r else 1.0 for r in plan], np.float32),
    )
