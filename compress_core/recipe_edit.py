"""Edits of a recipe: each returns a new one with a step set, removed, or set for one layer."""

from collections.abc import Iterable
from dataclasses import replace

from compress_core.methods.step import ALL_LAYERS, matching
from compress_core.recipe import AnyStep, Recipe, winning_steps


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
    return tuple(step for step in recipe if not (step.kind == kind and step.layers == layers))


def with_layer_step(
    recipe: Recipe, kind: str, layer: str, step: AnyStep | None, names: Iterable[str]
) -> Recipe:
    """Give one layer its own step of `kind`, or none: then the steps that name it name the others.

    `names` are all layers of the model; patterns are written out only where a layer leaves them.
    """
    if step is not None:  # goes last: a later step for more layers would win over it
        return (*without_step(recipe, kind, (layer,)), replace(step, layers=(layer,)))
    names = tuple(names)
    if layer not in winning_steps(recipe, kind, names):
        return recipe
    edited: list[AnyStep] = []
    for old in recipe:
        named = matching(old.layers, names) - {layer}
        if old.kind != kind or layer not in matching(old.layers, names):
            edited.append(old)
        elif named:
            edited.append(replace(old, layers=tuple(name for name in names if name in named)))
    return tuple(edited)


def _same_place(old: AnyStep, new: AnyStep) -> bool:
    return old.kind == new.kind and old.layers == new.layers
