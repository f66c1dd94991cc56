"""From values to a scale and a zero point: which range is coded, and where its levels lie.

Each row has its own range: a row holds the weights that share a scale, or a sample of activations.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

Scheme = Literal["symmetric", "asymmetric"]
Clipping = Literal["min_max", "percentile", "mse"]

CLIP_GRID = np.linspace(0.2, 1.0, 81, dtype=np.float32)  # fractions of the full range tried


def code_range(bits: int, scheme: Scheme) -> tuple[int, int]:
    """q_min and q_max. Symmetric codes mirror around 0 (from 2 bits on), asymmetric start at 0."""
    if scheme == "asymmetric":
        return 0, 2**bits - 1
    return (-1, 0) if bits == 1 else (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1)


def choose_qparams(low: Tensor, high: Tensor, bits: int, scheme: Scheme) -> tuple[Tensor, Tensor]:
    """Scale and zero point for the range low … high (any shape), widened to contain zero.

    Symmetric: scale = max(|low|, |high|) / q_max. Asymmetric: scale = (high - low) / (2ᵏ - 1),
    zero_point = round(-low / scale). A range without width gets scale 1: it holds only zeros.
    """
    q_min, q_max = code_range(bits, scheme)
    low, high = low.clamp(max=0.0), high.clamp(min=0.0)
    if scheme == "symmetric":
        scale = positive_scale(torch.maximum(-low, high) / max(q_max, -q_min))
        return scale, torch.zeros_like(scale, dtype=torch.int32)
    scale = positive_scale((high - low) / (q_max - q_min))
    return scale, torch.round(-low / scale).clamp(q_min, q_max).to(torch.int32)


def positive_scale(width: Tensor) -> Tensor:
    """The distance of two levels as a scale; 1 where it is so small that its inverse overflows.

    Such a range holds zeros and denormals only: no level fits between them.
    """
    return torch.where(width > torch.finfo(torch.float32).tiny, width, 1.0)


def round_to_codes(
    values: Tensor, scale: Tensor, zero_point: Tensor, *, bits: int, scheme: Scheme
) -> Tensor:
    """clamp(round(x / scale) + zero_point) as whole float32 numbers, halves to even as in ONNX."""
    return (values / scale).round_().add_(zero_point).clamp_(*code_range(bits, scheme))


def choose_range(
    rows: Tensor, *, clipping: Clipping, percentile: float, bits: int, scheme: Scheme
) -> tuple[Tensor, Tensor]:
    """The range low … high of each row (rows, columns) → (rows,), as `clipping` chooses it."""
    low, high = rows.amin(1), rows.amax(1)
    if clipping == "percentile":
        limit = magnitude_percentile(rows, percentile)
        return torch.maximum(low, -limit), torch.minimum(high, limit)
    if clipping == "mse":
        fraction = best_fraction(rows, low, high, bits=bits, scheme=scheme)
        return low * fraction, high * fraction
    return low, high


def magnitude_percentile(rows: Tensor, percentile: float) -> Tensor:
    """The percentile of |x| of each row, (rows,).

    Zeros do not count: they are exact at any scale, and pruning or a ReLU makes many of them.
    """
    magnitude = rows.abs()
    ordered = magnitude.sort(dim=1).values
    kept = (magnitude > 0).sum(1)
    zeros = rows.shape[1] - kept
    rank = zeros + torch.ceil(kept * (percentile / 100)).long() - 1
    return ordered.gather(1, rank.clamp(min=0)[:, None])[:, 0]


def best_fraction(rows: Tensor, low: Tensor, high: Tensor, *, bits: int, scheme: Scheme) -> Tensor:
    """The fraction of the range of least Σ(x - x')² of each row, out of CLIP_GRID, (rows,)."""
    least = torch.full_like(low, torch.inf)
    best = torch.ones_like(low)
    for fraction in CLIP_GRID[::-1]:  # from the full range down: ties keep the wider one
        scale, zero_point = choose_qparams(low * fraction, high * fraction, bits, scheme)
        scale, zero_point = scale[:, None], zero_point[:, None]
        codes = round_to_codes(rows, scale, zero_point, bits=bits, scheme=scheme)
        error = codes.sub_(zero_point).mul_(scale).sub_(rows).square_().sum(1)
        better = error < least
        least = torch.where(better, error, least)
        best = torch.where(better, float(fraction), best)
    return best
