"""Which channels can only go together, and which cannot go at all.

The sum of a residual connection needs the same channels on both sides, a flattened image brings
one column for each pixel of a channel, a concatenation shifts the numbers. A unit is the least set
of channels that can go; a group is the units that live in the same layers.

torch-pruning's graph knows many traced operations by their names alone, and may be wrong. So each
group is tried out first: without its channels the network must give the masked network's outputs.
"""

import copy
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import MethodType
from typing import Any

import torch
from torch import nn

from compress_core.entering.attention import Attention
from compress_core.equality import Probe
from compress_core.inputs import Inputs, each
from compress_core.methods.structured.attention import (
    head_columns,
    head_rows,
    is_packed_attention,
    packed_attentions,
)
from compress_core.methods.structured.chains import Chain, cuts_outputs, follow
from compress_core.methods.structured.surgery import (
    CUTTABLE,
    WEIGHTED,
    Cut,
    Indices,
    merge,
    why_unlike,
)
from compress_core.plain import why_not_plain
from compress_core.probing import draw_probes

CHANGES = "removing some of its channels changes the others"
LOST = "what reads its channels, or is added to them, cannot be followed"
UNKNOWN = "not all that depends on its channels is known: without some the network does not run"
REASONS: dict[type[nn.Module], str] = {
    nn.LayerNorm: "normalizes over all of its channels, so that removing one changes the others",
    nn.GroupNorm: "normalizes over several channels, so that removing one changes the others",
    nn.MultiheadAttention: "ties its heads to its width; torch has no form of it with fewer heads",
    Attention: "splits its width evenly into heads",
    nn.Embedding: "is a table of vectors, whose width is not pruned",
}


@dataclass(frozen=True, eq=False)
class Group:
    """Units that live in the same `layers` (Linear or Conv, whose output channels they are).

    locked: why none of them may go, None where they may.
    """

    layers: tuple[str, ...]
    units: tuple[Cut, ...]
    locked: str | None = None


def couple(module: nn.Module, example: Inputs) -> tuple[Group, ...]:
    """The groups of channels of a network in evaluation mode, in the order of its modules.

    `example` is an input with a batch dimension, or a tuple of them. Slow (it tries each group
    out); a function of the network alone, worth keeping.
    Raises ValueError for a network that cannot be traced.
    Source: Fang et al. 2023, 2301.12900 (DepGraph).
    """
    groups = [*_traced_groups(module, example), *_head_groups(module)]
    order = {name: place for place, (name, _) in enumerate(module.named_modules())}
    groups.sort(key=lambda group: min(order[name] for name in group.layers))
    if all(group.locked for group in groups):
        return tuple(groups)
    probes = draw_probes(module, each(example))
    private = copy.deepcopy(module)  # modules may keep what they saw
    return tuple(_tried(group, private, probes) for group in groups)


def reason_for(name: str, module: nn.Module, groups: Iterable[Group]) -> str:
    """Why no channel of this layer can go, in words."""
    for group in groups:
        if name in group.layers and group.locked:
            return group.locked
    parts = dict(module.named_modules())
    around = [part for part in parts if part and f"{name}.".startswith(f"{part}.")]
    for part in around:
        if is_packed_attention(parts[part]) or isinstance(parts[part], tuple(REASONS)):
            return _refusal(part, parts[part])
    return "it takes no part in the network's output"


def _tried(group: Group, private: nn.Module, probes: Sequence[Probe]) -> Group:
    if group.locked:
        return group
    if len(group.units) == 1:
        return replace(group, locked="all of its channels can only go together")
    # each trial has inputs of its own: all of them on all would take twice as long
    for place, units in enumerate(_trials(group.units)):
        try:
            reason = why_unlike(private, merge(units), (probes[place % len(probes)],))
        except Exception:  # whatever a network of other people, or torch-pruning, raises
            return replace(group, locked=UNKNOWN)
        if reason:
            return replace(group, locked=CHANGES)
    return group


def _trials(units: Sequence[Cut]) -> Iterator[Sequence[Cut]]:
    """One unit alone (an odd number breaks what comes in pairs), and a half without pattern."""
    order = torch.randperm(len(units), generator=torch.Generator().manual_seed(0)).tolist()
    yield [units[order[0]]]
    yield [units[place] for place in order[: len(units) // 2]]


def _head_groups(module: nn.Module) -> Iterator[Group]:
    for name, attention in packed_attentions(module):
        qkv, proj = f"{name}.qkv".lstrip("."), f"{name}.proj".lstrip(".")
        units = (
            Cut({qkv: head_rows(attention, h)}, {proj: head_columns(attention, h)}, {name: (h,)})
            for h in range(attention.heads)
        )
        yield Group((qkv,), tuple(units))


def _traced_groups(module: nn.Module, example: Inputs) -> Iterator[Group]:
    with torch.inference_mode(False):  # inside of it nothing has gradients, whoever calls us
        traced = _traceable(module)
        chains = follow(traced, example)
    names = {part: name for name, part in traced.named_modules()}
    weighted = [name for name, part in module.named_modules() if isinstance(part, WEIGHTED)]
    members: defaultdict[tuple[tuple[str, ...], str | None], list[Cut]] = defaultdict(list)
    keys = {key for chain, _ in chains for key in chain}
    locks = {key: _lock(*key, names, module) for key in keys}
    for chain, lost in chains:
        locked = next(filter(None, map(locks.get, chain)), LOST if lost else None)
        unit = _unit(chain, names)
        layers = tuple(name for name in weighted if name in unit.outputs)
        members[layers, locked].append(unit)
    for (layers, locked), units in members.items():
        if layers:
            yield Group(layers, tuple(units), locked)


def _traceable(module: nn.Module) -> nn.Module:
    """A copy with gradients, in which a plain layer of the same widths stands for an attention.

    The trace cannot see heads in a reshaped `qkv`; we can.
    """
    traced = copy.deepcopy(module)
    for parameter in traced.parameters():
        parameter.requires_grad_(parameter.is_floating_point() or parameter.is_complex())
    for name, attention in list(packed_attentions(traced)):
        owner, _, attribute = name.rpartition(".")
        widths = attention.qkv.in_features, attention.proj.out_features
        stand_in = nn.utils.skip_init(nn.Linear, *widths)  # draws from no global generator
        setattr(traced.get_submodule(owner), attribute, stand_in)
    return traced


def _unit(chain: Chain, names: dict[nn.Module, str]) -> Cut:
    outputs: dict[str, Indices] = {}
    inputs: dict[str, Indices] = {}
    for (node, function), indices in chain.items():
        if isinstance(node.module, CUTTABLE):
            side = outputs if cuts_outputs(function) else inputs
            side[names[node.module]] = tuple(sorted(indices))
    return Cut(outputs, inputs)


def _lock(
    node: Any, function: MethodType, names: dict[nn.Module, str], module: nn.Module
) -> str | None:
    """Why channels that reach this node may not go, None if they may."""
    if not node.outputs and cuts_outputs(function):
        return "its channels are the network's output"
    if isinstance(node.module, nn.Parameter):
        return "a parameter outside of any layer has an entry for each of its channels"
    if node.module not in names:
        return None
    name = names[node.module]
    part = module.get_submodule(name)
    if isinstance(part, CUTTABLE):
        own = why_not_plain(part, *CUTTABLE)
        return f"{name} cannot be cut: {own}" if own else _tie(module, part)
    if isinstance(part, nn.PReLU) and part.num_parameters == 1:
        return None
    return _refusal(name, part)


def _refusal(name: str, part: nn.Module) -> str:
    if is_packed_attention(part):
        return f"{name} reads or makes all of its channels; only heads (of qkv) can go there"
    known = (reason for cls, reason in REASONS.items() if isinstance(part, cls))
    return f"{name} ({type(part).__name__}) {next(known, 'has no channels that can be cut')}"


def _tie(module: nn.Module, part: nn.Module) -> str | None:
    """Why a part may not change, where another has one of its parameters.

    A part that stands in several places has its parameters under several keys, and is no tie.
    """
    own = {id(parameter) for parameter in part.parameters(recurse=False)}
    others = [other for other in module.modules() if other is not part]
    if not any(id(p) in own for other in others for p in other._parameters.values()):
        return None
    named = module.named_parameters(remove_duplicate=False)
    return f"its weights are tied ({', '.join(key for key, p in named if id(p) in own)})"
