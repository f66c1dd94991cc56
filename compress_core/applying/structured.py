"""Structured: channels, neurons and heads leave the network for good."""

import copy
from collections.abc import Collection

from torch import Tensor

from compress_core.equality import first_line
from compress_core.methods import structured
from compress_core.methods.structured import IMPORTANCES, Cut, Group, PruneStructured
from compress_core.original import Original
from compress_core.probing import draw_probes
from compress_core.recipe import AnyStep


def remove_channels(step: AnyStep, names: tuple[str, ...], base: Original) -> Original:
    """A smaller network; the same one where nothing is removed."""
    assert isinstance(step, PruneStructured)
    cut = plan_removal(step, names, base)
    if not cut.outputs:
        return base
    _check_answers(base, cut)
    return base.with_module(structured.shrink(base.module, cut).module)


def _check_answers(base: Original, cut: Cut) -> None:
    """Raise ValueError unless the smaller network answers as the one with zeros in its place.

    Each group was tried alone; this is all that goes, together.
    """
    probes = base.memo.get("probes", lambda: draw_probes(base.module, (base.example,)))
    try:
        reason = structured.why_unlike(copy.deepcopy(base.module), cut, probes)
    except Exception as error:  # whatever a network of other people raises
        reason = f"it does not run ({first_line(error)})"
    if reason:
        raise ValueError(
            f"layers={'|'.join(cut.outputs)}: without all of these channels at once the network is "
            f"not the one with zeros in their place: {reason}; name fewer layers (layers=…)"
        )


def why_not_cut(name: str, base: Original) -> str | None:
    """Why no channel of the layer can go, in words; None if some can (with those it is coupled)."""
    return structured.refusals(base.module, coupled_groups(base), base.layers).get(name)


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
