"""The channels of a network: how important each is, and which of them a recipe removes."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from compress_core.applying.structured import coupled_groups, plan_removal, rank_units
from compress_core.compressed import compress
from compress_core.methods.structured import Cut, Group, PruneStructured
from compress_core.original import Original
from compress_core.recipe import Recipe, of_kinds
from compress_core.steps import NETWORK_KINDS


@dataclass(frozen=True, eq=False)
class ChannelGroup:
    """Units that can only go together in all of `layers`: filters, neurons, heads or channels.

    `importances` (units,) are those by which the recipe ranks them, `kept` (units,) is False where
    it removes them, `floored` says whether a floor spared some.
    """

    layers: tuple[str, ...]
    units: str
    importances: NDArray[np.float64]
    kept: NDArray[np.bool_]
    floored: bool

    @property
    def relative(self) -> NDArray[np.float64]:
        """Importances in units of their mean: what global scope compares."""
        mean = self.importances.mean()
        return self.importances / mean if mean > 0 else self.importances


def channel_groups(
    original: Original, recipe: Recipe, usual: PruneStructured
) -> tuple[ChannelGroup, ...]:
    """The groups that structured pruning may take from, in the order of the network's modules.

    `usual` ranks those that no step of the recipe prunes. Raises ValueError for a network whose
    channels cannot be followed, and where `usual` needs data that the model came without.
    """
    base = compress(original, of_kinds(recipe, ("fold",))).base
    found = _groups(usual, tuple(base.layers), base, Cut())
    for act in compress(original, of_kinds(recipe, NETWORK_KINDS)).acts:
        if isinstance(act.step, PruneStructured):
            cut = plan_removal(act.step, act.names, act.before.base)
            found |= _groups(act.step, act.names, act.before.base, cut)
    return tuple(found.values())


def _groups(
    step: PruneStructured, names: Collection[str], base: Original, cut: Cut
) -> dict[tuple[str, ...], ChannelGroup]:
    groups = coupled_groups(base)
    return {
        groups[i].layers: _group(groups[i], scores, base, cut)
        for i, scores in rank_units(step, names, base).items()
    }


def _group(group: Group, scores: Tensor, base: Original, cut: Cut) -> ChannelGroup:
    first = group.layers[0]
    gone = set(cut.outputs.get(first, ()))
    kept = [not gone.issuperset(unit.outputs[first]) for unit in group.units]
    floored = not set(cut.floored).isdisjoint(group.layers)
    return ChannelGroup(group.layers, _word(group, base), scores.numpy(), np.array(kept), floored)


def _word(group: Group, base: Original) -> str:
    if group.units[0].heads:
        return "heads"
    convolves = {base.layers[name].weight.dim() > 2 for name in group.layers}
    return "channels" if len(convolves) > 1 else "filters" if convolves.pop() else "neurons"
