"""What is worth computing once of a weight: sorted magnitudes, energy, singular values."""

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FloatArray = NDArray[np.float32]


class Profile:
    """What is computed once of a tensor and then answers any threshold or rank at once.

    All parts are lazy: a page that draws no spectrum pays for no SVD.
    """

    def __init__(self, weight: Tensor) -> None:
        self.weight = weight

    @cached_property
    def magnitudes(self) -> FloatArray:
        """|w|, ascending, (n,) float32."""
        return np.sort(np.abs(self.weight.detach().numpy().ravel()))

    @cached_property
    def cumulative_energy(self) -> NDArray[np.float64]:
        """Share of Σw² held by the k smallest weights, for k = 0 … n, (n + 1,)."""
        squares = np.concatenate([[0.0], np.square(self.magnitudes, dtype=np.float64)])
        total = np.cumsum(squares)
        return total / total[-1] if total[-1] else total

    @cached_property
    def sigma(self) -> float:
        """Population standard deviation of the weights."""
        return float(self.weight.double().std(correction=0))

    @cached_property
    def factors(self) -> tuple[Tensor, Tensor, Tensor]:
        """U (out, r), S (r,), Vᵀ (r, in) of the weight as a matrix, r = min(out, in), float64."""
        u, s, vt = torch.linalg.svd(as_matrix(self.weight).double(), full_matrices=False)
        return u, s, vt

    @property
    def spectrum(self) -> NDArray[np.float64]:
        """Singular values, descending."""
        values: NDArray[np.float64] = self.factors[1].numpy()
        return values

    def count_below(self, threshold: float) -> int:
        """How many weights have |w| <= threshold: those that a threshold prunes."""
        return counts_below([self], threshold)[0]

    def threshold_at(self, count: int) -> float:
        """The largest magnitude among the `count` smallest; 0 for none."""
        return float(self.magnitudes[count - 1]) if count else 0.0

    def sparsity_at(self, threshold: float) -> float:
        """Fraction of weights that a threshold prunes."""
        return self.count_below(threshold) / self.magnitudes.size

    def histogram(self, bins: int = 121) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Counts and bin edges of w over ±max|w|; an odd number of bins centres one on zero."""
        limit = float(self.magnitudes[-1]) or 1.0
        return np.histogram(self.weight.detach().numpy(), bins=bins, range=(-limit, limit))


def counts_below(profiles: Sequence[Profile], threshold: float) -> list[int]:
    """`Profile.count_below` of several tensors at once: half the time of a call for each."""
    limit = np.float32(threshold)  # compared as the mask compares: in float32
    return [int(profile.magnitudes.searchsorted(limit, "right")) for profile in profiles]


def as_matrix(weight: Tensor) -> Tensor:
    """(out, …) → (out, in): what a layer multiplies its flattened input patch with."""
    return weight.flatten(1) if weight.dim() > 1 else weight[:, None]


def energy(values: Tensor) -> float:
    """Σ v², summed in float64."""
    flat = values.detach().ravel().double()
    return float(flat.dot(flat))


def sqnr_db(original: Tensor, compressed: Tensor) -> float | None:
    """Signal-to-quantization-noise ratio, 10·log10(Σw² / Σ(w - w')²), in dB.

    None where it has no finite value: nothing changed, or the original is all zero.
    """
    return decibels(energy(original), energy(original - compressed))


def decibels(signal: float, noise: float) -> float | None:
    """10·log10(signal / noise); None where that has no finite value."""
    return 10 * math.log10(signal / noise) if signal > 0 and noise > 0 else None
