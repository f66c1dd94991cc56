"""Alarms: what a recipe did that nobody can have wanted, each in one sentence with what to do.

They read what is computed already: the layers as stored, their sizes, and the memo of the original.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch

from compress_core.compressed import Compressed, compress
from compress_core.measurement.accuracy import Accuracy
from compress_core.measurement.report import LayerRow, Size
from compress_core.methods.low_rank import break_even_rank, is_larger
from compress_core.methods.step import ALL_LAYERS
from compress_core.methods.structured import PruneStructured
from compress_core.recipe import format_step, kinds_before, of_kinds
from compress_core.recipe_edit import step_for
from compress_core.steps import AnyStep, row_of
from compress_core.stored import StoredLayer

FLOOR = 0.01  # the density under which a layer counts as collapsed

Kind = Literal["chance", "collapsed", "no_effect", "bytes_up"]
Describe = Callable[[AnyStep], str]  # a step in words
StageBytes = Sequence[tuple[str, int]]  # ("original", its bytes), then each stage and the file's


@dataclass(frozen=True)
class Alarm:
    """What went wrong, in which layer (None: not in one), and one sentence with what to do."""

    kind: Kind
    layer: str | None
    text: str


def alarms(
    compressed: Compressed,
    size: Size,
    accuracy: Accuracy | None = None,
    *,
    class_count: int = 0,
    stage_bytes: StageBytes = (),
    describe: Describe = format_step,
) -> tuple[Alarm, ...]:
    """Everything to warn about, the gravest first; an empty recipe gives no alarm.

    `accuracy` with the dataset's `class_count`, and the bytes of the file after each stage, are
    looked at where they are given. `describe` words a step.
    """
    if not compressed.recipe:
        return ()
    pairs = tuple(_grown_pairs(size))
    stages = [
        alarm
        for kind, alarm in _grown_stages(stage_bytes)
        if not (pairs and kind == "factorize")  # they say it already
    ]
    return (
        *_at_chance(accuracy, class_count),
        *_collapsed(compressed, size),
        *_at_floor(compressed, size),
        *_without_effect(compressed, describe),
        *pairs,
        *stages,
    )


def _at_chance(accuracy: Accuracy | None, class_count: int) -> Iterator[Alarm]:
    if accuracy and class_count and accuracy.accuracy_low <= 1 / class_count:
        yield Alarm(
            "chance",
            None,
            f"Right on {100 * accuracy.accuracy:.1f} % of {accuracy.n:,} images, no better than "
            f"guessing one of {class_count} classes: weaken a step of the recipe, or remove it.",
        )


def _collapsed(compressed: Compressed, size: Size) -> Iterator[Alarm]:
    pruned = compressed.winners("prune")
    for row in size.layers:
        stored = compressed.layers[row.name]
        dead = any(not weight.values.any() for weight in stored.weights)
        if (dead or 1 - row.sparsity < FLOOR) and _was_alive(stored):
            left = (
                "has no live output channel" if dead else f"keeps only {_share(1 - row.sparsity)}"
            )
            yield Alarm(
                "collapsed", row.name, f"{row.name} {left}: {_revival(pruned.get(row.name))}."
            )


def _at_floor(compressed: Compressed, size: Size) -> Iterator[Alarm]:
    """Layers of which structured pruning has left no more channels than it must."""
    won = compressed.winners("structured")
    for row in size.layers:
        step = won.get(row.name)
        if isinstance(step, PruneStructured) and step.floor >= row.shape[0] < row.original_shape[0]:
            yield Alarm(
                "collapsed",
                row.name,
                f"{row.name} keeps only {row.shape[0]} of its {row.original_shape[0]} channels, "
                "which is its floor: remove a smaller share, or raise the floor.",
            )


def _was_alive(stored: StoredLayer) -> bool:
    weight = stored.layer.weight
    return int(weight.count_nonzero()) >= FLOOR * weight.numel()


def _share(density: float) -> str:
    return f"{100 * density:.2g} % of its weights"


def _revival(step: AnyStep | None) -> str:
    if step is None:
        return "give it more bits, or a scale for each channel"
    if row_of(step).couples(step):
        return "prune less, or the same share of each layer (scope layer)"
    return "prune it less"


def _without_effect(compressed: Compressed, describe: Describe) -> Iterator[Alarm]:
    recipe = compressed.recipe
    for i, step in enumerate(recipe):
        won = _layers_won(compressed, i)
        if not won:
            why = "later steps of its kind replace it in every layer: remove it, or move it last"
        elif _changes_nothing(compressed, i, won):
            why = "the weights are the same without it: make it stronger, or remove it"
        else:
            continue
        yield Alarm("no_effect", None, f"“{describe(step)}” (step {i + 1}) changes nothing, {why}.")


def _layers_won(compressed: Compressed, index: int) -> tuple[str, ...]:
    """The layers on which the step acts; of equal steps the last one does."""
    step = compressed.recipe[index]
    if step in compressed.recipe[index + 1 :]:
        return ()
    return tuple(n for n, winner in compressed.winners(step.kind).items() if winner == step)


def _changes_nothing(compressed: Compressed, index: int, won: tuple[str, ...]) -> bool:
    """Whether the layers that a step wins are the same without it."""
    recipe, step = compressed.recipe, compressed.recipe[index]
    others = (*recipe[:index], *recipe[index + 1 :])
    instead = [step_for(others, step.kind, name, compressed.layers) for name in won]
    if any(instead):
        return all(_same_settings(step, other) for other in instead)
    before, after = (
        compress(compressed.original, of_kinds(recipe, kinds)).layers
        for kinds in (kinds_before(step.kind), (*kinds_before(step.kind), step.kind))
    )
    return all(_same(before[name], after[name]) for name in won)


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
            ranks = " and ".join(map(str, row.ranks))
            yield Alarm(
                "bytes_up",
                row.name,
                f"{row.name} at rank {ranks} has {row.parameters:,} weights instead of "
                f"{weights:,}: {_smaller_rank(row)}.",
            )


def _smaller_rank(row: LayerRow) -> str:
    assert row.form != "plain"
    rank = break_even_rank(row.shape, row.form)
    if is_larger(row.shape, rank, row.form):
        return "no rank makes it smaller, take it out of the step"
    return f"choose rank {rank} or less"


REMEDIES = {
    "fold": "the biases that it adds are stored, too; quantize after it, or remove the step",
    "structured": "remove more channels, or remove the step",
    "factorize": "choose a smaller rank, or remove the step",
    "prune": "prune more, a few zeros do not pay for telling where they are, or remove the step",
    "quantize": "choose fewer bits or larger groups, or remove the step",
    "share": "choose fewer clusters, or remove the step",
    "correct": "the biases that it adds are stored, too: name fewer layers, or remove the step",
    "recalibrate": "statistics take as many bytes as before: look at the other steps",
    "activations": "the inputs' ranges are stored, too: name fewer layers, or remove the step",
}


def _grown_stages(stage_bytes: StageBytes) -> Iterator[tuple[str, Alarm]]:
    for (_, before), (kind, after) in pairwise(stage_bytes):
        if after > before:
            text = (
                f"The {kind} step made the file {after - before:,} bytes larger: {REMEDIES[kind]}."
            )
            yield kind, Alarm("bytes_up", None, text)
