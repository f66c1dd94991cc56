"""What is taken for compression and is none, as numbers: formulas of tutorials, a max-norm
constraint, a codebook chosen by eye."""

from collections.abc import Sequence

import torch
from torch import Tensor

from compress_core.methods.quantization import textbook_min_max, textbook_times_255
from compress_core.weights import as_matrix


def zeros_kept_without_zero_point(weight: Tensor, bits: int) -> float:
    """The fraction of a weight's zeros that round((w - min) / (max - min) · (2ᵏ - 1)) gives back as
    zero: all of them where zero lies on a level, else none.

    Raises ValueError for a weight without zeros, and for a constant one.
    """
    zeros = weight == 0
    if not zeros.any():
        raise ValueError("the weight has no zeros that could be kept: prune it first")
    low, high = weight.min(), weight.max()
    back = textbook_min_max(weight, bits) / (2**bits - 1) * (high - low) + low
    return float((back[zeros] == 0).float().mean())


def cut_off_by_times_255(weight: Tensor) -> float:
    """The fraction of a weight that round(w · 255) turns into 0 or 255 because it lies outside
    [0, 1]."""
    outside = (weight < 0) | (weight > 1)
    codes = textbook_times_255(weight)
    return float((outside & ((codes == 0) | (codes == 255))).float().mean())


def with_max_norm(weight: Tensor, limit: float) -> Tensor:
    """A weight (out, …) whose rows are scaled down to an L2 norm of at most `limit`: what a
    max-norm constraint does after each training step (Srivastava et al. 2014, JMLR 15, 5.1)."""
    rows = as_matrix(weight)
    norms = rows.norm(dim=1, keepdim=True)
    scaled: Tensor = rows * (limit / norms.clamp(min=limit))
    return scaled.view(weight.shape)


def distinct_values(weight: Tensor) -> int:
    """How many different values a weight holds: what a codebook would have to store."""
    return int(weight.unique().numel())


def sse_of_values(weight: Tensor, codebook: Sequence[float]) -> float:
    """Σ (w - w')², w' the entry of `codebook` that is nearest to w. Raises ValueError for an empty
    codebook."""
    if not codebook:
        raise ValueError("a codebook needs at least one value")
    ordered = torch.tensor(sorted(codebook), dtype=torch.float64)
    flat = weight.double().ravel()
    nearest = torch.bucketize(flat, (ordered[1:] + ordered[:-1]) / 2)
    return float((flat - ordered[nearest]).square().sum())
