"""Pruning in at most a few thousand numbers a layer: curves that a browser follows during a drag.

What they interpolate is an estimate; the core's exact numbers replace it when the drag ends.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress_core.applying.prune import ScoreStep
from compress_core.compressed import compress
from compress_core.measurement.report import layer_bytes
from compress_core.methods.pruning import Prune
from compress_core.original import Original
from compress_core.recipe import Recipe, of_kinds, without_kinds
from compress_core.stored import StoredLayer
from compress_core.views.live_profiles import HISTOGRAM_BINS
from compress_core.views.summaries import unpruned
from compress_core.weights import Profile, as_matrix

Floats = NDArray[np.float32]

# Denser towards 1, where a tenth of a percent matters. Every fifth knot has a byte count.
SPARSITY_KNOTS = np.concatenate(
    [
        np.linspace(0, 0.9, 131),
        np.linspace(0.9, 0.99, 71)[1:],
        np.linspace(0.99, 0.999, 41)[1:],
        np.linspace(0.999, 1, 21)[1:],
    ]
)
BYTES_EVERY = 5
FEW = 218  # a layer of at most so many weights has a knot for each of them
# Where a coded model is really encoded; between two of them the bytes are within 3 % of a line.
MEASURED_SPARSITIES = (
    *(0, 0.2, 0.45, 0.7, 0.8, 0.87, 0.91, 0.94),
    *(0.96, 0.975, 0.985, 0.99, 0.994, 0.997, 0.999),
)
MANY = 2_000_000  # a model with more weights takes too long to encode so often
MAGNITUDE = Prune(sparsity=0.5, scope="layer")
FALLEN_KNOTS = 11  # histograms of what is pruned by a score, at 0, 10 … 100 %


@dataclass(frozen=True, eq=False)
class PruningProfile:
    """Curves of one layer over the pruned fraction, for magnitude pruning.

    `sparsities` (k,) the knots, `magnitudes` (k,) the largest pruned |w| at each, `energies` (k,)
    the share of Σw² that is pruned, `byte_counts` (every fifth knot) the layer's bytes in the file.
    `counts` (bins,) is the histogram of w over ±limit. A layer of few weights has a knot for each.
    """

    name: str
    weights: int
    limit: float
    sparsities: Floats
    magnitudes: Floats
    energies: Floats
    byte_counts: Floats
    counts: Floats


def pruning_profile(
    stored: StoredLayer, *, bits: int = 32, measured: Sequence[float] | None = None
) -> PruningProfile:
    """The profile of a layer that is not pruned yet (of all factors together).

    `measured` are its bytes at MEASURED_SPARSITIES; without them a mask and `bits` for each weight
    that is kept are counted, which is what float weights take.
    """
    flat = Profile(torch.cat([part.ravel() for part in unpruned(stored)]))
    n = flat.weight.numel()
    pruned = knots(n)
    counts, edges = flat.histogram(HISTOGRAM_BINS)
    zeros = np.maximum(pruned, flat.count_below(0.0))
    return PruningProfile(
        name=stored.layer.name,
        weights=n,
        limit=float(edges[-1]),
        sparsities=(pruned / n).astype(np.float32),
        magnitudes=np.concatenate([[0], flat.magnitudes])[pruned].astype(np.float32),
        energies=flat.cumulative_energy[pruned].astype(np.float32),
        byte_counts=_byte_counts(n, pruned, zeros, bits, measured),
        counts=counts.astype(np.float32),
    )


def measure_bytes(
    original: Original, others: Recipe, by: Prune | ScoreStep = MAGNITUDE
) -> Generator[None, None, dict[str, list[float]] | None]:
    """Bytes of each layer after pruning to each of MEASURED_SPARSITIES as `by` ranks the weights,
    and `others`, the steps that do not prune. None where nothing codes the weights, where the codes
    have no zero, or where the model is too large.

    In steps of a tenth of a second or so, each of which encodes one file."""
    steps = without_kinds(others, ("correct", "rest", "activations"))
    coded = of_kinds(steps, ("quantize", "share"))
    if not coded or sum(layer.weight.numel() for layer in original.layers.values()) > MANY:
        return None
    found: dict[str, list[float]] = {}
    for sparsity in MEASURED_SPARSITIES:
        prune = (replace(by, sparsity=sparsity),) if sparsity else ()
        try:
            made = compress(original, (*steps, *prune))
        except ValueError:  # such as binary weights, which refuse to be pruned; the page says so
            return None
        for name, count in layer_bytes(made.layers, made.file.parts).items():
            found.setdefault(name, []).append(count)
        yield
    return found


@dataclass(frozen=True, eq=False)
class ScoreProfile(PruningProfile):
    """The same for pruning by a score: `magnitudes` (k,) are the largest pruned scores.

    Pruned weights then lie all over the histogram: `fallen` (FALLEN_KNOTS · bins,) counts them by
    bin at evenly spread sparsities. `columns` are the weights of a row where each row loses the
    same share, and 0 elsewhere.
    """

    fallen: Floats
    columns: int


def score_profile(
    stored: StoredLayer,
    scores: Tensor,
    *,
    by_row: bool = False,
    bits: int = 32,
    measured: Sequence[float] | None = None,
) -> ScoreProfile:
    """The profile of a layer in one piece, not pruned yet, whose lowest `scores` (of the weight's
    shape) go first; `by_row`: the lowest of each row of as_matrix(weight)."""
    (weight,) = unpruned(stored)
    flat = Profile(weight)
    values, n = weight.numpy().ravel(), weight.numel()
    ranked_by = _places_in_rows(scores) if by_row else scores.numpy().ravel()
    order = ranked_by.argsort(kind="stable")
    pruned = knots(n)
    already = np.concatenate([[0], np.cumsum(values[order] == 0)])  # zeros of the first k to fall
    zeros = pruned + already[-1] - already[pruned]
    counts, edges = flat.histogram(HISTOGRAM_BINS)
    energy = np.concatenate([[0], np.cumsum(np.square(values[order], dtype=np.float64))])
    return ScoreProfile(
        name=stored.layer.name,
        weights=n,
        limit=float(edges[-1]),
        sparsities=(pruned / n).astype(np.float32),
        magnitudes=np.concatenate([[0], ranked_by[order]])[pruned].astype(np.float32),
        energies=(energy[pruned] / (energy[-1] or 1)).astype(np.float32),
        byte_counts=_byte_counts(n, pruned, zeros, bits, measured),
        counts=counts.astype(np.float32),
        fallen=_fallen(values[order], edges).astype(np.float32),
        columns=as_matrix(weight).shape[1] if by_row else 0,
    )


def kept_counts(stored: StoredLayer) -> NDArray[np.int64]:
    """Counts (bins,) of what is left of a pruned, not quantized layer, in the bins of its profile:
    over ± the largest magnitude that it had before."""
    limit = max(float(part.abs().max()) for part in unpruned(stored)) or 1.0
    left = torch.cat([weight.values.ravel() for weight in stored.weights])
    return np.histogram(left[left != 0].numpy(), bins=HISTOGRAM_BINS, range=(-limit, limit))[0]


def knots(n: int) -> NDArray[np.int64]:
    """Numbers of pruned weights, of n, at which the curves stand."""
    return np.arange(n + 1) if n <= FEW else np.round(SPARSITY_KNOTS * n).astype(np.int64)


def _places_in_rows(scores: Tensor) -> NDArray[np.int64]:
    """The order of pruning by row: the lowest of each row first, all rows in step."""
    rows = as_matrix(scores)
    places = rows.argsort(dim=1, stable=True).argsort(dim=1) * len(rows)
    return (places + torch.arange(len(rows))[:, None]).numpy().ravel()


def _fallen(ordered: Floats, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts by bin of the first weights to fall, (FALLEN_KNOTS · bins,), for k/10 of them."""
    ends = np.round(np.linspace(0, 1, FALLEN_KNOTS) * ordered.size).astype(np.int64)
    parts = [np.histogram(ordered[a:b], bins=edges)[0] for a, b in pairwise(ends)]
    return np.cumsum([np.zeros(len(edges) - 1), *parts], axis=0).ravel()


def _byte_counts(
    n: int,
    pruned: NDArray[np.int64],
    zeros: NDArray[np.int64],
    bits: int,
    measured: Sequence[float] | None,
) -> Floats:
    """The layer's bytes at its knots, or at every fifth of many: as measured, or as counted."""
    every = slice(None) if n <= FEW else slice(None, None, BYTES_EVERY)
    if measured is not None:
        at = pruned[every] / n
        return np.interp(at, MEASURED_SPARSITIES, measured).astype(np.float32)
    return masked_bytes(n, zeros[every], bits)


def masked_bytes(n: int, zeros: NDArray[np.int64], bits: int) -> Floats:
    """Bytes of n weights with `zeros` zeros: all of them, or a mask and the others."""
    each = bits / 8
    mask = np.minimum(np.ceil(n / 8), 4 + _coded_bytes(_binary_entropy(zeros / n) * n))
    masked = mask + each * (n - zeros)
    sizes = np.where(zeros == 0, each * n, np.minimum(each * n, masked))
    return sizes.astype(np.float32)


def _coded_bytes(bits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole 32-bit words of an entropy coder, and the one that holds its state."""
    return np.where(bits > 0, 4 * np.ceil(bits / 32 + 0.5), 0)


def _binary_entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bits a symbol, of which one kind has the share p."""
    shares = np.stack([p, 1 - p])
    bits: NDArray[np.float64] = -np.sum(shares * np.log2(np.where(shares > 0, shares, 1)), axis=0)
    return bits
