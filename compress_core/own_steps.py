"""A step of its own for one layer, with which the other layers stay as they are.

A step that ranks all of its layers together, or spreads a budget over them, would share out anew
what is left once a layer leaves it: so its share is set to what the other layers have now.
"""

import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from compress_core.applying.structured import coupled_groups
from compress_core.compressed import Compressed
from compress_core.methods.low_rank import Factorize
from compress_core.methods.structured import PruneStructured
from compress_core.original import Original
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
    winners = before.winners(kind)
    shared = winners.get(layer)
    # of a step for all layers those that cannot are left out; by their own names they are refused
    names = [name for name in before.original.layers if name in winners or name == layer]
    if shared is None or not _is_shared(shared):
        return with_layer_step(recipe, kind, layer, step, names)
    others = {
        name: before.layers[name]
        for name, winner in winners.items()
        if winner == shared and name != layer
    }
    if others:
        held = replace(shared, **_share_of(shared, others, before.original))
        recipe = tuple(held if old == shared else old for old in recipe)
    return with_layer_step(recipe, kind, layer, step, names)


def _is_shared(step: AnyStep) -> bool:
    """Whether what a layer gets depends on the other layers of the step."""
    if isinstance(step, Factorize):
        return step.budget is not None
    if isinstance(step, PruneStructured):
        return step.scope == "global"
    names = {field.name for field in fields(step)}
    ranks_all = {"scope", "sparsity"} <= names and vars(step)["scope"] == "global"
    return ranks_all and vars(step)["sparsity"] is not None


def _share_of(
    step: AnyStep, others: Mapping[str, StoredLayer], original: Original
) -> dict[str, Any]:
    """The field that shares out, with what these layers have of it now."""
    if isinstance(step, PruneStructured):
        return {"pruning_ratio": _channels_gone(others, original)}
    if isinstance(step, Factorize):
        dense = sum(stored.layer.weight.numel() for stored in others.values())
        kept = sum(w.values.numel() for stored in others.values() for w in stored.weights)
        return {"budget": math.ceil(kept / dense * 10**DIGITS) / 10**DIGITS}
    weights = [weight.values for stored in others.values() for weight in stored.weights]
    pruned = sum(int((values == 0).sum()) for values in weights)
    return {"sparsity": round(pruned / sum(values.numel() for values in weights), DIGITS)}


def _channels_gone(others: Mapping[str, StoredLayer], original: Original) -> float:
    """The fraction of these layers' channels, filters, neurons and heads that are removed. Of
    coupled layers all are here, or their channels can go no longer and do not count."""
    gone = units = 0
    for group in coupled_groups(original):
        if group.locked or not all(name in others for name in group.layers):
            continue
        name = group.layers[0]
        shapes = original.layers[name].weight.shape, others[name].layer.weight.shape
        gone += (shapes[0][0] - shapes[1][0]) // len(group.units[0].outputs[name])
        units += len(group.units)
    return round(gone / units, DIGITS) if units else 0.0
