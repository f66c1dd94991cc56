"""Affine k-bit quantization: x ≈ scale · (q - zero_point), ONNX's formula and no other.

Zero is always a level, so pruned weights stay exactly zero. Symmetric codes leave out the lowest
one (±127 at 8 bits), so that the levels mirror; at 1 bit only {-scale, 0} is left of that, which
is why binary networks use sign·mean|w| instead of this formula.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compress_core.methods.quantization.granularity import (
    GRANULARITIES,
    Granularity,
    fitted_group,
    scale_rows,
    scale_shape,
    spread,
)
from compress_core.methods.quantization.ranges import (
    Clipping,
    Scheme,
    choose_qparams,
    choose_range,
    round_to_codes,
)
from compress_core.methods.step import (
    ALL_LAYERS,
    check_choice,
    check_layers,
    check_number,
    check_whole,
)
from compress_core.weights import as_matrix

BITS = (1, 2, 3, 4, 5, 6, 7, 8, 16)


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
        check_choice("granularity", self.granularity, GRANULARITIES)
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


def quantize(weight: Tensor, step: Quantize) -> Quantized:
    """Quantize a weight (out, …); codes keep its shape. The input is untouched."""
    matrix = as_matrix(weight)
    group_size = fitted_group(step.granularity, step.group_size, matrix.shape[1])
    scale, zero_point = weight_qparams(matrix, step, group_size)
    codes = round_to_codes(
        matrix,
        spread(scale, matrix.shape, group_size),
        spread(zero_point, matrix.shape, group_size),
        bits=step.bits,
        scheme=step.scheme,
    )
    codes = codes.to(torch.int32).view(weight.shape)
    return Quantized(codes, scale, zero_point, step.bits, step.scheme, group_size)


def weight_qparams(matrix: Tensor, step: Quantize, group_size: int | None) -> tuple[Tensor, Tensor]:
    """Scale and zero point of a weight (out, in), in the shape of the step's granularity."""
    low, high = choose_range(
        scale_rows(matrix, step.granularity, group_size),
        clipping=step.clipping,
        percentile=step.percentile,
        bits=step.bits,
        scheme=step.scheme,
    )
    scale, zero_point = choose_qparams(low, high, step.bits, step.scheme)
    shape = scale_shape(matrix.shape, step.granularity, group_size)
    return scale.view(shape), zero_point.view(shape)


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
