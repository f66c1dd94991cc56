"""How each training step trains: its settings, its constraints, its hooks."""

from dataclasses import replace
from typing import Any, assert_never

import torch
from torch import Tensor

from compress_core.methods.retraining import (
    Distil,
    FineTune,
    GradualPrune,
    L1Prune,
    QuantizeAware,
    RateTrain,
    Rewind,
    sparsity_at,
)
from compress_core.training.constraints import Free, Make, Priced, held, moving, priced
from compress_core.training.loop import Hooks, Moment
from compress_core.training.settings import Settings, settings_of
from compress_core.training.student import Student

TrainingStep = FineTune | GradualPrune | L1Prune | Rewind | QuantizeAware | Distil | RateTrain
# How fast each method trains, as a share of the rate that the network itself was trained with.
RATES: dict[type[Any], float] = {
    FineTune: 0.1,
    GradualPrune: 0.3,
    L1Prune: 0.3,
    Rewind: 1.0,
    Distil: 0.3,
}
CODED_RATE = 1e-3  # of AdamW, for scales, codebooks and weights behind codes
PRUNINGS = 100  # in the course of a gradual pruning


def constraint_of(step: TrainingStep) -> Make:
    """How a step holds the weights that it trains."""
    match step:
        case FineTune() | Rewind() | Distil() | GradualPrune() | L1Prune():
            return held
        case QuantizeAware():
            return moving
        case RateTrain():
            return priced
        case _:
            assert_never(step)


def hooks_of(step: TrainingStep, student: Student) -> Hooks:
    """What a step adds to the loop."""
    match step:
        case GradualPrune():
            return Hooks(after_step=Gradual(step, student))
        case L1Prune():
            return Hooks(after_step=lambda student, at: shrink(student, step, at))
        case RateTrain():
            return Hooks(penalty=lambda student: price(student, step))
        case FineTune() | Rewind() | Distil() | QuantizeAware():
            return Hooks()
        case _:
            assert_never(step)


def settings_for(step: TrainingStep, name: str, *, coded: bool) -> Settings:
    """How a step trains the network called `name`; `coded` if it trains weights behind codes.

    What stands behind many weights (a scale, an entry of a codebook) has the sum of their
    gradients, of any size: AdamW makes steps of the same size of all of them.
    """
    own = settings_of(name)
    if coded:
        own, usual = replace(own, optimizer="adamw", weight_decay=0.0), CODED_RATE
    else:
        usual = own.learning_rate * RATES[type(step)]
    return replace(
        own,
        epochs=step.epochs,
        learning_rate=usual if step.learning_rate is None else step.learning_rate,
        schedule="one_cycle" if isinstance(step, Rewind) else "cosine",
    )


def shrink(student: Student, step: L1Prune, at: Moment) -> None:
    """A proximal step of the L1 penalty on every trained weight."""
    for constraint in free_weights(student):
        constraint.shrink(step.strength * at.learning_rate)


def price(student: Student, step: RateTrain) -> Tensor:
    """strength · mean bits of a weight."""
    coded = [c for c in student.constraints.values() if isinstance(c, Priced)]
    bits = torch.stack([constraint.bits() for constraint in coded]).sum()
    return step.strength * bits / sum(constraint.count for constraint in coded)


class Gradual:
    """Prunes a little more after every hundredth of the training of a student."""

    def __init__(self, step: GradualPrune, student: Student) -> None:
        weights = free_weights(student)
        zeros = sum(int((free.values == 0).sum()) for free in weights)
        self._start = zeros / sum(free.values.numel() for free in weights)
        self._step = step

    @torch.no_grad()
    def __call__(self, student: Student, at: Moment) -> None:
        if int(at.done * PRUNINGS) == int(at.before * PRUNINGS):
            return
        sparsity = sparsity_at(at.done, self._start, self._step.sparsity, self._step.schedule)
        weights = free_weights(student)
        groups = [weights] if self._step.scope == "global" else [[free] for free in weights]
        for group in groups:
            prune_smallest(group, sparsity)


def prune_smallest(weights: list[Free], sparsity: float) -> None:
    """Hold the fraction `sparsity` of smallest weights of all together at zero."""
    magnitudes = torch.cat([free.values.abs().flatten() for free in weights])
    count = round(sparsity * len(magnitudes))
    if count:
        threshold = magnitudes.kthvalue(count).values
        for free in weights:
            free.hold(free.values.abs() > threshold)


def free_weights(student: Student) -> list[Free]:
    return [c for c in student.constraints.values() if isinstance(c, Free)]
