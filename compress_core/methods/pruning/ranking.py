"""Which weights are the lowest, with exact counts and a fixed order of equal weights.

First a step becomes a number of weights for each tensor. So "90 %" means exactly round(0.9·n)
weights, even if some are equal, and a moved slider changes only the tensors whose number changed.
Ranked are the magnitudes of the weights, or any other score >= 0 of the same shape.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from compress_core.methods.step import (
    ALL_LAYERS,
    check_choice,
    check_layers,
    check_number,
    check_seed,
    check_whole,
)
from compress_core.weights import Profile, as_matrix, counts_below

Counts = dict[str, tuple[int, ...]]  # how many weights to prune, for each tensor of each layer
ScoreScope = Literal["global", "layer", "row"]  # what is ranked together


def check_sparsity(sparsity: float) -> None:
    check_number(
        "sparsity", sparsity, low=0, high=1, remedy="it is a fraction, and 1 would leave no weight"
    )


def check_scope(scope: str) -> None:
    check_choice("scope", scope, get_args(ScoreScope))


def check_draw(samples: int, seed: int) -> None:
    """Raise ValueError unless `samples` calibration images can be drawn by `seed`."""
    check_whole("samples", samples, low=1, high=2**31, remedy="256 calibration images are usual")
    check_seed(seed)


@dataclass(frozen=True)
class PruneMeasured:
    """A step: weights ranked by scores measured on `samples` training images, drawn by `seed`."""

    kind: ClassVar[str] = "prune"

    sparsity: float
    scope: ScoreScope = "global"
    samples: int = 256
    seed: int = 0
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_sparsity(self.sparsity)
        check_scope(self.scope)
        check_draw(self.samples, self.seed)
        check_layers(self.layers)


def check_measured(name: str, values: Tensor) -> None:
    """Raise ValueError where values measured on calibration data are not finite."""
    bad = values.numel() - int(values.isfinite().sum())
    if bad:
        raise ValueError(
            f"{name} holds {bad} NaN or infinite values of {values.numel()}; weights cannot be "
            "ranked by it: look for calibration inputs that are not finite or far out of range"
        )


def plan_sparsity(
    sparsity: float, scope: ScoreScope, profiles: Mapping[str, Sequence[Profile]]
) -> Counts:
    """How many weights of each tensor are pruned; `profiles` may be those of any scores.

    scope: "global" ranks all tensors together; "layer" takes the fraction of each tensor, "row"
      of each row of as_matrix(tensor). In these two scopes a tensor or row keeps at least one
      weight, even if the fraction rounds to all of it.
    """
    if scope == "global":
        split = iter(global_counts([p for parts in profiles.values() for p in parts], sparsity))
        return {name: tuple(next(split) for _ in parts) for name, parts in profiles.items()}
    planned = _count_in_layer if scope == "layer" else _count_in_rows
    return {name: tuple(planned(sparsity, p) for p in parts) for name, parts in profiles.items()}


def _count_in_layer(sparsity: float, profile: Profile) -> int:
    size = profile.weight.numel()
    return min(round(sparsity * size), size - 1)


def _count_in_rows(sparsity: float, profile: Profile) -> int:
    rows, columns = as_matrix(profile.weight).shape
    return rows * min(round(sparsity * columns), columns - 1)


def global_counts(profiles: Sequence[Profile], sparsity: float) -> list[int]:
    """Split the round(sparsity·n) smallest weights of all tensors into a count per tensor.

    The threshold is found by bisection over the bit patterns of float32, which order as the
    magnitudes do: 31 binary searches a tensor, exact, and nothing is merged or sorted again.
    """
    total = round(sparsity * sum(profile.magnitudes.size for profile in profiles))
    if total == 0:
        return [0] * len(profiles)
    low, high = 0, int(np.array(np.inf, np.float32).view(np.int32))
    while low < high:
        middle = (low + high) // 2
        if sum(counts_below(profiles, _from_bits(middle))) >= total:
            high = middle
        else:
            low = middle + 1
    strictly_below = counts_below(profiles, _from_bits(low - 1)) if low else [0] * len(profiles)
    ties = total - sum(strictly_below)
    counts = []
    up_to = counts_below(profiles, _from_bits(low))
    for below, all_ties in zip(strictly_below, up_to, strict=True):
        taken = min(ties, all_ties - below)
        counts.append(below + taken)
        ties -= taken
    return counts


def _from_bits(bits: int) -> float:
    return float(np.array(bits, np.int32).view(np.float32))


def smallest_mask(weight: Tensor, count: int, threshold: float) -> Tensor:
    """Keep all but the `count` smallest |w|; of equal ones the first in memory are pruned first.

    `threshold` is the largest pruned magnitude (`Profile.threshold_at(count)`).
    """
    if count == 0:
        return torch.ones_like(weight, dtype=torch.bool)
    magnitude = weight.abs()
    mask = magnitude > threshold
    spared = count - (mask.numel() - int(mask.sum()))  # negative when ties were pruned too many
    if spared < 0:
        tied = torch.nonzero((magnitude == threshold).view(-1)).view(-1)
        mask.view(-1)[tied[spared:]] = True
    return mask


def row_mask(rows: Tensor, count: int) -> Tensor:
    """Keep all but the `count` smallest |value| of each row, (rows, n) → (rows, n) bool.

    Of equal ones the first are pruned first.
    """
    order = rows.abs().argsort(dim=1, stable=True)
    return torch.ones_like(rows, dtype=torch.bool).scatter_(1, order[:, :count], False)


def prune_lowest(weight: Tensor, scores: Profile, count: int, scope: ScoreScope) -> Tensor:
    """The weight with its `count` lowest-scored entries set to +0; the input is untouched.

    scores: of the shape of the weight. scope: as planned, since "row" takes as many of each row.
    """
    if scope == "row":
        rows = as_matrix(scores.weight)
        mask = row_mask(rows, count // len(rows)).view(weight.shape)
    else:
        mask = smallest_mask(scores.weight, count, scores.threshold_at(count))
    return torch.where(mask, weight, 0.0)
