"""Pruning: weights become zero, by magnitude, pattern or score, and at random as the control."""

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
    sigma_refusal,
)
from compress_core.methods.pruning.ranking import (
    Counts,
    ScoreScope,
    global_counts,
    plan_sparsity,
    prune_lowest,
    smallest_mask,
)
from compress_core.methods.pruning.semi_structured import PruneNM, prune_nm
from compress_core.methods.pruning.taylor import PruneTaylor, taylor_scores
from compress_core.methods.pruning.wanda import PruneWanda, input_norms, wanda_scores

__all__ = [
    "Counts",
    "Prune",
    "PruneNM",
    "PruneTaylor",
    "PruneWanda",
    "RandomPrune",
    "Scope",
    "ScoreScope",
    "global_counts",
    "input_norms",
    "plan_prune",
    "plan_random",
    "plan_sparsity",
    "prune_lowest",
    "prune_nm",
    "prune_random",
    "prune_smallest",
    "random_mask",
    "seed_for",
    "sigma_refusal",
    "smallest_mask",
    "taylor_scores",
    "wanda_scores",
]
