"""Pruning: weights become zero, by magnitude, and at random as the control."""

from compress_core.methods.pruning.magnitude import (
    Prune,
    RandomPrune,
    Scope,
    plan_prune,
    plan_random,
    prune_random,
    prune_smallest,
    random_mask,
    seed_for,
)
from compress_core.methods.pruning.ranking import (
    Counts,
    ScoreScope,
    check_not_factorized,
    global_counts,
    plan_sparsity,
    prune_lowest,
    smallest_mask,
)

__all__ = [
    "Counts",
    "Prune",
    "RandomPrune",
    "Scope",
    "ScoreScope",
    "check_not_factorized",
    "global_counts",
    "plan_prune",
    "plan_random",
    "plan_sparsity",
    "prune_lowest",
    "prune_random",
    "prune_smallest",
    "random_mask",
    "seed_for",
    "smallest_mask",
]
