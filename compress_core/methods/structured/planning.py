"""Which channels go: the step, the importance of a channel, and the choice with its floor."""

from collections import Counter
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from compress_core.methods.step import (
    ALL_LAYERS,
    check_choice,
    check_layers,
    check_number,
    check_seed,
    check_whole,
    matching,
)
from compress_core.methods.structured.coupling import Group, reason_for
from compress_core.methods.structured.surgery import (
    Cut,
    input_channels,
    merge,
    output_channels,
    weight_of,
)
from compress_core.weights import walk_layers

Importance = Literal["l1", "l2", "taylor", "mean", "std", "apoz", "random"]
Scope = Literal["global", "layer"]

# Each importance, and which statistic of the data it needs (None: the weights alone).
IMPORTANCES: dict[str, str | None] = {
    "l1": None,
    "l2": None,
    "taylor": "gradients",
    "mean": "outputs",
    "std": "outputs",
    "apoz": "outputs",
    "random": None,
}


@dataclass(frozen=True)
class PruneStructured:
    """Remove the fraction `pruning_ratio` of the channels, filters, neurons and heads for good.

    pruning_ratio: in [0, 1). importance: the least important go first (`channel_importance`);
      "taylor", "mean", "std" and "apoz" are measured on `samples` training images.
    scope: "layer" takes the fraction of each group of coupled layers, "global" of all of them
      together, each importance divided by its group's mean first (layers differ in scale).
    floor: the least number of channels that every layer keeps, whatever the ratio.
    Layers that are coupled, such as the two ends of a residual connection, are named together.
    Raises ValueError for other values. Source: Li et al. 2016, 1608.08710; Fang et al. 2023,
    2301.12900.
    """

    kind: ClassVar[str] = "structured"

    pruning_ratio: float
    importance: Importance = "l2"
    scope: Scope = "layer"
    floor: int = 1
    samples: int = 256
    seed: int = 0
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_number(
            "pruning_ratio",
            self.pruning_ratio,
            low=0,
            high=1,
            remedy="it is a fraction, and 1 would leave no channel",
        )
        check_choice("importance", self.importance, IMPORTANCES)
        check_choice("scope", self.scope, ("global", "layer"))
        check_whole("floor", self.floor, low=1, high=2**31, remedy="a layer keeps one at least")
        check_whole("samples", self.samples, low=1, high=2**31, remedy="256 is usual")
        check_seed(self.seed)
        check_layers(self.layers)


def channel_importance(
    importance: Importance, weight: Tensor, statistic: Tensor | None = None
) -> Tensor:
    """How much each output channel of a weight (out, …) matters, (out,) float64.

    l1 Σ|w|; l2 √Σw²; taylor Σ|w·∂L/∂w| with the gradient as `statistic`; mean |mean|, std and
    apoz (as 1 - APoZ) of the channel's output over data with that one, (out,), as `statistic`.
    Source: Molchanov et al. 2017, 1611.06440 (taylor); Hu et al. 2016, 1607.03250 (APoZ).
    """
    rows = weight.detach().double().flatten(1)
    if importance == "l1":
        return rows.abs().sum(1)
    if importance == "l2":
        return rows.square().sum(1).sqrt()
    assert statistic is not None  # plan_structured lets no other case through
    values = statistic.double()
    if importance == "taylor":
        return (rows * values.flatten(1)).abs().sum(1)
    if importance == "apoz":
        return 1 - values
    return values.abs()


def plan_structured(
    step: PruneStructured,
    module: nn.Module,
    groups: Sequence[Group],
    statistics: Mapping[str, Tensor] | None = None,
    *,
    layers: Collection[str] | None = None,
    scores: Mapping[int, Tensor] | None = None,
) -> Cut:
    """The channels of `module` that `step` removes; nothing is touched.

    groups: `couple(module, example)`. statistics: by layer name what `step.importance` needs
    (see IMPORTANCES and `channel_importance`). layers: the layers that the step acts on, all of a
    coupled group or none; by default those that its patterns match. The importance of coupled
    channels is the sum of theirs; `scores` are these sums, if they are at hand already
    (`unit_importances`).
    In layer scope round(ratio·n) of a group's n units go, in global scope of all units; fewer
    where the floor of a layer stops it.
    Layers that a pattern such as * names beside others, and that can lose no channel, are left
    out: `refusals` says why.
    Raises ValueError for a layer named by its own name that can lose none, as where only some of
    its coupled layers are named, for a pattern that names no other, and for missing statistics.
    """
    names = tuple(walk_layers(module))
    named = matching(step.layers, names) if layers is None else set(layers)
    if layers is None:
        _check_patterns(step, module, groups, named)
    else:
        _check_halves(groups, named)
    if scores is None:
        scores = unit_importances(step, module, groups, named, statistics or {})
    chosen = {i: group for i, group in enumerate(groups) if i in scores}
    if not chosen:
        return Cut()
    room = _room(module, step.floor)
    if step.scope == "layer":
        picks = [
            _pick(group.units, scores[i], _share(step, len(group.units)), room)
            for i, group in chosen.items()
        ]
    else:
        units = [unit for group in chosen.values() for unit in group.units]
        relative = [_relative(scores[i]) for i in chosen]
        picks = [_pick(units, torch.cat(relative), _share(step, len(units)), room)]
    floored = {name for _, held in picks for name in held}
    cut = merge(unit for units, _ in picks for unit in units)
    return replace(cut, floored=tuple(name for name in names if name in floored))


def _share(step: PruneStructured, count: int) -> int:
    return round(step.pruning_ratio * count)


def refusals(module: nn.Module, groups: Sequence[Group], named: Collection[str]) -> dict[str, str]:
    """The `named` layers that can lose no channel, each with the reason."""
    able = {name for group in groups if _is_able(group, named) for name in group.layers}
    coupled = {name: group for group in groups if not group.locked for name in group.layers}
    return {
        name: _coupling(coupled[name], named)
        if name in coupled
        else reason_for(name, module, groups)
        for name in walk_layers(module)
        if name in named and name not in able
    }


def _is_able(group: Group, named: Collection[str]) -> bool:
    return not group.locked and all(name in named for name in group.layers)


def _coupling(group: Group, named: Collection[str]) -> str:
    outside = [name for name in group.layers if name not in named]
    return (
        f"its channels are coupled with those of {', '.join(outside)}, and go only together; name "
        f"them in the same step: layers={'|'.join(group.layers)}"
    )


def _check_halves(groups: Sequence[Group], named: Collection[str]) -> None:
    for group in groups:
        inside = [name for name in group.layers if name in named]
        if inside and not group.locked and len(inside) < len(group.layers):
            raise ValueError(f"{inside[0]}: {_coupling(group, named)}")


def _check_patterns(
    step: PruneStructured, module: nn.Module, groups: Sequence[Group], named: Collection[str]
) -> None:
    names = tuple(walk_layers(module))
    locked = refusals(module, groups, names)
    reasons = locked | refusals(module, groups, named)
    others = ", ".join(name for name in names if name not in locked)
    remedy = f"name others, such as {others}" if others else "prune its weights (prune:sparsity=…)"
    for pattern in step.layers:
        matched = matching((pattern,), names)
        # a later step may act on some of these: here only the pattern itself is checked
        asked = [name for name in names if name in matched & (set(named) | locked.keys())]
        if asked and all(name in reasons for name in asked):
            name = asked[0]
            coupled = name not in locked
            raise ValueError(
                f"layers={pattern!r}: no channel of {name} can be removed: {reasons[name]}"
                + ("" if coupled else f"; {remedy}")
            )


def unit_importances(
    step: PruneStructured,
    module: nn.Module,
    groups: Sequence[Group],
    named: Collection[str],
    statistics: Mapping[str, Tensor],
) -> dict[int, Tensor]:
    """The importance of each unit, (units,), for each group that the step may prune."""
    generator = torch.Generator().manual_seed(step.seed)
    scores = {}
    for i, group in enumerate(groups):
        drawn = torch.rand(len(group.units), generator=generator, dtype=torch.float64)
        if _is_able(group, named):
            # drawn for every group: naming fewer layers must not change the others' draw
            random = step.importance == "random"
            scores[i] = drawn if random else _importance(step, module, group, statistics)
    return scores


def _importance(
    step: PruneStructured, module: nn.Module, group: Group, statistics: Mapping[str, Tensor]
) -> Tensor:
    by_layer = {}
    for name in group.layers:
        needed = IMPORTANCES[step.importance]
        if needed and name not in statistics:
            raise ValueError(
                f"importance={step.importance!r} needs the {needed} of {name} on calibration "
                "data; pass them (statistics=…), or use l1 or l2, which need none"
            )
        weight, statistic = weight_of(module, name), statistics.get(name)
        by_layer[name] = channel_importance(step.importance, weight, statistic)
    return torch.stack([_sum_of(unit, by_layer) for unit in group.units])


def _sum_of(unit: Cut, by_layer: Mapping[str, Tensor]) -> Tensor:
    parts = [scores[list(unit.outputs[name])].sum() for name, scores in by_layer.items()]
    return torch.stack(parts).sum()


def _relative(scores: Tensor) -> Tensor:
    mean = scores.mean()
    return scores / mean if mean > 0 else scores


Side = tuple[str, str]  # the layer's name, and "outputs" or "inputs"


def _room(module: nn.Module, floor: int) -> Counter[Side]:
    """How many channels each side of each layer can spare."""
    room: Counter[Side] = Counter()
    for name, layer in module.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d):
            room[name, "outputs"] = max(0, output_channels(layer) - floor)
            # of what flows in, one channel must be left; what makes it keeps its own floor
            room[name, "inputs"] = input_channels(layer) - 1
    return room


def _pick(
    units: Sequence[Cut], scores: Tensor, count: int, room: Counter[Side]
) -> tuple[list[Cut], set[str]]:
    """The `count` least important units that there is room for, and the layers that had none.

    Of equal ones the first go first. `room` is used up as they go.
    """
    picked: list[Cut] = []
    floored: set[str] = set()
    for place in scores.argsort(stable=True).tolist():
        if len(picked) == count:
            break
        needs = _needs(units[place], room)
        short = {side[0] for side, need in needs.items() if need > room[side]}
        if short:
            floored |= short
        else:
            room.subtract(needs)
            picked.append(units[place])
    return picked, floored


def _needs(unit: Cut, room: Container[Side]) -> dict[Side, int]:
    sides = ((name, side) for side in ("outputs", "inputs") for name in getattr(unit, side))
    return {
        (name, side): len(getattr(unit, side)[name]) for name, side in sides if (name, side) in room
    }
