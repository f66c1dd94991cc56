"""The arithmetic of folding, on a copy of the network.

γ·(w·x + b - μ) / √(σ² + ε) + β = (s·w)·x + s·(b - μ) + β with s = γ / √(σ² + ε).
"""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
# Each class of layers that can take a norm, and the axis of the channels in what it makes.
AXES: dict[type[nn.Module], int] = {
    nn.Linear: -1,
    nn.Conv1d: -2,
    nn.Conv2d: -3,
    nn.Conv3d: -4,
    nn.ConvTranspose1d: -2,
    nn.ConvTranspose2d: -3,
    nn.ConvTranspose3d: -4,
}
LAYERS = tuple(AXES)
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def fold_pairs(module: nn.Module, pairs: Mapping[str, str]) -> nn.Module:
    """A copy of `module` in which each layer has taken over its norm; an Identity stands there."""
    folded = copy.deepcopy(module)
    for layer, norm in pairs.items():
        _fuse(folded.get_submodule(layer), folded.get_submodule(norm))
        _replace(folded, folded.get_submodule(norm), nn.Identity().eval())
    return folded


def _fuse(layer: nn.Module, norm: nn.Module) -> None:
    assert isinstance(norm, NORMS)
    with torch.no_grad():  # the layer itself is written to: a list may hold it beside the network
        layer.weight, layer.bias = _fused_tensors(layer, norm)


def _fused_tensors(layer: nn.Module, norm: Norm) -> tuple[nn.Parameter, nn.Parameter]:
    weight, bias = layer.weight, layer.bias
    assert isinstance(weight, nn.Parameter)
    assert bias is None or isinstance(bias, nn.Parameter)
    transposed = isinstance(layer, Transposed)
    # a transposed convolution is (in, out / groups, …): each group's rows make its own outputs
    groups = layer.groups if isinstance(layer, Transposed) else 1
    rows = weight.chunk(groups)
    biases = (None,) * groups if bias is None else bias.chunk(groups)
    statistics = [_chunks(tensor, groups) for tensor in _statistics(norm)]
    fused = [
        # torch's function for convolutions also fits a Linear, and knows norms without γ and β
        fuse_conv_bn_weights(row, one, mean, var, norm.eps, scale, shift, transpose=transposed)
        for row, one, mean, var, scale, shift in zip(rows, biases, *statistics, strict=True)
    ]
    weights, shifts = zip(*fused, strict=True)
    trained = weight.requires_grad
    return (
        nn.Parameter(torch.cat(weights), requires_grad=trained),
        nn.Parameter(torch.cat(shifts), requires_grad=trained),
    )


def _statistics(norm: Norm) -> tuple[Tensor | None, ...]:
    assert norm.running_mean is not None
    return norm.running_mean, norm.running_var, norm.weight, norm.bias


def _chunks(tensor: Tensor | None, groups: int) -> tuple[Tensor | None, ...]:
    return (None,) * groups if tensor is None else tensor.chunk(groups)


def _replace(module: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put `new` in all places where `old` stands: a part may have several names."""
    names = [n for n, part in module.named_modules(remove_duplicate=False) if part is old]
    for name in names:
        owner, _, attribute = name.rpartition(".")
        setattr(module.get_submodule(owner), attribute, new)
