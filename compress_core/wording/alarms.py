"""Alarms in words: each one sentence with what to do."""

from collections.abc import Callable
from typing import assert_never

from compress_core.measurement.losses import Lost
from compress_core.recipe import format_step
from compress_core.steps import AnyStep, row_of
from compress_core.tasks import METRICS
from compress_core.views.alarms import (
    Alarm,
    AtChance,
    AtFloor,
    FewWeights,
    LargerFactors,
    LargerFile,
    NoEffect,
)
from compress_core.wording.numbers import percent

Describe = Callable[[AnyStep], str]  # a step in words
REMEDIES = {  # for each kind of step that made the file larger
    "fold": "the biases that it adds are stored, too; quantize after it, or remove the step",
    "structured": "remove more channels, or remove the step",
    "factorize": "choose a smaller rank, or remove the step",
    "prune": "prune more (a few zeros save less than their places cost), or remove the step",
    "quantize": "choose fewer bits or larger groups, or remove the step",
    "share": "choose fewer clusters, or remove the step",
    "correct": "the biases that it adds are stored, too: name fewer layers, or remove the step",
    "recalibrate": "it changes no size: look at the other steps, or remove the step",
    "rest": "their scales are stored, too: leave out the smallest tensors, or remove the step",
    "activations": "the inputs' ranges are stored, too: name fewer layers, or remove the step",
}


def alarm_in_words(alarm: Alarm, describe: Describe = format_step) -> str:
    """One sentence on what went wrong and what to do; `describe` words a step."""
    match alarm.fact:
        case AtChance() as fact:
            return (
                f"Right on {percent(fact.accuracy)} of {fact.n:,} images, no better than guessing "
                f"one of {fact.class_count} classes: weaken a step of the recipe, or remove it."
            )
        case Lost() as fact:
            return f"{_loss(fact)}; {_culprit(fact, describe)}."
        case FewWeights() as fact:
            return f"{alarm.layer} {_left(fact)}: {_revival(fact.step)}."
        case AtFloor() as fact:
            return (
                f"{alarm.layer} keeps only {fact.channels} of its {fact.original_channels} "
                "channels, which is its floor: remove a smaller share, or raise the floor."
            )
        case NoEffect() as fact:
            named = f"“{describe(fact.step)}” (step {fact.index + 1})"
            return f"{named} changes nothing, {_why_nothing(fact)}."
        case LargerFactors() as fact:
            ranks = " and ".join(map(str, fact.ranks))
            return (
                f"{alarm.layer} at rank {ranks} has {fact.weights:,} weights instead of "
                f"{fact.original_weights:,}: {_smaller_rank(fact)}."
            )
        case LargerFile() as fact:
            return (
                f"The {fact.step_kind} step made the file {fact.more_bytes:,} bytes larger: "
                f"{REMEDIES[fact.step_kind]}."
            )
        case fact:
            assert_never(fact)


def _loss(fact: Lost) -> str:
    if METRICS[fact.metric].is_share:
        lost, low, allowed = (100 * value for value in (fact.lost, fact.lost_low, fact.allowed))
        return (
            f"{lost:.2f} points lost on {fact.n:,} images, at least {low:.2f} (95 %), where "
            f"{allowed:g} would be no alarm"
        )
    return (
        f"The {fact.metric.replace('_', ' ')} grew by {fact.lost:.4g} on {fact.n:,} rows, at least "
        f"{fact.lost_low:.4g} (95 %), where {fact.allowed:.4g} would be no alarm"
    )


def _culprit(fact: Lost, describe: Describe) -> str:
    if fact.culprit is None:
        return "weaken a step of the recipe"
    found = fact.culprit
    share = METRICS[fact.metric].is_share
    lost = f"{100 * found.lost:.2f}" if share else f"{found.lost:.4g}"
    where = f" on the first {found.n:,}" if found.n else " of it" if found.lost <= fact.lost else ""
    return f"weaken “{describe(found.step)}” (step {found.index + 1}), which lost {lost}{where}"


def _left(fact: FewWeights) -> str:
    if fact.is_dead:
        return "has no live output channel"
    return f"keeps only {100 * fact.density:.2g} % of its weights"


def _revival(step: AnyStep | None) -> str:
    if step is None:
        return "give it more bits, or a scale for each channel"
    if row_of(step).couples(step):
        return "prune less, or the same share of each layer (scope layer)"
    return "prune it less"


def _why_nothing(fact: NoEffect) -> str:
    if fact.is_replaced:
        return "later steps of its kind replace it in every layer: remove it, or move it last"
    return "the weights are the same without it: make it stronger, or remove it"


def _smaller_rank(fact: LargerFactors) -> str:
    if fact.smaller_rank is None:
        return "no rank makes it smaller: take it out of the step"
    return f"choose rank {fact.smaller_rank} or less"
