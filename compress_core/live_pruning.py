"""Pruning in at most a few thousand numbers a layer: curves that a browser follows during a drag.

What they interpolate is an estimate; the core's exact numbers replace it when the drag ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress_core.live_profiles import HISTOGRAM_BINS
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
FALLEN_KNOTS = 41  # histograms of what is pruned by a score, at 0, 2.5 … 100 %


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
    pruned = _knots(n)
    counts, edges = flat.histogram(HISTOGRAM_BINS)
    byte_knots = pruned if len(pruned) == n + 1 else pruned[::BYTES_EVERY]
    if step is None:
        sizes = _float_bytes(n, np.maximum(byte_knots, flat.count_below(0.0)))
    else:
        magnitudes = [part.abs().numpy().ravel() for part in parts]
        sizes = _code_bytes(parts, magnitudes, byte_knots, step)
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
    stored: StoredLayer, scores: Tensor, *, by_row: bool = False, step: Quantize | None = None
) -> ScoreProfile:
    """Of a layer in one piece, not pruned yet, that loses its lowest `scores` (shape of the weight)
    first; `by_row` the lowest of each row of as_matrix(weight) at the same time."""
    (weight,) = unpruned(stored)
    flat = Profile(weight)
    values, n = weight.numpy().ravel(), weight.numel()
    ranked_by = _places_in_rows(scores) if by_row else scores.numpy().ravel()
    order = ranked_by.argsort(kind="stable")
    pruned = _knots(n)
    byte_knots = pruned if len(pruned) == n + 1 else pruned[::BYTES_EVERY]
    zeros = np.concatenate([[0], np.cumsum(values[order] == 0)])  # among the first k to fall
    sizes = (
        _float_bytes(n, byte_knots + zeros[-1] - zeros[byte_knots])
        if step is None
        else _code_bytes([weight], [ranked_by], byte_knots, step)
    )
    counts, edges = flat.histogram(HISTOGRAM_BINS)
    fallen = _fallen(values[order], edges)
    energy = np.concatenate([[0], np.cumsum(np.square(values[order], dtype=np.float64))])
    return ScoreProfile(
        name=stored.layer.name,
        weights=n,
        limit=float(edges[-1]),
        sparsities=(pruned / n).astype(np.float32),
        magnitudes=np.concatenate([[0], ranked_by[order]])[pruned].astype(np.float32),
        energies=(energy[pruned] / (energy[-1] or 1)).astype(np.float32),
        byte_counts=sizes.astype(np.float32),
        counts=counts.astype(np.float32),
        fallen=fallen.astype(np.float32),
        columns=as_matrix(weight).shape[1] if by_row else 0,
    )


def kept_counts(stored: StoredLayer) -> NDArray[np.int64]:
    """Counts (bins,) of what is left of a pruned, not quantized layer, in the bins of its profile:
    over ± the largest magnitude that it had before."""
    limit = max(float(part.abs().max()) for part in unpruned(stored)) or 1.0
    left = torch.cat([weight.values.ravel() for weight in stored.weights])
    return np.histogram(left[left != 0].numpy(), bins=HISTOGRAM_BINS, range=(-limit, limit))[0]


def _knots(n: int) -> NDArray[np.int64]:
    """Numbers of pruned weights, of n, at which the curves stand."""
    few = n < len(SPARSITY_KNOTS)
    return np.arange(n + 1) if few else np.round(SPARSITY_KNOTS * n).astype(np.int64)


def _places_in_rows(scores: Tensor) -> NDArray[np.int64]:
    """The order in which weights fall that each row loses from its lowest up, all rows in step."""
    rows = as_matrix(scores)
    places = rows.argsort(dim=1, stable=True).argsort(dim=1) * len(rows)
    return (places + torch.arange(len(rows))[:, None]).numpy().ravel()


def _fallen(ordered: Floats, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts by bin of the first weights to fall, (FALLEN_KNOTS · bins,), for k/40 of them."""
    ends = np.round(np.linspace(0, 1, FALLEN_KNOTS) * ordered.size).astype(np.int64)
    parts = [np.histogram(ordered[a:b], bins=edges)[0] for a, b in pairwise(ends)]
    return np.cumsum([np.zeros(len(edges) - 1), *parts], axis=0).ravel()


def _float_bytes(n: int, zeros: NDArray[np.int64]) -> Floats:
    """Bytes of n float weights with `zeros` zeros: dense, or a mask and the others."""
    mask = np.minimum(np.ceil(n / 8), 4 + _coded_bytes(_binary_entropy(zeros / n) * n))
    sizes: Floats = np.where(zeros == 0, 4 * n, np.minimum(4 * n, mask + 4 * (n - zeros)))
    return sizes


def _code_bytes(
    parts: Sequence[Tensor],
    scores: Sequence[NDArray[Any]],
    pruned: NDArray[np.int64],
    step: Quantize,
) -> Floats:
    """Bytes of the codes after the `pruned` lowest `scores` became zero, packed or coded."""
    ranked = np.sort(np.concatenate(scores))
    limits = np.concatenate([np.array([-1], ranked.dtype), ranked])
    if step.scheme == "symmetric":
        pairs = zip(parts, scores, strict=True)
        sizes: Floats = np.sum(
            [_part_bytes(part, own, limits[pruned], step) for part, own in pairs], axis=0
        )
        return sizes
    coarse = np.unique(np.round(COARSE_KNOTS * ranked.size).astype(np.int64))
    recounted = [_bytes_above(parts, scores, limit, step) for limit in limits[coarse]]
    return np.interp(pruned, coarse, recounted).astype(np.float32)


def _bytes_above(
    parts: Sequence[Tensor], scores: Sequence[NDArray[Any]], limit: Any, step: Quantize
) -> float:
    """Bytes of the codes of the weights that score above `limit`, the others being zero."""
    masks = (torch.from_numpy(own > limit) for own in scores)
    left = (torch.where(mask.view(p.shape), p, 0.0) for mask, p in zip(masks, parts, strict=True))
    nothing_more = np.array([-1.0], np.float32)
    return sum(
        float(_part_bytes(part, part.abs().numpy().ravel(), nothing_more, step)[0]) for part in left
    )


def _part_bytes(part: Tensor, scores: NDArray[Any], limits: NDArray[Any], step: Quantize) -> Floats:
    """Of one tensor, at each of the scores `limits` up to which weights are zero.

    The scales are taken as they are without pruning: of symmetric ranges they hardly depend on it.
    """
    coded = quantize(part, step)
    parameters = coded.scale.nbytes + 2 * coded.zero_point.numel() * (step.scheme == "asymmetric")
    packed = np.ceil(part.numel() * step.bits / 8)
    q_min, q_max = code_range(step.bits, step.scheme)
    levels = q_max - q_min + 1
    if levels > MAX_ALPHABET:
        return np.full(len(limits), packed + parameters, np.float32)
    codes = as_matrix(coded.codes)
    # from zero on, wherever that lies in a row: the file's coder knows classes of rows
    symbols = codes - spread(coded.zero_point, codes.shape, coded.group_size) + levels - 1
    falls = np.searchsorted(limits, scores)  # the knot where it becomes zero
    kept = _counts_by_knot(falls, symbols, len(limits), 2 * levels - 1)
    counts = kept[::-1].cumsum(0)[::-1][1:]  # (knots, symbols)
    counts[:, levels - 1] += part.numel() - counts.sum(1)
    coded_bytes = 2 * levels + _coded_bytes(_entropy(counts / part.numel()) * part.numel())
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
