"""Normalizations, and dropout."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    multiple,
    numbers_of,
    single,
    with_integers,
    with_numbers,
)


def by_channel(values: Tensor, x: Tensor) -> Tensor:
    """(C,) so that it is broadcast along the second axis of x (B, C, …)."""
    return values.reshape(1, -1, *[1] * (x.dim() - 2))


def standardize(x: Tensor, axes: Sequence[int], epsilon: float) -> Tensor:
    """(x − mean) / √(variance + ε) over the axes."""
    variance, mean = torch.var_mean(x, tuple(axes), correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + epsilon)


def batch_norm(
    x: Tensor, scale: Tensor, shift: Tensor, mean: Tensor, variance: Tensor, *, epsilon: float
) -> Tensor:
    if not scale.dtype == mean.dtype == x.dtype:
        scale, shift, mean, variance = (one.to(x.dtype) for one in (scale, shift, mean, variance))
    if mean.requires_grad or variance.requires_grad:  # torch's own takes them for constants
        factor = scale * torch.rsqrt(variance + epsilon)
        return x * by_channel(factor, x) + by_channel(shift - mean * factor, x)
    return functional.batch_norm(x, mean, variance, scale, shift, False, 0.0, epsilon)


def batch_norm_in_training(
    x: Tensor,
    scale: Tensor,
    shift: Tensor,
    mean: Tensor,
    variance: Tensor,
    *,
    epsilon: float,
    momentum: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """By the batch's own mean and variance; and the running ones after it."""
    axes = (0, *range(2, x.dim()))
    batch_variance, batch_mean = torch.var_mean(x, axes, correction=0)
    y = standardize(x, axes, epsilon) * by_channel(scale, x) + by_channel(shift, x)
    running_mean = mean * momentum + batch_mean * (1 - momentum)
    return y, running_mean, variance * momentum + batch_variance * (1 - momentum)


def instance_norm(x: Tensor, scale: Tensor, shift: Tensor, *, epsilon: float) -> Tensor:
    normal = standardize(x, range(2, x.dim()), epsilon)
    return normal * by_channel(scale, x) + by_channel(shift, x)


def layer_norm(
    x: Tensor,
    scale: Tensor,
    shift: Tensor | None = None,
    *,
    axis: int,
    epsilon: float,
) -> Tensor:
    sizes = x.shape[axis:]
    if scale.shape == sizes and (shift is None or shift.shape == sizes):
        return functional.layer_norm(x, sizes, scale, shift, epsilon)
    normal = functional.layer_norm(x, sizes, eps=epsilon) * scale
    return normal if shift is None else normal + shift


def layer_norm_with_statistics(
    x: Tensor,
    scale: Tensor,
    shift: Tensor | None = None,
    *,
    axis: int,
    epsilon: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Also the mean and the inverse of the standard deviation."""
    axes = tuple(range(axis % x.dim(), x.dim()))
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    variance, mean = torch.var_mean(wide, axes, correction=0, keepdim=True)
    y = layer_norm(x, scale, shift, axis=axis, epsilon=epsilon)
    return y, mean, torch.rsqrt(variance + epsilon)


def rms_norm(x: Tensor, scale: Tensor, *, axis: int, epsilon: float) -> Tensor:
    wide = x.to(torch.promote_types(x.dtype, torch.float32))
    square = (wide * wide).mean(tuple(range(axis % x.dim(), x.dim())), keepdim=True)
    return (wide * torch.rsqrt(square + epsilon)).to(x.dtype) * scale


def group_norm(x: Tensor, scale: Tensor, shift: Tensor, *, groups: int, epsilon: float) -> Tensor:
    """Scale and shift have one value a channel, or one a group as before opset 21."""
    if scale.numel() != x.shape[1]:
        scale, shift = (one.repeat_interleave(x.shape[1] // groups) for one in (scale, shift))
    return functional.group_norm(x, groups, scale, shift, epsilon)


def response_norm(x: Tensor, *, size: int, alpha: float, beta: float, bias: float) -> Tensor:
    """x / (bias + α / size · Σ x²)^β, the sum over `size` neighbouring channels."""
    squares = (x * x).transpose(0, 1).reshape(1, x.shape[1], -1).transpose(1, 2)
    padded = functional.pad(squares, ((size - 1) // 2, size // 2))
    near = padded.unfold(-1, size, 1).sum(-1).transpose(1, 2)  # (1, C, B·…)
    near = near.reshape(x.shape[1], x.shape[0], *x.shape[2:]).transpose(0, 1)
    return x / (bias + alpha / size * near) ** beta


def lp_normalize(x: Tensor, *, axis: int, p: int) -> Tensor:
    """x over its p-norm along the axis; zero where the norm is zero."""
    norm = (x.abs() ** p).sum(axis, keepdim=True) ** (1 / p)
    return torch.where(norm == 0, torch.zeros_like(x), x / norm)


def mean_variance_normalize(x: Tensor, *, axes: tuple[int, ...]) -> Tensor:
    variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    return (x - mean) / (torch.sqrt(variance) + 1e-9)


def dropout(
    x: Tensor,
    given: Tensor | None = None,
    training: Tensor | None = None,
    *,
    ratio: float,
) -> tuple[Tensor, Tensor]:
    """x itself, unless the node says that it trains; and which elements are kept."""
    ratio = ratio if given is None else numbers_of(given)[0]
    if training is None or not numbers_of(training)[0]:
        return x, torch.ones_like(x, dtype=torch.bool)
    kept = torch.rand_like(x) >= ratio
    return torch.where(kept, x / (1 - ratio), torch.zeros_like(x)), kept


def _batch_norm(read: Attributes) -> Operator | None:
    epsilon, momentum = read.number("epsilon", 1e-5), read.number("momentum", 0.9)
    if not read.flag("spatial", True):
        return None
    if read.flag("training_mode"):
        return multiple(batch_norm_in_training, epsilon=epsilon, momentum=momentum)
    return single(batch_norm, epsilon=epsilon) if len(read.outputs) == 1 else None


def _layer_norm(read: Attributes) -> Operator:
    axis, epsilon = read.integer("axis", -1), read.number("epsilon", 1e-5)
    read.ignore("stash_type")  # torch sums in float32 at least
    if len(read.outputs) == 1:
        return single(layer_norm, axis=axis, epsilon=epsilon)
    return multiple(layer_norm_with_statistics, axis=axis, epsilon=epsilon)


def _rms_norm(read: Attributes) -> Operator:
    read.ignore("stash_type")
    return single(rms_norm, axis=read.integer("axis", -1), epsilon=read.number("epsilon", 1e-5))


def _group_norm(read: Attributes) -> Operator:
    read.ignore("stash_type")
    groups = read.integer("num_groups", 1)
    return single(group_norm, groups=groups, epsilon=read.number("epsilon", 1e-5))


def _response_norm(read: Attributes) -> Operator:
    alpha, beta = read.number("alpha", 1e-4), read.number("beta", 0.75)
    size, bias = read.integer("size", 1), read.number("bias", 1.0)
    return single(response_norm, size=size, alpha=alpha, beta=beta, bias=bias)


def _mean_variance_normalize(read: Attributes) -> Operator:
    return single(mean_variance_normalize, axes=read.integers("axes") or (0, 2, 3))


def _dropout(read: Attributes) -> Operator:
    read.ignore("seed", "is_test")
    return multiple(dropout, ratio=read.number("ratio", 0.5))


TABLE: dict[str, Builder] = {
    "BatchNormalization": _batch_norm,
    "Dropout": _dropout,
    "GroupNormalization": _group_norm,
    "InstanceNormalization": with_numbers(instance_norm, epsilon=1e-5),
    "LRN": _response_norm,
    "LayerNormalization": _layer_norm,
    "LpNormalization": with_integers(lp_normalize, axis=-1, p=2),
    "MeanVarianceNormalization": _mean_variance_normalize,
    "RMSNormalization": _rms_norm,
    "SimplifiedLayerNormalization": _rms_norm,  # onnxruntime's name before opset 23
}
