"""A step of its own for one layer, with which the other layers stay as they are.

A step that ranks all of its layers together, or spreads a budget over them, would share out anew
what is left once a layer leaves it: so its share is set to what the other layers have now.
"""

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from compress_core.compressed import Compressed
from compress_core.methods.low_rank import Factorize
from compress_core.recipe import Recipe
from compress_core.recipe_edit import with_layer_step
from compress_core.steps import AnyStep
from compress_core.stored import StoredLayer

DIGITS = 9  # of a share: a pool of 10⁸ weights keeps its count


def with_own_step(
    recipe: Recipe, kind: str, layer: str, step: AnyStep | None, before: Compressed
) -> Recipe:
    """The recipe with its own `step` of `kind` for one layer (None: without one), and the same
    result in all others; `before` is what the recipe's steps up to `kind` make."""
    shared = before.winners(kind).get(layer)
    names = before.original.layers
    if shared is None or not _is_shared(shared):
        return with_layer_step(recipe, kind, layer, step, names)
    others = {
        name: before.layers[name]
        for name, winner in before.winners(kind).items()
        if winner == shared and name != layer
    }
    if others:
        held = replace(shared, **_share_of(shared, others))
        recipe = tuple(held if old == shared else old for old in recipe)
    return with_layer_step(recipe, kind, layer, step, names)


def _is_shared(step: AnyStep) -> bool:
    """Whether what a layer gets depends on the other layers of the step."""
    if isinstance(step, Factorize):
        return step.budget is not None
    names = {field.name for field in fields(step)}
    ranks_all = {"scope", "sparsity"} <= names and vars(step)["scope"] == "global"
    return ranks_all and vars(step)["sparsity"] is not None


def _share_of(step: AnyStep, others: Mapping[str, StoredLayer]) -> dict[str, Any]:
    """The field that shares out, with what these layers have of it now."""
    if isinstance(step, Factorize):
        dense = sum(stored.layer.weight.numel() for stored in others.values())
        kept = sum(w.values.numel() for stored in others.values() for w in stored.weights)
        return {"budget": math.ceil(kept / dense * 10**DIGITS) / 10**DIGITS}
    weights = [weight.values for stored in others.values() for weight in stored.weights]
    pruned = sum(int((values == 0).sum()) for values in weights)
    return {"sparsity": round(pruned / sum(values.numel() for values in weights), DIGITS)}
