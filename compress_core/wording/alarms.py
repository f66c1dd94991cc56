"""Alarms in words: each one sentence with what to do."""

from collections.abc import Callable
from typing import assert_never

from compress_core.measurement.losses import Lost
from compress_core.recipe import format_step
from compress_core.steps import AnyStep, row_of
from compress_core.tasks import METRICS, MetricName
from compress_core.views.alarms import (
    Alarm,
    AtChance,
    AtFloor,
    FewWeights,
    LargerFactors,
    LargerFile,
    NoEffect,
)
from compress_core.wording.language import N_, _
from compress_core.wording.numbers import percent

Describe = Callable[[AnyStep], str]  # a step in words
LARGER = {  # for each kind of step that made the file larger
    "fold": N_(
        "The fold step made the file {more:,} bytes larger: the biases that it adds are stored, "
        "too; quantize after it, or remove the step."
    ),
    "structured": N_(
        "The structured step made the file {more:,} bytes larger: remove more channels, or remove "
        "the step."
    ),
    "factorize": N_(
        "The factorize step made the file {more:,} bytes larger: choose a smaller rank, or remove "
        "the step."
    ),
    "prune": N_(
        "The prune step made the file {more:,} bytes larger: prune more (a few zeros save less "
        "than their places cost), or remove the step."
    ),
    "quantize": N_(
        "The quantize step made the file {more:,} bytes larger: choose fewer bits or larger "
        "groups, or remove the step."
    ),
    "share": N_(
        "The share step made the file {more:,} bytes larger: choose fewer clusters, or remove the "
        "step."
    ),
    "correct": N_(
        "The correct step made the file {more:,} bytes larger: the biases that it adds are stored, "
        "too: name fewer layers, or remove the step."
    ),
    "recalibrate": N_(
        "The recalibrate step made the file {more:,} bytes larger: it changes no size: look at the "
        "other steps, or remove the step."
    ),
    "rest": N_(
        "The rest step made the file {more:,} bytes larger: their scales are stored, too: leave "
        "out the smallest tensors, or remove the step."
    ),
    "activations": N_(
        "The activations step made the file {more:,} bytes larger: the inputs' ranges are stored, "
        "too: name fewer layers, or remove the step."
    ),
}
GREW: dict[MetricName, str] = {  # metrics of which more is worse
    "relative_error": N_("relative error"),
    "relative_error_to_original": N_("relative error to original"),
    "perplexity": N_("perplexity"),
}


def alarm_in_words(alarm: Alarm, describe: Describe = format_step) -> str:
    """One sentence on what went wrong and what to do; `describe` words a step."""
    match alarm.fact:
        case AtChance() as fact:
            return _(
                "Right on {share} of {n:,} images, no better than guessing one of {class_count} "
                "classes: weaken a step of the recipe, or remove it.",
                share=percent(fact.accuracy),
                n=fact.n,
                class_count=fact.class_count,
            )
        case Lost() as fact:
            return _("{loss}; {remedy}.", loss=_loss(fact), remedy=_culprit(fact, describe))
        case FewWeights() as fact:
            return _few(fact, alarm.layer)
        case AtFloor() as fact:
            return _(
                "{layer} keeps only {channels} of its {original_channels} channels, which is its "
                "floor: remove a smaller share, or raise the floor.",
                layer=alarm.layer,
                channels=fact.channels,
                original_channels=fact.original_channels,
            )
        case NoEffect() as fact:
            return _(
                "“{step}” (step {place}) changes nothing, {reason}.",
                step=describe(fact.step),
                place=fact.index + 1,
                reason=_why_nothing(fact),
            )
        case LargerFactors() as fact:
            return _(
                "{layer} at rank {ranks} has {weights:,} weights instead of {original_weights:,}: "
                "{remedy}.",
                layer=alarm.layer,
                ranks=_(" and ").join(map(str, fact.ranks)),
                weights=fact.weights,
                original_weights=fact.original_weights,
                remedy=_smaller_rank(fact),
            )
        case LargerFile() as fact:
            return _(LARGER[fact.step_kind], more=fact.more_bytes)
        case fact:
            assert_never(fact)


def _loss(fact: Lost) -> str:
    if METRICS[fact.metric].is_share:
        return _(
            "{lost:.2f} points lost on {n:,} images, at least {low:.2f} (95 %), where {allowed:g} "
            "would be no alarm",
            lost=100 * fact.lost,
            n=fact.n,
            low=100 * fact.lost_low,
            allowed=100 * fact.allowed,
        )
    return _(
        "The {metric} grew by {lost:.4g} on {n:,} rows, at least {low:.4g} (95 %), where "
        "{allowed:.4g} would be no alarm",
        metric=_(GREW[fact.metric]),
        lost=fact.lost,
        n=fact.n,
        low=fact.lost_low,
        allowed=fact.allowed,
    )


def _culprit(fact: Lost, describe: Describe) -> str:
    if fact.culprit is None:
        return _("weaken a step of the recipe")
    found = fact.culprit
    share = METRICS[fact.metric].is_share
    lost = f"{100 * found.lost:.2f}" if share else f"{found.lost:.4g}"
    step, place = describe(found.step), found.index + 1
    if found.n:
        return _(
            "weaken “{step}” (step {place}), which lost {lost} on the first {n:,}",
            step=step,
            place=place,
            lost=lost,
            n=found.n,
        )
    if found.lost <= fact.lost:
        return _(
            "weaken “{step}” (step {place}), which lost {lost} of it",
            step=step,
            place=place,
            lost=lost,
        )
    return _("weaken “{step}” (step {place}), which lost {lost}", step=step, place=place, lost=lost)


def _few(fact: FewWeights, layer: str | None) -> str:
    remedy = _revival(fact.step)
    if fact.is_dead:
        return _("{layer} has no live output channel: {remedy}.", layer=layer, remedy=remedy)
    return _(
        "{layer} keeps only {share:.2g} % of its weights: {remedy}.",
        layer=layer,
        share=100 * fact.density,
        remedy=remedy,
    )


def _revival(step: AnyStep | None) -> str:
    if step is None:
        return _("give it more bits, or a scale for each channel")
    if row_of(step).couples(step):
        return _("prune less, or the same share of each layer (scope layer)")
    return _("prune it less")


def _why_nothing(fact: NoEffect) -> str:
    if fact.is_replaced:
        return _("later steps of its kind replace it in every layer: remove it, or move it last")
    return _("the weights are the same without it: make it stronger, or remove it")


def _smaller_rank(fact: LargerFactors) -> str:
    if fact.smaller_rank is None:
        return _("no rank makes it smaller: take it out of the step")
    return _("choose rank {rank} or less", rank=fact.smaller_rank)
