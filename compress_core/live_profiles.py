"""A layer in at most 1,000 numbers: what a browser needs to answer a drag without the server.

A profile holds curves over the sparsity (magnitude, energy, bytes), or a sample of the weights with
their ranges; those of ranks stand in rank_profiles.py. What it interpolates is an estimate; the
core's exact numbers replace it when the drag ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress_core.methods.quantization import Quantize, code_range, quantize
from compress_core.methods.quantization.granularity import spread
from compress_core.storage.entropy_coding import MAX_ALPHABET
from compress_core.stored import StoredLayer
from compress_core.summaries import unpruned
from compress_core.weights import Profile, as_matrix

Floats = NDArray[np.float32]

# Denser from 90 % on: there a percent decides. Every fifth one has a byte count.
SPARSITY_KNOTS = np.concatenate([np.linspace(0, 0.9, 181), np.linspace(0.9, 1, 81)[1:]])
BYTES_EVERY = 5
# Where codes are counted anew, because the scales follow what is left of the weights.
COARSE_KNOTS = np.array([0, 0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 1])
HISTOGRAM_BINS = 121
SAMPLE = 320  # weights of a layer whose rounding error stands for that of all
POINTS = 800  # of the weights that share one scale


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


def pruning_profile(stored: StoredLayer, step: Quantize | None = None) -> PruningProfile:
    """Of a layer that is not pruned yet (both factors of a pair together).

    `step` says how its weights are coded after pruning; None leaves them float32.
    """
    parts = unpruned(stored)
    flat = Profile(torch.cat([part.ravel() for part in parts]))
    n = flat.weight.numel()
    few = n < len(SPARSITY_KNOTS)
    pruned = np.arange(n + 1) if few else np.round(SPARSITY_KNOTS * n).astype(np.int64)
    counts, edges = flat.histogram(HISTOGRAM_BINS)
    byte_knots = pruned if few else pruned[::BYTES_EVERY]
    sizes = _float_bytes(flat, byte_knots) if step is None else _code_bytes(parts, byte_knots, step)
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


def _float_bytes(flat: Profile, pruned: NDArray[np.int64]) -> Floats:
    """Bytes of float weights with `pruned` zeros: dense, or a mask and the others."""
    n = flat.magnitudes.size
    zeros = np.maximum(pruned, np.searchsorted(flat.magnitudes, 0.0, "right"))
    mask = np.minimum(np.ceil(n / 8), 4 + _coded_bytes(_binary_entropy(zeros / n) * n))
    sizes: Floats = np.where(zeros == 0, 4 * n, np.minimum(4 * n, mask + 4 * (n - zeros)))
    return sizes


def _code_bytes(parts: Sequence[Tensor], pruned: NDArray[np.int64], step: Quantize) -> Floats:
    """Bytes of the codes after the `pruned` smallest weights became zero, packed or coded."""
    magnitudes = np.sort(np.abs(np.concatenate([part.numpy().ravel() for part in parts])))
    limits = np.concatenate([[-1.0], magnitudes]).astype(np.float32)
    if step.scheme == "symmetric":
        sizes: Floats = np.sum([_part_bytes(part, limits[pruned], step) for part in parts], axis=0)
        return sizes
    coarse = np.unique(np.round(COARSE_KNOTS * magnitudes.size).astype(np.int64))
    recounted = [_bytes_above(parts, limit, step) for limit in limits[coarse].tolist()]
    return np.interp(pruned, coarse, recounted).astype(np.float32)


def _bytes_above(parts: Sequence[Tensor], limit: float, step: Quantize) -> float:
    """Bytes of the codes of the weights above `limit`, the others being zero."""
    left = (torch.where(part.abs() > limit, part, 0.0) for part in parts)
    nothing_more = np.array([-1.0], np.float32)
    return sum(float(_part_bytes(part, nothing_more, step)[0]) for part in left)


def _part_bytes(part: Tensor, limits: Floats, step: Quantize) -> Floats:
    """Of one tensor, at each of the magnitudes `limits` up to which weights are zero.

    The scales are taken as they are without pruning: of symmetric ranges they hardly depend on it.
    """
    coded = quantize(part, step)
    parameters = coded.scale.nbytes + 2 * coded.zero_point.numel() * (step.scheme == "asymmetric")
    packed = np.ceil(part.numel() * step.bits / 8)
    q_min, q_max = code_range(step.bits, step.scheme)
    if q_max - q_min >= MAX_ALPHABET:
        return np.full(len(limits), packed + parameters, np.float32)
    symbols = as_matrix(coded.codes) - q_min
    zeros = spread(coded.zero_point, symbols.shape, coded.group_size) - q_min
    falls = np.searchsorted(limits, np.abs(part.numpy().ravel()))  # the knot where it becomes zero
    kept = _counts_by_knot(falls, symbols, len(limits), q_max - q_min + 1)
    fallen = _counts_by_knot(falls, zeros.expand(symbols.shape), len(limits), q_max - q_min + 1)
    counts = kept[::-1].cumsum(0)[::-1][1:] + fallen.cumsum(0)[:-1]  # (knots, alphabet)
    table = 2 * counts.shape[1]
    coded_bytes = table + _coded_bytes(_entropy(counts / part.numel()) * part.numel())
    sizes: Floats = np.minimum(packed, coded_bytes) + parameters
    return sizes


def _counts_by_knot(
    falls: NDArray[np.int64], symbols: Tensor, knots: int, alphabet: int
) -> NDArray[np.int64]:
    """How many weights have each symbol and become zero at each knot, (knots + 1, alphabet)."""
    cells = falls * alphabet + symbols.numpy().ravel()
    return np.bincount(cells, minlength=(knots + 1) * alphabet).reshape(-1, alphabet)


def _coded_bytes(bits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole 32-bit words of an entropy coder, and the one that holds its state."""
    return np.where(bits > 0, 4 * np.ceil(bits / 32 + 0.5), 0)


def _binary_entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return _entropy(np.stack([p, 1 - p], axis=-1))


def _entropy(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bits a symbol of distributions (…, symbols)."""
    bits: NDArray[np.float64] = -np.sum(p * np.log2(np.where(p > 0, p, 1)), axis=-1) + 0.0
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
    picked = torch.linspace(0, values.numel() - 1, min(SAMPLE, values.numel())).long()
    picks = (column[picked].numpy() for column in (values, lows, highs))
    return RangeSample(stored.layer.name, values.numel(), scales, *picks)


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
