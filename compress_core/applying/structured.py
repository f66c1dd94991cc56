"""Structured: channels, neurons and heads leave the network for good."""

import copy
from collections.abc import Collection
from dataclasses import replace

from torch import Tensor, nn

from compress_core.equality import first_line
from compress_core.methods import structured
from compress_core.methods.step import ALL_LAYERS, matching
from compress_core.methods.structured import IMPORTANCES, Cut, Group, PruneStructured
from compress_core.network import Names, Network
from compress_core.original import Original
from compress_core.probing import draw_probes

WITHOUT_CHANNELS = {"bilinear", "conv_transpose", "parameter", "recurrent"}


def remove_channels(step: PruneStructured, names: Names, network: Network) -> Network:
    """A smaller network; the same one where nothing is removed."""
    base = network.base
    cut = plan_removal(step, names, base)
    if not cut.outputs:
        return network
    done = ("structured", replace(step, layers=ALL_LAYERS), names)
    return network.with_base(done, lambda: _shrink(base, cut))


def _shrink(base: Original, cut: Cut) -> nn.Module:
    """The network without the channels of `cut`, if it gives the outputs of the masked network.

    Each group was tried alone before; this tries all together. Raises ValueError otherwise.
    """
    probes = base.memo.get("probes", lambda: draw_probes(base.module, base.examples))
    try:
        reason = structured.why_unlike(copy.deepcopy(base.module), cut, probes)
    except Exception as error:  # whatever a network of other people raises
        reason = f"it does not run ({first_line(error)})"
    if reason:
        raise ValueError(
            f"layers={'|'.join(cut.outputs)}: without all of these channels at once the network is "
            f"not the one with zeros in their place: {reason}; name fewer layers (layers=…)"
        )
    return structured.shrink(base.pristine, cut).module


def refuse_removal(step: PruneStructured, name: str, network: Network) -> str | None:
    reason = _kept_whole(matching(step.layers, network.base.layers), network.base).get(name)
    return reason and f"keeps all of its channels: {reason}"


def locked_layers(base: Original) -> dict[str, str]:
    """The layers that can lose no output channel, each with the reason."""
    return _kept_whole(base.layers, base)


def _kept_whole(named: Collection[str], base: Original) -> dict[str, str]:
    """Those of the layers `named` in one step that can lose no output channel, with the reason."""
    groups = coupled_groups(base)
    key = ("kept whole", frozenset(named))
    found = base.memo.get(key, lambda: structured.refusals(base.module, groups, named))
    return {name: _kind_refusal(name, base) or reason for name, reason in found.items()}


def _kind_refusal(name: str, base: Original) -> str | None:
    kind = base.layers[name].kind
    if kind in WITHOUT_CHANNELS:
        return f"channels of a weight of this kind ({kind}) are not removed"
    return base.reads.weights.get(name)


def plan_removal(step: PruneStructured, names: Collection[str], base: Original) -> Cut:
    """The channels that the step removes from the layers that it wins."""
    scores = rank_units(step, names, base)
    groups = coupled_groups(base)
    return structured.plan_structured(step, base.pristine, groups, layers=names, scores=scores)


def rank_units(step: PruneStructured, names: Collection[str], base: Original) -> dict[int, Tensor]:
    """The importances (units,) that the step gives to its groups, by place in `coupled_groups`;
    how many channels go does not change them."""

    def rank() -> dict[int, Tensor]:
        groups = coupled_groups(base)
        statistics = _statistics(step, groups, names, base)
        return structured.unit_importances(step, base.pristine, groups, names, statistics)

    key = (step.importance, step.samples, step.seed, frozenset(names))
    return base.memo.get(("importances", key), rank)


def coupled_groups(base: Original) -> tuple[Group, ...]:
    """The channels of a network that can only go together, found once."""
    return base.memo.get("coupled", lambda: structured.couple(base.pristine, base.examples))


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
