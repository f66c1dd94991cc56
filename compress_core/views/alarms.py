"""Alarms: unwanted effects of a recipe, as facts.

Their sentences, with what to do, stand in wording/alarms.py. Alarms need no new measurement: they
read the layers as stored, their sizes, the memo of the original, and what a caller has measured.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch

from compress_core.compressed import Act, Compressed
from compress_core.measurement.accuracy import Accuracy
from compress_core.measurement.losses import Lost
from compress_core.measurement.report import LayerRow, Size
from compress_core.methods.low_rank import worthwhile_rank
from compress_core.methods.step import ALL_LAYERS
from compress_core.methods.structured import PruneStructured
from compress_core.recipe import split_stages
from compress_core.recipe_edit import step_for
from compress_core.steps import TRAINING, AnyStep, row_of
from compress_core.stored import StoredLayer

FLOOR = 0.01  # the density under which a layer counts as collapsed

Kind = Literal["chance", "loss", "collapsed", "no_effect", "bytes_up"]
StageBytes = Sequence[tuple[str, int]]  # ("original", its bytes), then each stage and the file's


@dataclass(frozen=True)
class AtChance:
    """Right on the fraction `accuracy` of `n` images, which guessing one of the classes reaches."""

    accuracy: float
    n: int
    class_count: int


@dataclass(frozen=True)
class FewWeights:
    """Only the fraction `density` of a layer's weights is not zero, or a factor is all zero
    (`is_dead`); `step` is the one that pruned the layer, if one did."""

    density: float
    is_dead: bool
    step: AnyStep | None


@dataclass(frozen=True)
class AtFloor:
    """Structured pruning has left no more output channels than it must."""

    channels: int
    original_channels: int


@dataclass(frozen=True)
class NoEffect:
    """The step at `index` of the recipe changes nothing: later steps of its kind win all its layers
    (`is_replaced`), or the weights are the same without it."""

    step: AnyStep
    index: int
    is_replaced: bool


@dataclass(frozen=True)
class LargerFactors:
    """A layer's factors have more weights than the layer; `smaller_rank` is the largest rank at
    which they have no more, None if there is none."""

    ranks: tuple[int, ...]
    weights: int
    original_weights: int
    smaller_rank: int | None


@dataclass(frozen=True)
class LargerFile:
    """The steps of a kind made the file larger by so many bytes."""

    step_kind: str
    more_bytes: int


Fact = AtChance | Lost | FewWeights | AtFloor | NoEffect | LargerFactors | LargerFile


@dataclass(frozen=True)
class Alarm:
    """What went wrong, in which layer (None: not in one), and the fact with its numbers."""

    kind: Kind
    layer: str | None
    fact: Fact


def alarms(
    compressed: Compressed,
    size: Size,
    accuracy: Accuracy | None = None,
    *,
    class_count: int = 0,
    stage_bytes: StageBytes = (),
    lost: Lost | None = None,
) -> tuple[Alarm, ...]:
    """Everything to warn about, the gravest first; an empty recipe gives no alarm.

    `accuracy` with the dataset's `class_count`, the bytes of the file after each stage, and what is
    `lost` beyond measure (`losses.too_much_lost`), are looked at where they are given.
    """
    if not compressed.recipe:
        return ()
    pairs = tuple(_grown_pairs(size))
    stages = [
        alarm
        for alarm, kind in _grown_stages(stage_bytes)
        if not (pairs and kind == "factorize")  # they say it already
    ]
    return (
        *_at_chance(accuracy, class_count),
        *([Alarm("loss", None, lost)] if lost else []),
        *_collapsed(compressed, size),
        *_at_floor(compressed, size),
        *_without_effect(compressed),
        *pairs,
        *stages,
    )


def _at_chance(accuracy: Accuracy | None, class_count: int) -> Iterator[Alarm]:
    if accuracy and class_count and accuracy.accuracy_low <= 1 / class_count:
        yield Alarm("chance", None, AtChance(accuracy.accuracy, accuracy.n, class_count))


def _collapsed(compressed: Compressed, size: Size) -> Iterator[Alarm]:
    pruned = compressed.winners("prune")
    for row in size.layers:
        stored = compressed.layers[row.name]
        is_dead, density = any(not w.values.any() for w in stored.weights), 1 - row.sparsity
        if (is_dead or density < FLOOR) and _was_alive(stored):
            fact = FewWeights(density, is_dead, pruned.get(row.name))
            yield Alarm("collapsed", row.name, fact)


def _at_floor(compressed: Compressed, size: Size) -> Iterator[Alarm]:
    """Layers of which structured pruning has left no more channels than it must."""
    won = compressed.winners("structured")
    for row in size.layers:
        step = won.get(row.name)
        if isinstance(step, PruneStructured) and step.floor >= row.shape[0] < row.original_shape[0]:
            yield Alarm("collapsed", row.name, AtFloor(row.shape[0], row.original_shape[0]))


def _was_alive(stored: StoredLayer) -> bool:
    weight = stored.layer.weight
    return int(weight.count_nonzero()) >= FLOOR * weight.numel()


def _without_effect(compressed: Compressed) -> Iterator[Alarm]:
    for i, step in enumerate(compressed.recipe):
        act = compressed.act_of(i)
        if act is None or (step.kind != TRAINING and _changes_nothing(compressed, i, act)):
            yield Alarm("no_effect", None, NoEffect(step, i, is_replaced=act is None))


def _changes_nothing(compressed: Compressed, index: int, act: Act) -> bool:
    """Whether the layers that a step wins are the same without it."""
    recipe, step = compressed.recipe, act.step
    start = index - len(split_stages(recipe[:index])[-1])
    others = (*recipe[start:index], *split_stages(recipe[index + 1 :])[0])
    instead = [step_for(others, step.kind, name, compressed.layers) for name in act.names]
    if any(instead):
        return all(_same_settings(step, other) for other in instead)
    before, after = act.before, act.after
    same_rest = before.rest.keys() == after.rest.keys() and all(
        torch.equal(before.rest[key], after.rest[key]) for key in after.rest
    )
    same_codes = before.coded.keys() == after.coded.keys()
    return (
        same_rest
        and same_codes
        and all(_same(before.layers[name], after.layers[name]) for name in act.names)
    )


def _same_settings(step: AnyStep, other: AnyStep | None) -> bool:
    """Whether `other` is known to do the same to a layer."""
    if other is None or row_of(step).couples(step):
        return False
    return replace(step, layers=ALL_LAYERS) == replace(other, layers=ALL_LAYERS)


def _same(before: StoredLayer, after: StoredLayer) -> bool:
    if len(before.weights) != len(after.weights):
        return False
    pairs = zip(before.weights, after.weights, strict=True)
    return (
        all(old.codes is new.codes and torch.equal(old.values, new.values) for old, new in pairs)
        and before.bias is after.bias
        and before.inputs is after.inputs
    )


def _grown_pairs(size: Size) -> Iterator[Alarm]:
    for row in size.layers:
        weights = math.prod(row.shape)
        if row.ranks and row.parameters > weights:
            fact = LargerFactors(row.ranks, row.parameters, weights, _smaller_rank(row))
            yield Alarm("bytes_up", row.name, fact)


def _smaller_rank(row: LayerRow) -> int | None:
    assert row.form != "plain"
    return worthwhile_rank(row.shape, row.form) or None


def _grown_stages(stage_bytes: StageBytes) -> Iterator[tuple[Alarm, str]]:
    for (_, before), (kind, after) in pairwise(stage_bytes):
        if after > before and kind != TRAINING:  # which is there for the accuracy
            yield Alarm("bytes_up", None, LargerFile(kind, after - before)), kind
