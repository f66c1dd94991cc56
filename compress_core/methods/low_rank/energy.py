"""Energy: how much of Σσ² a rank keeps, and the choices of a layer from cheapest to best."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress_core.methods.low_rank.counting import Ranks

# below 1 by more than the rounding of a cumulated sum, whose last entries differ from 1 by it only
ALL_ENERGY = 1 - 1e-12


@dataclass(frozen=True, eq=False)
class Options:
    """The choices of one layer, each with more weights than the last and no less energy.

    ranks: None for the layer left as it is. counts: weights, (n,) int64. kept: share of the energy,
    (n,) float64.
    """

    ranks: tuple[Ranks | None, ...]
    counts: NDArray[np.int64]
    kept: NDArray[np.float64]


def energy_curve(spectrum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of Σσ² kept by the first r singular values, r = 1 … full, (full,)."""
    squares = np.cumsum(np.square(spectrum))
    return squares / squares[-1] if squares[-1] else np.ones_like(squares)


def energy_rank(spectrum: NDArray[np.float64], energy: float) -> int:
    """The least rank that keeps at least the share `energy` of Σσ²."""
    return first_keeping(energy_curve(spectrum), energy) + 1


def first_keeping(kept: NDArray[np.float64], energy: float) -> int:
    """Index of the first entry of an ascending curve that is at least `energy`."""
    return int(np.searchsorted(kept, min(energy, ALL_ENERGY)))
