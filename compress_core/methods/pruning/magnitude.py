"""Magnitude pruning by threshold or by sparsity, and random pruning as the control."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from compress_core.methods.pruning.ranking import (
    Counts,
    check_sparsity,
    plan_sparsity,
    smallest_mask,
)
from compress_core.methods.step import (
    ALL_LAYERS,
    check_choice,
    check_layers,
    check_number,
    check_seed,
)
from compress_core.weights import LARGEST, Profile

Scope = Literal["global", "layer"]


@dataclass(frozen=True)
class Prune:
    """Magnitude pruning: mask = |w| > t. Exactly one of sparsity, threshold and sigmas is given.

    sparsity: fraction of weights to zero, in [0, 1); scope "global" ranks all named layers
      together, "layer" takes the fraction of each. threshold: t itself. sigmas: t = sigmas·σ.
    Raises ValueError for anything else. Source: Han et al. 2015, 1506.02626.
    """

    kind: ClassVar[str] = "prune"

    sparsity: float | None = None
    threshold: float | None = None
    sigmas: float | None = None
    scope: Scope = "global"
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        given = [self.sparsity, self.threshold, self.sigmas]
        if sum(value is not None for value in given) != 1:
            raise ValueError(
                f"sparsity={self.sparsity}, threshold={self.threshold}, sigmas={self.sigmas}: "
                "give exactly one of them"
            )
        if self.sparsity is not None:
            check_sparsity(self.sparsity)
        for name, value in (("threshold", self.threshold), ("sigmas", self.sigmas)):
            if value is not None:
                check_number(
                    name, value, low=0, high=LARGEST, remedy="it is compared with magnitudes"
                )
        check_choice("scope", self.scope, ("global", "layer"))
        check_layers(self.layers)


@dataclass(frozen=True)
class RandomPrune:
    """Random pruning, the control arm: the fraction `sparsity` of each layer's weights, by seed.

    A useful method must be better than it.
    """

    kind: ClassVar[str] = "prune"

    sparsity: float
    seed: int = 0
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_sparsity(self.sparsity)
        check_seed(self.seed)
        check_layers(self.layers)


def seed_for(seed: int, tensor: str) -> int:
    """A seed of its own for each tensor: layers of one size must not get the same mask."""
    return zlib.crc32(f"{seed} {tensor}".encode())


def random_mask(weight: Tensor, count: int, seed: int) -> Tensor:
    """Keep all but `count` weights drawn without replacement."""
    order = torch.randperm(weight.numel(), generator=torch.Generator().manual_seed(seed))
    mask = torch.ones(weight.numel(), dtype=torch.bool)
    mask[order[:count]] = False
    return mask.view(weight.shape)


def plan_prune(step: Prune, profiles: Mapping[str, Sequence[Profile]]) -> Counts:
    """How many weights `step` prunes of each tensor of each layer it names.

    Raises ValueError where a threshold would prune every weight that the step names.
    """
    if step.sparsity is None:
        counts = {
            name: tuple(profile.count_below(_threshold(step, name, profile)) for profile in parts)
            for name, parts in profiles.items()
        }
        _check_some_left(step, counts, profiles)
        return counts
    return plan_sparsity(step.sparsity, step.scope, profiles)


def plan_random(step: RandomPrune, profiles: Mapping[str, Sequence[Profile]]) -> Counts:
    return plan_sparsity(step.sparsity, "layer", profiles)


def _check_some_left(
    step: Prune, counts: Counts, profiles: Mapping[str, Sequence[Profile]]
) -> None:
    flat = [profile for parts in profiles.values() for profile in parts]
    if sum(map(sum, counts.values())) < sum(profile.weight.numel() for profile in flat):
        return
    largest = max(profile.threshold_at(profile.weight.numel()) for profile in flat)
    given = f"threshold={step.threshold:g}" if step.sigmas is None else f"sigmas={step.sigmas:g}"
    raise ValueError(
        f"{given} prunes every weight of {', '.join(counts)}; the largest magnitude is "
        f"{largest:.4g}: stay below it"
    )


def _threshold(step: Prune, name: str, profile: Profile) -> float:
    if step.threshold is not None:
        return step.threshold
    assert step.sigmas is not None  # __post_init__ lets no other case through
    reason = sigma_refusal(step, profile)
    if reason:
        raise ValueError(f"{name} {reason}, or name other layers (layers=…)")
    return step.sigmas * profile.sigma


def sigma_refusal(step: Prune, profile: Profile) -> str | None:
    """Why weights have no threshold in units of their σ; None where they have one."""
    if step.sigmas is None or profile.sigma > 0:
        return None
    return (
        f"has weights that are all equal, so that their σ is 0 and sigmas={step.sigmas:g} means "
        "nothing; give threshold= for that layer"
    )


def prune_smallest(profile: Profile, count: int) -> Tensor:
    """The weight with its `count` smallest magnitudes set to +0; the input is untouched."""
    mask = smallest_mask(profile.weight, count, profile.threshold_at(count))
    return torch.where(mask, profile.weight, 0.0)


def prune_random(profile: Profile, count: int, seed: int) -> Tensor:
    """The weight with `count` entries, drawn by seed, set to +0; the input is untouched."""
    return torch.where(random_mask(profile.weight, count, seed), profile.weight, 0.0)
