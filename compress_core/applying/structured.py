"""Structured: channels, neurons and heads leave the network for good."""

from collections.abc import Collection
from dataclasses import replace

from torch import Tensor

from compress_core.methods import structured
from compress_core.methods.step import ALL_LAYERS
from compress_core.methods.structured import IMPORTANCES, Cut, Group, PruneStructured
from compress_core.network import Names, Network
from compress_core.original import Original


def remove_channels(step: PruneStructured, names: Names, network: Network) -> Network:
    """A smaller network; the same one where nothing is removed."""
    base = network.base
    cut = plan_removal(step, names, base)
    if not cut.outputs:
        return network
    done = ("structured", replace(step, layers=ALL_LAYERS), names)
    return network.with_base(done, lambda: structured.shrink(base.module, cut).module)


def refuse_removal(_step: PruneStructured, name: str, network: Network) -> str | None:
    reason = locked_layers(network.base).get(name)
    return reason and f"keeps all of its channels: {reason}"


def locked_layers(base: Original) -> dict[str, str]:
    """Why no output channel of a layer can go, for each layer of which none can."""
    groups = coupled_groups(base)
    free = {name for group in groups if not group.locked for name in group.layers}
    return {
        name: structured.reason_for(name, base.module, groups)
        for name in base.layers
        if name not in free
    }


def plan_removal(step: PruneStructured, names: Collection[str], base: Original) -> Cut:
    """The channels that the step removes from the layers that it wins."""
    groups = coupled_groups(base)
    statistics = _statistics(step, groups, names, base)
    return structured.plan_structured(step, base.module, groups, statistics, layers=names)


def rank_units(step: PruneStructured, names: Collection[str], base: Original) -> dict[int, Tensor]:
    """The importances (units,) that the step gives to its groups, by place in `coupled_groups`."""
    groups = coupled_groups(base)
    statistics = _statistics(step, groups, names, base)
    return structured.unit_importances(step, base.module, groups, names, statistics)


def coupled_groups(base: Original) -> tuple[Group, ...]:
    """The channels of a network that can only go together, found once."""
    return base.memo.get("coupled", lambda: structured.couple(base.module, base.example))


def _statistics(
    step: PruneStructured, groups: Collection[Group], names: Collection[str], base: Original
) -> dict[str, Tensor]:
    """What the step's importance needs of each layer that it may prune."""
    if IMPORTANCES[step.importance] is None:
        return {}
    calibration = base.calibrate(step.samples, step.seed)
    layers = [name for g in groups if not g.locked for name in g.layers if name in names]
    if step.importance == "taylor":
        return {name: calibration.gradients(name) for name in layers}
    return {name: getattr(calibration.outputs(name), step.importance) for name in layers}
