"""A layer in at most 1,000 numbers: what a browser needs to answer a drag without the server.

A profile holds curves over the sparsity (magnitude, energy, bytes), a sample of the weights with
their ranges, or a spectrum. What it interpolates is an estimate; the core's exact numbers replace
it when the drag ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress_core.compressed import compress
from compress_core.measurement.report import layer_bytes
from compress_core.methods.low_rank import energy_curve, matrix_shape
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import Quantize, code_range, quantize
from compress_core.methods.quantization.granularity import spread
from compress_core.original import Original
from compress_core.recipe import Recipe
from compress_core.stored import StoredLayer
from compress_core.summaries import unpruned
from compress_core.weights import Layer, Profile, as_matrix

Floats = NDArray[np.float32]


# Denser towards 1: there a tenth of a percent decides. Every fifth knot has a byte count.
SPARSITY_KNOTS = np.concatenate(
    [
        np.linspace(0, 0.9, 131),
        np.linspace(0.9, 0.99, 71)[1:],
        np.linspace(0.99, 0.999, 41)[1:],
        np.linspace(0.999, 1, 21)[1:],
    ]
)
BYTES_EVERY = 5
FEW = 218  # weights, up to which a layer has a knot for each
# Where a coded model is really encoded; between two of them the bytes are within 3 % of a line.
MEASURED_SPARSITIES = (
    *(0, 0.2, 0.45, 0.7, 0.8, 0.87, 0.91, 0.94),
    *(0.96, 0.975, 0.985, 0.99, 0.994, 0.997, 0.999),
)
MANY = 2_000_000  # weights of a model, beyond which that takes too long
HISTOGRAM_BINS = 121
SAMPLE = 320  # weights of a layer whose rounding error stands for that of all
POINTS = 800  # of the weights that share one scale
RANKS = 333  # of a spectrum


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
    """Of a layer that is not pruned yet (all factors together).

    `measured` are its bytes at MEASURED_SPARSITIES; without them a mask and `bits` for each weight
    that is kept are counted, which is what float weights take.
    """
    flat = Profile(torch.cat([part.ravel() for part in unpruned(stored)]))
    n = flat.weight.numel()
    few = n <= FEW
    pruned = np.arange(n + 1) if few else np.round(SPARSITY_KNOTS * n).astype(np.int64)
    counts, edges = flat.histogram(HISTOGRAM_BINS)
    byte_knots = pruned if few else pruned[::BYTES_EVERY]
    sizes = (
        _masked_bytes(flat, byte_knots, bits)
        if measured is None
        else np.interp(byte_knots / n, MEASURED_SPARSITIES, measured).astype(np.float32)
    )
    return PruningProfile(
        name=stored.layer.name,
        weights=n,
        limit=float(edges[-1]),
        sparsities=(pruned / n).astype(np.float32),
        magnitudes=np.concatenate([[0], flat.magnitudes])[pruned].astype(np.float32),
        energies=flat.cumulative_energy[pruned].astype(np.float32),
        byte_counts=sizes.astype(np.float32),
        counts=counts.astype(np.float32),
    )


def measured_bytes(original: Original, others: Recipe) -> dict[str, list[float]] | None:
    """Bytes of each layer after magnitude pruning to each of MEASURED_SPARSITIES and `others`, the
    steps that do not prune. None where nothing codes the weights, where the codes have no zero, or
    where the model is too large."""
    steps = tuple(step for step in others if step.kind not in {"correct", "activations"})
    coded = any(step.kind in {"quantize", "share"} for step in steps)
    if not coded or sum(layer.weight.numel() for layer in original.layers.values()) > MANY:
        return None
    found: dict[str, list[float]] = {}
    for sparsity in MEASURED_SPARSITIES:
        prune = (Prune(sparsity=sparsity, scope="layer"),) if sparsity else ()
        try:
            layers = compress(original, (*steps, *prune)).layers
        except ValueError:  # binary weights refuse to be pruned; the page says so
            return None
        for name, count in layer_bytes(layers).items():
            found.setdefault(name, []).append(count)
    return found


def _masked_bytes(flat: Profile, pruned: NDArray[np.int64], bits: int) -> Floats:
    """Bytes of weights with `pruned` zeros: all of them, or a mask and the others."""
    n, each = flat.magnitudes.size, bits / 8
    zeros = np.maximum(pruned, np.searchsorted(flat.magnitudes, 0.0, "right"))
    mask = np.minimum(np.ceil(n / 8), 4 + _coded_bytes(_binary_entropy(zeros / n) * n))
    masked = mask + each * (n - zeros)
    sizes: Floats = np.where(zeros == 0, each * n, np.minimum(each * n, masked))
    return sizes


def _coded_bytes(bits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole 32-bit words of an entropy coder, and the one that holds its state."""
    return np.where(bits > 0, 4 * np.ceil(bits / 32 + 0.5), 0)


def _binary_entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bits a symbol, of which one kind has the share p."""
    shares = np.stack([p, 1 - p])
    bits: NDArray[np.float64] = -np.sum(shares * np.log2(np.where(shares > 0, shares, 1)), axis=0)
    return bits


@dataclass(frozen=True, eq=False)
class RangeSample:
    """Some weights of a layer (s,), each with the range low … high of the weights it shares a
    scale with, and the layer's numbers: from these follow SQNR and packed bytes at any bits."""

    name: str
    weights: int
    scales: int
    values: Floats
    low: Floats
    high: Floats


def range_sample(stored: StoredLayer, step: Quantize) -> RangeSample:
    """Of a layer that is not quantized (both factors of a pair together), an even sample."""
    plain = replace(step, bits=8, clipping="min_max")
    q_min, q_max = code_range(plain.bits, plain.scheme)
    columns: list[tuple[Tensor, Tensor, Tensor]] = []
    scales = 0
    for part in (weight.values for weight in stored.weights):
        coded, matrix = quantize(part, plain), as_matrix(part)
        scale = spread(coded.scale, matrix.shape, coded.group_size)
        zero_point = spread(coded.zero_point, matrix.shape, coded.group_size)
        limits = ((scale * (q - zero_point)).expand(matrix.shape) for q in (q_min, q_max))
        low, high = (limit.ravel() for limit in limits)
        columns.append((matrix.ravel(), low, high))
        scales += coded.scale.numel()
    values, lows, highs = (torch.cat(column) for column in zip(*columns, strict=True))
    n = values.numel()
    picked = np.linspace(0, n - 1, min(SAMPLE, n)).astype(np.int64)
    picks = (column[picked].numpy() for column in (values, lows, highs))
    return RangeSample(stored.layer.name, n, scales, *picks)


@dataclass(frozen=True, eq=False)
class WeightPoints:
    """Weights (n,), ascending, thinned to quantiles where there are more than POINTS, and the
    counts (bins,) of them all over ±1.05 times the largest magnitude."""

    points: Floats
    counts: Floats


def weight_points(weights: NDArray[np.float32]) -> WeightPoints:
    ordered = np.sort(weights.ravel())
    limit = 1.05 * float(np.abs(ordered).max()) or 1.0
    counts = np.histogram(ordered, bins=HISTOGRAM_BINS, range=(-limit, limit))[0]
    if ordered.size > POINTS:
        middle = (np.arange(POINTS) + 0.5) / POINTS * ordered.size
        ordered = ordered[middle.astype(np.int64)]
    return WeightPoints(ordered, counts.astype(np.float32))


@dataclass(frozen=True, eq=False)
class SpectrumProfile:
    """Singular values of a layer (k,), the ranks they stand at (k,), and the energy of the first
    r of them (k,); rows × columns of the weight as a matrix."""

    name: str
    rows: int
    columns: int
    ranks: Floats
    values: Floats
    energies: Floats


def spectrum_profile(layer: Layer) -> SpectrumProfile:
    spectrum = layer.profile.spectrum
    shown = np.unique(np.linspace(0, len(spectrum) - 1, min(RANKS, len(spectrum))).astype(int))
    rows, columns = matrix_shape(layer.shape)
    return SpectrumProfile(
        name=layer.name,
        rows=rows,
        columns=columns,
        ranks=(shown + 1).astype(np.float32),
        values=spectrum[shown].astype(np.float32),
        energies=energy_curve(spectrum)[shown].astype(np.float32),
    )
