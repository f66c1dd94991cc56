"""Edits of a recipe: each returns a new one with a step set, removed, or set for one layer.

An edit stays in one stage: the last that has such a step, or the last of all. Equal steps of other
stages stay, and so does the training that ends them.
"""

from collections.abc import Callable, Collection
from dataclasses import replace

from compress_core.methods.step import ALL_LAYERS, matched_by
from compress_core.recipe import Recipe, of_kinds, split_stages
from compress_core.steps import TRAINING, AnyStep


def with_step(recipe: Recipe, step: AnyStep) -> Recipe:
    """Set `step` in place of the one of its kind for the same layers.

    A new step for all layers goes before the others of its kind, so that exceptions for single
    layers go on winning; a new exception goes last.
    """
    done, stage, later = last_stage(recipe, lambda old: _same_place(old, step))
    return (*done, *_set(stage, step), *later)


def without_step(recipe: Recipe, kind: str, layers: tuple[str, ...]) -> Recipe:
    """Drop the steps of `kind` that name exactly `layers`."""

    def is_meant(step: AnyStep) -> bool:
        return (step.kind, step.layers) == (kind, layers)

    done, stage, later = last_stage(recipe, is_meant)
    return (*done, *(step for step in stage if not is_meant(step)), *later)


def with_layer_step(
    recipe: Recipe, kind: str, layer: str, step: AnyStep | None, names: Collection[str]
) -> Recipe:
    """Give one layer its own step of `kind`, or none: then the steps that name it name the others.

    `names` are all layers of the model; patterns are written out only where a layer leaves them.
    """

    def acts(old: AnyStep) -> bool:
        return old.kind == kind and layer in _named(old, names)

    done, stage, later = last_stage(recipe, acts)
    if step is not None:  # goes last: a later step for more layers would win over it
        rest = tuple(old for old in stage if (old.kind, old.layers) != (kind, (layer,)))
        return (*done, *_at_end(rest, replace(step, layers=(layer,))), *later)
    edited: list[AnyStep] = []
    for old in stage:
        if not acts(old):
            edited.append(old)
            continue
        named = _named(old, names)
        others = tuple(name for name in names if name in named and name != layer)
        if others:
            edited.append(replace(old, layers=others))
    return (*done, *edited, *later)


def _set(stage: Recipe, step: AnyStep) -> Recipe:
    same = [i for i, old in enumerate(stage) if _same_place(old, step)]
    if same:
        kept = [old for i, old in enumerate(stage) if i not in same[1:]]
        kept[same[0]] = step
        return tuple(kept)
    first = next((i for i, old in enumerate(stage) if old.kind == step.kind), len(stage))
    if step.layers == ALL_LAYERS and first < len(stage):
        return (*stage[:first], step, *stage[first:])
    return _at_end(stage, step)


def _at_end(stage: Recipe, step: AnyStep) -> Recipe:
    """The stage with one more step, which is the last before its training."""
    others = tuple(old for old in stage if old.kind != TRAINING)
    return (*others, step, *of_kinds(stage, (TRAINING,)))


def last_stage(recipe: Recipe, fits: Callable[[AnyStep], bool]) -> tuple[Recipe, Recipe, Recipe]:
    """The last stage with a step that fits, or the last of all, between what stands before it and
    what comes later."""
    stages = split_stages(recipe)
    having = [i for i, stage in enumerate(stages) if any(map(fits, stage))]
    place = having[-1] if having else len(stages) - 1
    done, later = (
        tuple(step for stage in part for step in stage)
        for part in (stages[:place], stages[place + 1 :])
    )
    return done, stages[place], later


def own_step(recipe: Recipe, kind: str, layers: tuple[str, ...] = ALL_LAYERS) -> AnyStep | None:
    """The last step of `kind` that names exactly `layers`: the one that an edit would replace."""
    same = (step for step in reversed(of_kinds(recipe, (kind,))) if step.layers == layers)
    return next(same, None)


def step_for(recipe: Recipe, kind: str, layer: str, names: Collection[str]) -> AnyStep | None:
    """The last step of `kind` that names a layer, one of all the `names` of the model.

    Patterns of other models are no error here.
    """
    of_kind = reversed(of_kinds(recipe, (kind,)))
    return next((step for step in of_kind if layer in _named(step, names)), None)


def _named(step: AnyStep, names: Collection[str]) -> set[str]:
    return {name for pattern in step.layers for name in matched_by(pattern, names)}


def _same_place(old: AnyStep, new: AnyStep) -> bool:
    return old.kind == new.kind and old.layers == new.layers
