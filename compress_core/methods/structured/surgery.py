"""Taking channels out of a network: torch-pruning's layer functions, on a copy.

Removing a channel means: its row of the weight that makes it, its entry in the batch norms behind
it, and its column of every weight that reads it.
"""

import copy
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch_pruning
from torch import Tensor, nn

from compress_core.equality import Probe, compare, outputs_of
from compress_core.methods.structured.attention import cut_heads

Indices = tuple[int, ...]
Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm
WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
CUTTABLE = (*WEIGHTED, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


@dataclass(frozen=True, eq=False)
class Cut:
    """Channels that go. By module name: indices of output and of input channels, ascending.

    heads: indices of the heads that leave an attention module (their rows and columns stand in
    `outputs` and `inputs`). floored: the layers in which the floor spared channels.
    """

    outputs: Mapping[str, Indices] = field(default_factory=dict)
    inputs: Mapping[str, Indices] = field(default_factory=dict)
    heads: Mapping[str, Indices] = field(default_factory=dict)
    floored: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Shrunk:
    """A smaller network, and what it kept: weight' = weight[kept[name]][:, kept_inputs[name]].

    Both dictionaries name every Linear, Conv and BatchNorm (kept alone), also those left whole.
    """

    module: nn.Module
    kept: Mapping[str, Tensor]
    kept_inputs: Mapping[str, Tensor]


def merge(cuts: Iterable[Cut]) -> Cut:
    """All channels of several cuts in one."""
    cuts = tuple(cuts)
    return Cut(
        _union(cut.outputs for cut in cuts),
        _union(cut.inputs for cut in cuts),
        _union(cut.heads for cut in cuts),
    )


def _union(parts: Iterable[Mapping[str, Indices]]) -> dict[str, Indices]:
    union: defaultdict[str, set[int]] = defaultdict(set)
    for part in parts:
        for name, indices in part.items():
            union[name].update(indices)
    return {name: tuple(sorted(indices)) for name, indices in union.items()}


def shrink(module: nn.Module, cut: Cut) -> Shrunk:
    """A copy of `module` without the channels of `cut`; layer names stay as they are.

    Its output equals that of `masked(module, cut)` up to rounding.
    """
    small = copy.deepcopy(module)
    take_out(small, cut)
    for name, parameter in module.named_parameters():  # torch-pruning makes new ones
        small.get_parameter(name).requires_grad_(parameter.requires_grad)
    return Shrunk(small, *_kept(module, cut))


def take_out(small: nn.Module, cut: Cut) -> None:
    """Take the channels of `cut` out of a network, which is written to."""
    for name, heads in cut.heads.items():
        cut_heads(small.get_submodule(name), heads)
    for name, removed in cut.outputs.items():
        _cut_outputs(small.get_submodule(name), removed)
    for name, removed in cut.inputs.items():
        _cut_inputs(small.get_submodule(name), removed)


def _cut_outputs(layer: nn.Module, removed: Indices) -> None:
    indices = list(removed)
    if isinstance(layer, nn.Linear):
        torch_pruning.prune_linear_out_channels(layer, indices)
    elif is_depthwise(layer):
        torch_pruning.prune_depthwise_conv_out_channels(layer, indices)
    elif isinstance(layer, Convolution):
        torch_pruning.prune_conv_out_channels(layer, indices)
    elif isinstance(layer, BatchNorm):
        torch_pruning.prune_batchnorm_out_channels(layer, indices)
    else:
        raise TypeError(f"{type(layer).__name__} has no output channels that can be cut")


def _cut_inputs(layer: nn.Module, removed: Indices) -> None:
    if isinstance(layer, nn.Linear):
        torch_pruning.prune_linear_in_channels(layer, list(removed))
    elif isinstance(layer, Convolution):
        torch_pruning.prune_conv_in_channels(layer, list(removed))
    else:
        raise TypeError(f"{type(layer).__name__} has no input channels that can be cut")


def is_depthwise(layer: nn.Module) -> bool:
    """One filter for each channel: outputs and inputs are the same channels."""
    return (
        isinstance(layer, Convolution)
        and layer.groups == layer.out_channels == layer.in_channels
        and layer.groups > 1
    )


def why_unlike(private: nn.Module, cut: Cut, probes: Sequence[Probe]) -> str | None:
    """How the network without the channels of `cut` differs from the masked one, in words.

    None where both give the same outputs on `probes`. `private` is a copy whose forward nobody
    else runs. Raises what it raises.
    """
    changed = _light_copy(private, cut)
    silence(changed, cut)
    expected = outputs_of(changed, probes)
    take_out(changed, cut)  # what is left is the same with zeros beside it or without
    return compare(expected, outputs_of(changed, probes))


def _light_copy(module: nn.Module, cut: Cut) -> nn.Module:
    """A copy that shares the layers that `cut` leaves alone."""
    names = {*cut.outputs, *cut.inputs, *cut.heads}
    shared = {
        id(part): part
        for name, part in module.named_modules()
        if name not in names and next(part.children(), None) is None
    }
    return copy.deepcopy(module, shared)


def masked(module: nn.Module, cut: Cut) -> nn.Module:
    """The same network, as large as before, in which the channels of `cut` are silent.

    Their rows, biases and batch norm entries are zero, and so are the columns that read them: a
    non-linearity with f(0) ≠ 0 would make something of the zero.
    """
    silent = copy.deepcopy(module)
    silence(silent, cut)
    return silent


def silence(silent: nn.Module, cut: Cut) -> None:
    """Put zeros in the place of the channels of `cut`; the network is written to."""
    with torch.no_grad():
        for name, removed in cut.outputs.items():
            _zero_outputs(silent.get_submodule(name), list(removed))
        for name, removed in cut.inputs.items():
            weight = weight_of(silent, name)
            weight[:, columns(weight, removed)] = 0


def _zero_outputs(layer: nn.Module, removed: list[int]) -> None:
    for parameter in (layer.weight, layer.bias):
        if isinstance(parameter, Tensor):
            parameter[removed] = 0


def weight_of(module: nn.Module, name: str) -> Tensor:
    """The weight (out, in, …) of the layer called `name`."""
    weight = module.get_submodule(name).weight
    assert isinstance(weight, Tensor)
    return weight


def columns(weight: Tensor, removed: Indices) -> list[int]:
    """The columns of the weight that read the input channels `removed`.

    In a grouped convolution the same column of each group reads another channel.
    """
    return sorted({index % weight.shape[1] for index in removed})


def _kept(module: nn.Module, cut: Cut) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    kept, kept_inputs = {}, {}
    for name, layer in module.named_modules():
        if isinstance(layer, CUTTABLE):
            kept[name] = _others(output_channels(layer), cut.outputs.get(name, ()))
        if isinstance(layer, nn.Linear | Convolution):
            removed = columns(layer.weight, cut.inputs.get(name, ()))
            kept_inputs[name] = _others(layer.weight.shape[1], removed)
    return kept, kept_inputs


def _others(count: int, removed: Iterable[int]) -> Tensor:
    mask = torch.ones(count, dtype=torch.bool)
    mask[list(removed)] = False
    return mask.nonzero().view(-1)


def output_channels(layer: nn.Module) -> int:
    """How many output channels a layer that can be cut has."""
    if isinstance(layer, nn.Linear):
        return layer.out_features
    if isinstance(layer, Convolution):
        return layer.out_channels
    assert isinstance(layer, BatchNorm)
    return layer.num_features


def input_channels(layer: nn.Module) -> int:
    """How many input channels a Linear or Conv layer has."""
    if isinstance(layer, nn.Linear):
        return layer.in_features
    assert isinstance(layer, Convolution)
    return layer.in_channels
