"""Which batch norms can be folded, and why the others cannot, in words."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from compress_core.equality import Probe, differs, first_line
from compress_core.inputs import Inputs, each
from compress_core.methods.folding.fusing import AXES, LAYERS, NORMS, fold_pairs
from compress_core.methods.folding.readers import Readings, watch_readers
from compress_core.plain import is_plain, why_not_plain
from compress_core.probing import draw_probes


@dataclass(frozen=True, eq=False)
class Norms:
    """pairs: the batch norm behind each layer that can take it over, by name.
    reasons: why no norm can be folded into it, for each other Linear and Conv."""

    pairs: Mapping[str, str]
    reasons: Mapping[str, str]


def find_norms(module: nn.Module, example: Inputs) -> Norms:
    """The norms of a network that can be folded: found by who reads whose output, then tried out.

    A layer takes a norm over where that norm alone reads its output, channel by channel, both run
    once, and the norm has running statistics; and the folded network must answer as before.
    `example` is an input with a batch dimension, or a tuple of them. A function of the network
    alone, worth keeping.
    Raises ValueError for a network that does not run on random inputs.
    """
    if not any(isinstance(part, NORMS) for part in module.modules()):
        return Norms({}, dict.fromkeys(_layers(module), _no_norm(module)))
    probes = draw_probes(module, each(example))
    layers = [name for name in _layers(module) if is_plain(module.get_submodule(name), *LAYERS)]
    norms = [name for name, part in module.named_modules() if name and isinstance(part, NORMS)]
    axes = {name: _axis(module, name) for name in layers}
    try:
        readings = watch_readers(copy.deepcopy(module), probes[0], axes, norms)
    except Exception as error:  # as of operators of higher order, which cannot be watched
        unseen = f"who reads its output cannot be seen ({first_line(error)})"
        return Norms({}, dict.fromkeys(_layers(module), unseen))
    found = {name: _why_not(name, module, readings, norms) for name in _layers(module)}
    pairs = {
        name: next(iter(readings.readers[name])) for name, reason in found.items() if not reason
    }
    refused = _try_out(module, pairs, probes)
    reasons = {name: reason for name, reason in found.items() if reason} | refused
    return Norms({k: norm for k, norm in pairs.items() if k not in refused}, reasons)


def foldable(module: nn.Module, example: Inputs) -> dict[str, str]:
    """The batch norm behind each layer that can take it over, by name."""
    return dict(find_norms(module, example).pairs)


def unfoldable(name: str, module: nn.Module, norms: Norms) -> str | None:
    """Why no batch norm can be folded into this layer, in words; None if one can."""
    if name in norms.pairs:
        return None
    part = dict(module.named_modules()).get(name)
    other = f"a {type(part).__name__} takes no batch norm over; a Linear or Conv does"
    return norms.reasons.get(name, other if part is not None else "it is no layer of its own")


def _layers(module: nn.Module) -> list[str]:
    return [name for name, part in module.named_modules() if name and isinstance(part, LAYERS)]


def _axis(module: nn.Module, name: str) -> int:
    part = module.get_submodule(name)
    return next(axis for cls, axis in AXES.items() if isinstance(part, cls))


def _no_norm(module: nn.Module) -> str:
    kinds = sorted({k for part in module.modules() if "Norm" in (k := type(part).__name__)})
    none = "the network has no batch norm"
    return f"{none}, but {', '.join(kinds)}, which must see each input" if kinds else none


def _why_not(name: str, module: nn.Module, readings: Readings, norms: Sequence[str]) -> str | None:
    part = module.get_submodule(name)
    if reason := why_not_plain(part, *LAYERS):
        return reason
    runs = readings.runs[name]
    if runs != 1:
        return f"it runs {runs} times on an input" if runs else "the network does not call it"
    if name in readings.read_elsewhere or _is_tied(module, part):
        reader = readings.read_elsewhere.get(name)
        shared = "its weight is shared"
        return f"{shared} (it is read by {reader}, too)" if reader else shared
    readers = readings.readers.get(name, {})
    reading = [reader for reader in readers if reader in norms]
    if not readers:
        return "nothing reads its output, and no batch norm does"
    listed = " and ".join(readers)
    if not reading:
        return f"{listed} reads its output, and no batch norm does"
    if len(readers) > 1:
        return f"{listed} read or write its output: a batch norm must be the only reader"
    return _why_no_norm(reading[0], name, module, readings)


def _why_no_norm(norm: str, layer: str, module: nn.Module, readings: Readings) -> str | None:
    part = module.get_submodule(norm)
    assert isinstance(part, NORMS)
    if reason := why_not_plain(part, *NORMS):
        return f"of the batch norm behind it ({norm}): {reason}"
    if part.running_mean is None or part.training:
        return (
            f"the batch norm behind it ({norm}) measures each batch: it has no running statistics"
        )
    if readings.runs[norm] != 1:
        return f"the batch norm behind it ({norm}) runs {readings.runs[norm]} times on an input"
    if norm not in readings.by_channel[layer]:
        return f"the batch norm behind it ({norm}) scales something else than its channels"
    return None


def _is_tied(module: nn.Module, part: nn.Module) -> bool:
    """Whether another part has one of its parameters. One part may stand in several places."""
    own = {id(parameter) for parameter in part.parameters()}
    others = (other for other in module.modules() if other is not part)
    return any(id(p) in own for other in others for p in other._parameters.values())


def _try_out(
    module: nn.Module, pairs: Mapping[str, str], probes: tuple[Probe, ...]
) -> dict[str, str]:
    """Why pairs that look right are not: the folded network answers differently."""
    if not pairs or differs(module, fold_pairs(module, pairs), probes) is None:
        return {}
    alone = {
        layer: differs(module, fold_pairs(module, {layer: norm}), probes)
        for layer, norm in pairs.items()
    }
    refused = {layer: f"without its norm, {reason}" for layer, reason in alone.items() if reason}
    left = {layer: norm for layer, norm in pairs.items() if layer not in refused}
    reason = differs(module, fold_pairs(module, left), probes) if refused and left else None
    if reason or not refused:
        together = reason or "the outputs differ by more than rounding"
        return refused | dict.fromkeys(left, f"without all of these norms, {together}")
    return refused
