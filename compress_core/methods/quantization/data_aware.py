"""Rounding that uses data, and biases that keep a layer's mean output where it was.

Both need moments of the layer's inputs x, the rows that the weight as a matrix (out, in)
multiplies (patches for a convolution): E[x] and the gram matrix E[x·xᵀ].
"""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from compress_core.methods.quantization.affine import Quantize, Quantized, quantize
from compress_core.methods.quantization.granularity import Granularity, spread
from compress_core.methods.quantization.ranges import Clipping, Scheme, round_to_codes
from compress_core.methods.step import (
    ALL_LAYERS,
    check_layers,
    check_number,
    check_seed,
    check_whole,
)
from compress_core.weights import as_matrix

BLOCK = 128  # columns whose errors are passed on one by one; those before them in one product


@dataclass(frozen=True)
class QuantizeGPTQ:
    """Affine quantization, input by input: each passes its rounding error on to those after it.

    Minimizes E‖(W - W')x‖² greedily over `samples` calibration inputs; the levels are those of
    `Quantize`, whose fields come first. damping: fraction of the mean of the gram's diagonal that
    is added to the diagonal, in [1e-6, 1). A weight of zero stays zero: it may have been pruned.
    Raises ValueError for other values. Source: Frantar et al. 2022, 2210.17323.
    """

    kind: ClassVar[str] = "quantize"

    bits: int = 4
    scheme: Scheme = "symmetric"
    granularity: Granularity = "channel"
    clipping: Clipping = "min_max"
    percentile: float = 99.9
    group_size: int = 32
    samples: int = 256
    seed: int = 0
    damping: float = 0.01
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        _ = self.affine  # refuses what `Quantize` refuses
        check_whole("samples", self.samples, low=1, high=2**31, remedy="256 are usual")
        check_seed(self.seed)
        check_number("damping", self.damping, low=1e-6, high=1, remedy="0.01 is usual")

    @property
    def affine(self) -> Quantize:
        """The same levels with rounding to the nearest."""
        return Quantize(
            self.bits,
            self.scheme,
            self.granularity,
            self.clipping,
            self.percentile,
            self.group_size,
            self.layers,
        )


@dataclass(frozen=True)
class CorrectBias:
    """Bias correction: b' = b + (W - W')·E[x], so that each channel's mean output is kept.

    W' is the weight after all other steps, whatever they are; E[x] is over `samples` calibration
    inputs of the original network. Raises ValueError for other values.
    Source: Nagel et al. 2019, 1906.04721 §4.2.
    """

    kind: ClassVar[str] = "correct"

    samples: int = 256
    seed: int = 0
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_whole("samples", self.samples, low=1, high=2**31, remedy="256 are usual")
        check_seed(self.seed)
        check_layers(self.layers)


def gptq(weight: Tensor, gram: Tensor, step: QuantizeGPTQ) -> Quantized:
    """Quantize a weight (out, …) for inputs with E[x·xᵀ] = `gram`, (in, in) float64.

    A grouped convolution has grams (groups, in, in), one for each run of out/groups channels.
    Scales and zero points are those of `quantize`, fixed beforehand. The input is untouched.
    """
    nearest = quantize(weight, step.affine)
    matrix = as_matrix(weight)
    scale = spread(nearest.scale, matrix.shape, nearest.group_size).expand_as(matrix)
    zero_point = spread(nearest.zero_point, matrix.shape, nearest.group_size).expand_as(matrix)
    grams = gram if gram.dim() == 3 else gram[None]
    count = len(grams)
    parts = (matrix.chunk(count), scale.chunk(count), zero_point.chunk(count), grams)
    codes = [
        _round_with_feedback(rows, scales, zeros, error_feedback(its_gram, step.damping), step)
        for rows, scales, zeros, its_gram in zip(*parts, strict=True)
    ]
    return replace(nearest, codes=torch.cat(codes).to(torch.int32).view(weight.shape))


def error_feedback(gram: Tensor, damping: float) -> Tensor:
    """S (in, in), strictly upper: input k is rounded at w_k + Σ_{i<k} (w_i - w'_i)·S_ik.

    With the damped gram H = R·Rᵀ, R upper triangular, the error (w-w')·H·(w-w')ᵀ is a sum of
    squares, one for each input, which that target minimizes in turn; S = R / diag(R). These are
    GPTQ's updates without the inverse of H. Source: Chee et al. 2023, 2307.13304, theorem 6.
    """
    ridge = damping * float(gram.diagonal().mean()) or 1.0  # any, if all inputs are always zero
    damped = gram.double() + ridge * torch.eye(len(gram), dtype=torch.float64)
    lower = torch.linalg.cholesky(damped.flip(0, 1))
    upper = lower.flip(0, 1)  # turned by half: the product of the turned ones is still H
    feedback: Tensor = (upper / upper.diagonal()).triu(1)
    return feedback


def _round_with_feedback(
    matrix: Tensor, scale: Tensor, zero_point: Tensor, feedback: Tensor, step: QuantizeGPTQ
) -> Tensor:
    """Codes (out, in) of a matrix (out, in). Transposed inside: an input is a contiguous row."""
    weight, scale, zero_point = (part.T.contiguous() for part in (matrix, scale, zero_point))
    codes = torch.empty_like(weight)
    error = torch.zeros_like(weight, dtype=torch.float64)
    for start in range(0, len(weight), BLOCK):
        block = slice(start, start + BLOCK)
        passed_on = feedback[:start, block].T @ error[:start]  # (block, out)
        for k in range(start, min(start + BLOCK, len(weight))):
            target = weight[k] + passed_on[k - start] + feedback[start:k, k] @ error[start:k]
            rounded = round_to_codes(
                target.float(), scale[k], zero_point[k], bits=step.bits, scheme=step.scheme
            )
            codes[k] = torch.where(weight[k] == 0, zero_point[k], rounded)
            error[k] = weight[k] - (codes[k] - zero_point[k]) * scale[k]
    return codes.T


def corrected_bias(
    bias: Tensor | None, weight: Tensor, dequantized: Tensor, input_mean: Tensor
) -> Tensor:
    """The bias (out,) with which E[W'x + b'] = E[Wx + b]: b' = b + (W - W')·E[x].

    weight, dequantized: (out, …), W and W'. input_mean: (in,), or (groups, in) of a grouped
    convolution. A layer without bias (None) gets one.
    """
    lost = as_matrix(weight).double() - as_matrix(dequantized).double()  # (out, in)
    means = input_mean if input_mean.dim() == 2 else input_mean[None]
    shift = (lost * means.double().repeat_interleave(len(lost) // len(means), 0)).sum(1)
    return (shift if bias is None else bias.double() + shift).float()
