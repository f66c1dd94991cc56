"""Affine k-bit quantization: x ≈ scale · (q - zero_point), ONNX's formula and no other.

Zero is always a level, so pruned weights stay exactly zero. Symmetric codes leave out the lowest
one (±127 at 8 bits), so that the levels mirror; at 1 bit only {-scale, 0} is left of that, which
is why binary networks use sign·mean|w| instead of this formula.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from compress_core.methods.step import (
    ALL_LAYERS,
    check_choice,
    check_layers,
    check_number,
    check_whole,
)
from compress_core.weights import as_matrix

Scheme = Literal["symmetric", "asymmetric"]
Granularity = Literal["tensor", "channel", "group"]
Clipping = Literal["min_max", "percentile", "mse"]

BITS = (1, 2, 3, 4, 5, 6, 7, 8, 16)
CLIP_GRID = np.linspace(0.2, 1.0, 81, dtype=np.float32)  # fractions of the full range tried


@dataclass(frozen=True)
class Quantize:
    """Uniform quantization of weights to `bits`.

    scheme: "symmetric" (zero_point = 0) or "asymmetric". granularity: one scale per tensor, per
      output channel, or per `group_size` inputs of a channel. clipping: the range is the full
      min-max, the `percentile` of |w| (two-sided), or the one of least squared error.
    Raises ValueError for other values. Source: Jacob et al. 2017, 1712.05877; ONNX QuantizeLinear.
    """

    kind: ClassVar[str] = "quantize"

    bits: int = 8
    scheme: Scheme = "symmetric"
    granularity: Granularity = "channel"
    clipping: Clipping = "min_max"
    percentile: float = 99.9
    group_size: int = 32
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_choice("bits", self.bits, BITS)
        check_choice("scheme", self.scheme, ("symmetric", "asymmetric"))
        check_choice("granularity", self.granularity, ("tensor", "channel", "group"))
        check_choice("clipping", self.clipping, ("min_max", "percentile", "mse"))
        check_number(
            "percentile",
            self.percentile,
            low=50,
            high=100,
            closed=True,
            remedy="99.9 clips one in 1,000",
        )
        check_whole("group_size", self.group_size, low=2, high=2**31, remedy="32 is usual")
        check_layers(self.layers)


@dataclass(frozen=True, eq=False)
class Quantized:
    """Codes and what turns them back into weights.

    `codes` has the weight's shape (int32, within q_min … q_max); `scale` (float32) and
    `zero_point` (int32) have shape () per tensor, (out,) per channel, (out, groups) per group.
    """

    codes: Tensor
    scale: Tensor
    zero_point: Tensor
    bits: int
    scheme: Scheme
    group_size: int | None

    def dequantize(self) -> Tensor:
        """scale · (q - zero_point), float32, in the shape of the weight."""
        codes = as_matrix(self.codes)
        scale = spread(self.scale, codes.shape, self.group_size)
        zero_point = spread(self.zero_point, codes.shape, self.group_size)
        return ((codes - zero_point).float() * scale).view(self.codes.shape)


def code_range(bits: int, scheme: Scheme) -> tuple[int, int]:
    """q_min and q_max. Symmetric codes mirror around 0 (from 2 bits on), asymmetric start at 0."""
    if scheme == "asymmetric":
        return 0, 2**bits - 1
    return (-1, 0) if bits == 1 else (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1)


def spread(parameter: Tensor, shape: torch.Size, group_size: int | None) -> Tensor:
    """A scale or zero point, broadcast against codes of `shape` (out, in)."""
    if parameter.dim() == 0:
        return parameter
    if parameter.dim() == 1:
        return parameter[:, None]
    assert group_size is not None
    return parameter.repeat_interleave(group_size, dim=1)[:, : shape[1]]


def choose_qparams(low: Tensor, high: Tensor, bits: int, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """Scale and zero point for the range low … high (any shape), widened to contain zero.

    Symmetric: scale = max(|low|, |high|) / q_max. Asymmetric: scale = (high - low) / (2ᵏ - 1),
    zero_point = round(-low / scale). A range without width gets scale 1: it holds only zeros.
    """
    q_min, q_max = code_range(bits, scheme)
    low, high = low.clamp(max=0.0), high.clamp(min=0.0)
    if scheme == "symmetric":
        width = torch.maximum(-low, high) / max(q_max, -q_min)
    else:
        width = (high - low) / (q_max - q_min)
    # a width so small that 1/width overflows is a range of denormals: no level fits between them
    scale = torch.where(width > torch.finfo(torch.float32).tiny, width, 1.0)
    if scheme == "symmetric":
        return scale, torch.zeros_like(scale, dtype=torch.int32)
    return scale, torch.round(-low / scale).clamp(q_min, q_max).to(torch.int32)


def quantize(weight: Tensor, step: Quantize) -> Quantized:
    """Quantize a weight (out, …); codes keep its shape. The input is untouched."""
    matrix = as_matrix(weight)
    # a group is at most a row: a larger one would only be padding
    step = replace(step, group_size=max(2, min(step.group_size, matrix.shape[1])))
    rows = _rows(matrix, step)  # (rows, columns): one range a row, padded with zeros
    low, high = weight_range(rows, step)
    scale, zero_point = choose_qparams(low, high, step.bits, step.scheme)
    shape = _parameter_shape(matrix, step)
    group_size = step.group_size if step.granularity == "group" else None
    scale, zero_point = scale.view(shape), zero_point.view(shape)
    q_min, q_max = code_range(step.bits, step.scheme)
    codes = torch.round(matrix / spread(scale, matrix.shape, group_size))
    codes = (codes + spread(zero_point, matrix.shape, group_size)).clamp_(q_min, q_max)
    return Quantized(
        codes.to(torch.int32).view(weight.shape),
        scale,
        zero_point,
        step.bits,
        step.scheme,
        group_size,
    )


def _rows(matrix: Tensor, step: Quantize) -> Tensor:
    if step.granularity == "tensor":
        return matrix.reshape(1, -1)
    if step.granularity == "channel":
        return matrix
    padding = -matrix.shape[1] % step.group_size
    return torch.nn.functional.pad(matrix, (0, padding)).view(-1, step.group_size)


def _parameter_shape(matrix: Tensor, step: Quantize) -> tuple[int, ...]:
    if step.granularity == "tensor":
        return ()
    if step.granularity == "channel":
        return (matrix.shape[0],)
    return (matrix.shape[0], -(-matrix.shape[1] // step.group_size))


def weight_range(rows: Tensor, step: Quantize) -> tuple[Tensor, Tensor]:
    """The range low … high of each row (rows, columns) → (rows,), as `step.clipping` chooses it."""
    low, high = rows.amin(1), rows.amax(1)
    if step.clipping == "percentile":
        return percentile_range(rows, step.percentile, low, high)
    if step.clipping == "mse":
        return mse_range(rows, step, low, high)
    return low, high


def percentile_range(
    rows: Tensor, percentile: float, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor]:
    """Clip at the percentile of |w| of each row; zeros do not count, they may have been pruned."""
    magnitude = rows.abs()
    ordered = magnitude.sort(dim=1).values
    kept = (magnitude > 0).sum(1)
    zeros = rows.shape[1] - kept
    rank = zeros + torch.ceil(kept * (percentile / 100)).long() - 1
    limit = ordered.gather(1, rank.clamp(min=0)[:, None])[:, 0]
    return torch.maximum(low, -limit), torch.minimum(high, limit)


def mse_range(rows: Tensor, step: Quantize, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """The shrunken range of least Σ(w - w')² of each row: every fraction of CLIP_GRID is tried."""
    q_min, q_max = code_range(step.bits, step.scheme)
    best = torch.full_like(low, torch.inf)
    best_fraction = torch.ones_like(low)
    for fraction in CLIP_GRID[::-1]:  # from the full range down: ties keep the wider one
        scale, zero_point = choose_qparams(low * fraction, high * fraction, step.bits, step.scheme)
        scale, zero = scale[:, None], zero_point[:, None]
        codes = torch.round(rows / scale).add_(zero).clamp_(q_min, q_max)
        error = codes.sub_(zero).mul_(scale).sub_(rows).square_().sum(1)
        better = error < best
        best = torch.where(better, error, best)
        best_fraction = torch.where(better, float(fraction), best_fraction)
    return low * best_fraction, high * best_fraction


def textbook_min_max(weight: Tensor, bits: int) -> Tensor:
    """round((x - min) / (max - min) · (2ᵏ - 1)): the formula of many tutorials, as codes.

    Equal to asymmetric min-max quantization shifted by its zero point, where zero falls on a level.
    """
    low, high = weight.min(), weight.max()
    if low == high:
        raise ValueError(
            f"all weights are {float(low):g}: (max - min) is 0 and the formula divides by it; "
            "a constant needs no codes"
        )
    return torch.round((weight - low) / (high - low) * (2**bits - 1)).to(torch.int32)


def textbook_times_255(weight: Tensor) -> Tensor:
    """round(w · 255) as 8-bit codes: right only for w in [0, 1]; shown as the pitfall it is."""
    return torch.round(weight * 255).clamp(0, 255).to(torch.int32)
