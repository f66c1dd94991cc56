"""A census of a tensor: its distinct values and how often each occurs.

A tensor of 16 bits has at most 65,536 values, whatever its size: once they are counted, any
threshold, quantile, histogram or moment is exact and takes microseconds. Counting is one pass at
the speed of reading. Wider types are counted in bins by the upper 20 bits of float32, 2,048 bins
between two powers of two: their values are right to 1 part in 4,096 of themselves.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress_core.checkpoint.header import ITEM_BYTES, Entry
from compress_core.checkpoint.reading import TYPES, check_readable, read_chunks

Floats = NDArray[np.float32]
Counts = NDArray[np.int64]

WIDE_BITS = 20  # of a float32 that tell bins of wider types apart: sign, exponent, 11 of mantissa


@dataclass(frozen=True, eq=False)
class Census:
    """Distinct `values` (k,) float32, ascending, and their `counts` (k,); `non_finite` numbers are
    counted apart. `content` is the sha256 of the tensor's bytes. `exact`: values are no bins."""

    values: Floats
    counts: Counts
    non_finite: int
    exact: bool
    content: str

    @property
    def weights(self) -> int:
        """How many finite numbers there are."""
        return int(self.counts.sum())

    @property
    def limit(self) -> float:
        """The largest magnitude; 0 where there is no number."""
        return float(self.magnitudes[-1]) if self.values.size else 0.0

    @property
    def zeros(self) -> int:
        return self.count_below(0.0)

    @property
    def mean(self) -> float:
        return float(self.values.astype(np.float64) @ self.counts) / max(1, self.weights)

    @property
    def energy(self) -> float:
        """Σ w²."""
        return float(self._energies[-1])

    @property
    def std(self) -> float:
        """Population standard deviation."""
        variance = self.energy / max(1, self.weights) - self.mean**2
        return float(np.sqrt(max(0.0, variance)))

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        return np.abs(self.values).argsort(kind="stable")

    @cached_property
    def magnitudes(self) -> Floats:
        """|value|, ascending, (k,)."""
        return np.abs(self.values)[self._order]

    @cached_property
    def _ranks(self) -> Counts:
        """How many weights have at most the k-th magnitude, from 0 on, (k + 1,)."""
        return np.concatenate([[0], np.cumsum(self.counts[self._order])])

    @cached_property
    def _energies(self) -> NDArray[np.float64]:
        """Their Σ w², (k + 1,)."""
        squares = np.square(self.magnitudes, dtype=np.float64) * self.counts[self._order]
        return np.concatenate([[0.0], np.cumsum(squares)])

    def count_below(self, threshold: float) -> int:
        """How many weights have |w| <= threshold."""
        return int(self._ranks[self.magnitudes.searchsorted(np.float32(threshold), "right")])

    def threshold_at(self, count: int) -> float:
        """The largest magnitude among the `count` smallest; 0 for none."""
        if count == 0:
            return 0.0
        return float(self.magnitudes[self._ranks[1:].searchsorted(count, "left")])

    def smallest(self, counts: Counts) -> tuple[Floats, NDArray[np.float64]]:
        """The largest magnitude and the share of Σ w² of the so many smallest weights, each in the
        shape of `counts`."""
        at = self._ranks[1:].searchsorted(np.maximum(counts, 1), "left")
        magnitudes = np.where(counts > 0, self.magnitudes[at], np.float32(0))
        part = (counts - self._ranks[at]) * np.square(self.magnitudes[at], dtype=np.float64)
        shares = np.where(counts > 0, self._energies[at] + part, 0.0) / (self.energy or 1.0)
        return magnitudes, shares

    def energy_below(self, count: int) -> float:
        """The share of Σ w² that the `count` smallest weights hold."""
        return float(self.smallest(np.array([count]))[1][0])

    def histogram(self, bins: int, limit: float) -> Counts:
        """Counts of the weights in equal bins over ±limit, (bins,)."""
        return np.histogram(self.values, bins, (-limit, limit), weights=self.counts)[0].astype(
            np.int64
        )

    def sample(self, size: int) -> Floats:
        """So many quantiles of the weights, ascending, their least and greatest included; all
        weights, sorted, where there are no more."""
        if self.weights <= size:
            return np.repeat(self.values, self.counts)
        ranks = ((np.arange(size) + 0.5) / size * self.weights).astype(np.int64)
        ranks[[0, -1]] = 0, self.weights - 1
        return self.values[np.cumsum(self.counts).searchsorted(ranks, "right")]

    def pruned(self, threshold: float) -> "Census":
        """The same once each |w| <= threshold is 0."""
        values = np.where(np.abs(self.values) <= np.float32(threshold), np.float32(0), self.values)
        merged, counts = _merged(values, self.counts)
        return Census(merged, counts, self.non_finite, self.exact, self.content)


def take_census(entry: Entry) -> Census:
    """Count the numbers of a tensor, and hash its bytes, in one pass.

    Raises CheckpointError for a type that is not computed with.
    """
    check_readable(entry)
    bins = _bins_of(entry.dtype)
    totals = torch.zeros(bins.count, dtype=torch.int64)
    hashed, low, high = hashlib.sha256(), np.inf, -np.inf
    for chunk in read_chunks(entry):
        hashed.update(chunk.view(torch.uint8).numpy().data)
        totals += torch.bincount(bins.index(chunk), minlength=bins.count)
        if not bins.exact:
            finite = chunk[chunk.isfinite()]
            low = min(low, float(finite.min())) if len(finite) else low
            high = max(high, float(finite.max())) if len(finite) else high
    values, counts = bins.values(), totals.numpy()
    there, finite_values = counts > 0, np.isfinite(values)
    non_finite = int(counts[~finite_values].sum())
    found, counts = _merged(values[there & finite_values], counts[there & finite_values])
    if not bins.exact and found.size:  # a scale depends on them
        found[[0, -1]] = (low, high) if found.size > 1 else (low + high) / 2
    return Census(found, counts, non_finite, bins.exact, hashed.hexdigest())


def census_of(weights: Tensor) -> Census:
    """The census of a tensor in memory, exact whatever its type."""
    flat = weights.detach().float().ravel()
    finite = flat[flat.isfinite()].numpy()
    values, counts = np.unique(finite + np.float32(0), return_counts=True)
    return Census(values, counts, len(flat) - len(finite), True, "")


def _merged(values: Floats, counts: Counts) -> tuple[Floats, Counts]:
    """Ascending, equal ones once (-0 equals 0)."""
    distinct, places = np.unique(values + np.float32(0), return_inverse=True)
    totals = np.zeros(distinct.size, np.int64)
    np.add.at(totals, places, counts)
    return distinct, totals


@dataclass(frozen=True)
class Bins:
    """How the numbers of a type are told apart: the `index` of each, and what each stands for."""

    count: int
    index: Callable[[Tensor], Tensor]
    values: Callable[[], Floats]
    exact: bool


def _bins_of(dtype: str) -> Bins:
    return {1: _of_bytes, 2: _of_halves}.get(ITEM_BYTES[dtype], _of_wide)(TYPES[dtype])


def _of_bytes(dtype: torch.dtype) -> Bins:
    patterns = torch.arange(256, dtype=torch.uint8)
    return Bins(
        256,
        lambda chunk: chunk.view(torch.uint8).int(),
        lambda: patterns.view(dtype).float().numpy(),
        exact=True,
    )


def _of_halves(dtype: torch.dtype) -> Bins:
    patterns = torch.arange(-(2**15), 2**15, dtype=torch.int16)
    return Bins(
        2**16,
        lambda chunk: chunk.view(torch.int16).int() + 2**15,
        lambda: patterns.view(dtype).float().numpy(),
        exact=True,
    )


def _of_wide(_dtype: torch.dtype) -> Bins:
    shift, half = 32 - WIDE_BITS, 2 ** (WIDE_BITS - 1)

    def values() -> Floats:
        upper = torch.arange(-half, half, dtype=torch.int32)
        middles = ((upper << shift) | (1 << (shift - 1))).view(torch.float32)
        middles[[0, half]] = 0.0  # the bins of ±0, which hold the least denormals, too
        return middles.numpy()

    def index(chunk: Tensor) -> Tensor:
        places: Tensor = (chunk.float().view(torch.int32) >> shift) + half
        return places

    return Bins(2**WIDE_BITS, index, values, exact=False)
