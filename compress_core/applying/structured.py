"""Structured: channels, neurons and heads leave the network for good."""

from collections.abc import Collection

from torch import Tensor

from compress_core.methods import structured
from compress_core.methods.structured import IMPORTANCES, Cut, Group, PruneStructured
from compress_core.original import Original
from compress_core.recipe import AnyStep


def remove_channels(step: AnyStep, names: tuple[str, ...], base: Original) -> Original:
    """A smaller network; the same one where nothing is removed."""
    assert isinstance(step, PruneStructured)
    cut = plan_removal(step, names, base)
    return base.with_module(structured.shrink(base.pristine, cut).module) if cut.outputs else base


def plan_removal(step: PruneStructured, names: Collection[str], base: Original) -> Cut:
    """The channels that the step removes from the layers that it wins."""
    groups = coupled_groups(base)
    statistics = _statistics(step, groups, names, base)
    return structured.plan_structured(step, base.pristine, groups, statistics, layers=names)


def rank_units(step: PruneStructured, names: Collection[str], base: Original) -> dict[int, Tensor]:
    """The importances (units,) that the step gives to its groups, by place in `coupled_groups`."""
    groups = coupled_groups(base)
    statistics = _statistics(step, groups, names, base)
    return structured.unit_importances(step, base.pristine, groups, names, statistics)


def coupled_groups(base: Original) -> tuple[Group, ...]:
    """The channels of a network that can only go together, found once."""
    return base.memo.get("coupled", lambda: structured.couple(base.pristine, base.example))


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
