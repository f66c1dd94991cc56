"""Edits of a recipe: each returns a new one with a step set, removed, or set for one layer."""

from collections.abc import Collection
from dataclasses import replace

from compress_core.methods.step import ALL_LAYERS, matched_by
from compress_core.recipe import Recipe, of_kinds
from compress_core.steps import AnyStep


def with_step(recipe: Recipe, step: AnyStep) -> Recipe:
    """Set `step` in place of the one of its kind for the same layers.

    A new step for all layers goes before the others of its kind, so that exceptions for single
    layers go on winning; a new exception goes last.
    """
    same = [i for i, old in enumerate(recipe) if _same_place(old, step)]
    if same:
        kept = [old for i, old in enumerate(recipe) if i not in same[1:]]
        kept[same[0]] = step
        return tuple(kept)
    if step.layers == ALL_LAYERS:
        first = next((i for i, old in enumerate(recipe) if old.kind == step.kind), len(recipe))
        return (*recipe[:first], step, *recipe[first:])
    return (*recipe, step)


def without_step(recipe: Recipe, kind: str, layers: tuple[str, ...]) -> Recipe:
    """Drop the steps of `kind` that name exactly `layers`."""
    return tuple(step for step in recipe if (step.kind, step.layers) != (kind, layers))


def with_layer_step(
    recipe: Recipe, kind: str, layer: str, step: AnyStep | None, names: Collection[str]
) -> Recipe:
    """Give one layer its own step of `kind`, or none: then the steps that name it name the others.

    `names` are all layers of the model; patterns are written out only where a layer leaves them.
    """
    if step is not None:  # goes last: a later step for more layers would win over it
        return (*without_step(recipe, kind, (layer,)), replace(step, layers=(layer,)))
    edited: list[AnyStep] = []
    for old in recipe:
        named = _named(old, names)
        if old.kind != kind or layer not in named:
            edited.append(old)
            continue
        others = tuple(name for name in names if name in named and name != layer)
        if others:
            edited.append(replace(old, layers=others))
    return tuple(edited)


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
