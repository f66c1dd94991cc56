"""Weights made small enough to draw: block sparsities, thumbnails, error histograms.

A picture never gets more than 512 x 512 values, whatever the layer's size.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress_core.methods.quantization import (
    Quantized,
    choose_qparams,
    code_range,
    textbook_min_max,
    textbook_times_255,
)
from compress_core.stored import StoredLayer
from compress_core.weights import as_matrix, energy

PICTURE_LIMIT = 512


def block_sparsity(weight: Tensor, blocks: int = 32) -> NDArray[np.float32]:
    """Fraction of zeros in each of up to `blocks` equal runs of output rows, (blocks,)."""
    zero = as_matrix(weight).eq(0).float().mean(1)  # (out,)
    runs = min(blocks, len(zero))
    edges = np.linspace(0, len(zero), runs + 1).astype(int)
    return np.array([zero[a:b].mean() for a, b in pairwise(edges)], np.float32)


def heatmap_rows(layers: dict[str, StoredLayer], blocks: int = 32) -> NDArray[np.float32]:
    """Block sparsities of all layers, (layers, blocks); a short layer's runs are repeated.

    For factors those of the last, which has the layer's own output rows.
    """
    rows = []
    for stored in layers.values():
        sparsity = block_sparsity(stored.weights[-1].values, blocks)
        rows.append(sparsity[np.arange(blocks) * len(sparsity) // blocks])
    return np.stack(rows)


def thumbnail(values: Tensor, limit: int = PICTURE_LIMIT) -> NDArray[np.float32]:
    """A weight as a matrix (out, in), averaged down to at most limit x limit values."""
    matrix = as_matrix(values).float()[None, None]
    height, width = matrix.shape[2:]
    if height > limit or width > limit:
        size = (min(height, limit), min(width, limit))
        matrix = torch.nn.functional.adaptive_avg_pool2d(matrix, size)
    picture: NDArray[np.float32] = matrix[0, 0].numpy()
    return picture


def kept_thumbnail(stored: StoredLayer, limit: int = PICTURE_LIMIT) -> NDArray[np.float32]:
    """Density (1 = kept, 0 = pruned) of the layer's weight, or of its last factor."""
    return thumbnail(stored.weights[-1].values.ne(0), limit)


def error_histogram(
    stored: StoredLayer, bins: int = 121
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Counts and bin edges of w' - w, the error of each weight of the layer."""
    error = (stored.dense - stored.layer.weight).numpy().ravel()
    limit = float(np.abs(error).max()) or 1e-9
    return np.histogram(error, bins=bins, range=(-limit, limit))


@dataclass(frozen=True)
class Cut:
    """What pruning took from a layer: the largest pruned magnitude, and fractions that remain."""

    threshold: float
    sparsity: float
    energy_kept: float


def unpruned(stored: StoredLayer) -> list[Tensor]:
    """The layer's weight, or its factors, before anything was pruned or coded."""
    return [part.weight for part in stored.parts]


def pruning_cut(stored: StoredLayer) -> Cut:
    """Threshold, sparsity and kept energy of a pruned, not quantized layer."""
    before = torch.cat([weight.ravel() for weight in unpruned(stored)])
    after = torch.cat([weight.values.ravel() for weight in stored.weights])
    cut = before[after == 0].abs()
    total = energy(before)
    return Cut(
        threshold=float(cut.max()) if cut.numel() else 0.0,
        sparsity=cut.numel() / before.numel(),
        energy_kept=energy(after) / total if total else 1.0,
    )


@dataclass(frozen=True, eq=False)
class MaskedHistogram:
    """Counts (bins,) of the kept and of the pruned weights, and the bins' edges (bins + 1,)."""

    kept: NDArray[np.int64]
    pruned: NDArray[np.int64]
    edges: NDArray[np.float64]


def masked_histogram(stored: StoredLayer, bins: int = 121) -> MaskedHistogram:
    """Of a pruned, not quantized layer's weights before pruning, all factors together."""
    before = torch.cat([weight.ravel() for weight in unpruned(stored)]).numpy()
    after = torch.cat([weight.values.ravel() for weight in stored.weights]).numpy()
    limit = float(np.abs(before).max()) or 1.0
    total, edges = np.histogram(before, bins=bins, range=(-limit, limit))
    kept = np.histogram(before[after != 0], bins=bins, range=(-limit, limit))[0]
    return MaskedHistogram(kept, total - kept, edges)


def kept_histogram(stored: StoredLayer, bins: int) -> NDArray[np.int64]:
    """Counts (bins,) of the layer's nonzero stored weights, all factors together; the bins
    reach from minus to plus the largest magnitude."""
    values = torch.cat([weight.values.ravel() for weight in stored.weights]).numpy()
    limit = float(np.abs(values).max(initial=0)) or 1.0
    return np.histogram(values[values != 0], bins=bins, range=(-limit, limit))[0]


@dataclass(frozen=True, eq=False)
class LevelsView:
    """The weights that share one scale, the values they may take, and how many were cut off.

    `weights` (n,) before quantization, `levels` ascending (thinned where there are more than 512),
    `low` and `high` the outermost levels, `clipped` the fraction of weights beyond them.
    """

    weights: NDArray[np.float32]
    levels: NDArray[np.float32]
    low: float
    high: float
    clipped: float


def levels_view(stored: StoredLayer, channel: int) -> LevelsView:
    """Levels of output channel `channel` (its first group); of the whole layer where it has one
    scale. Of factors the last is shown, which has the layer's output channels."""
    quantized = stored.weights[-1].codes
    if not isinstance(quantized, Quantized):
        raise ValueError(f"{stored.layer.name} is not quantized; it has no levels to show")
    matrix, scale, zero = as_matrix(unpruned(stored)[-1]), quantized.scale, quantized.zero_point
    if scale.dim() > 0:
        matrix, scale, zero = matrix[channel], scale[channel], zero[channel]
    if quantized.group_size:
        matrix, scale, zero = matrix[: quantized.group_size], scale[0], zero[0]
    q_min, q_max = code_range(quantized.bits, quantized.scheme)
    codes = torch.arange(q_min, q_max + 1, max(1, 2**quantized.bits // PICTURE_LIMIT))
    low, high = (float((q - zero) * scale) for q in (q_min, q_max))
    half = float(scale) / 2  # up to half a step beyond, rounding still finds the nearest level
    clipped = ((matrix < low - half) | (matrix > high + half)).float().mean()
    levels = ((codes - zero) * scale).numpy()
    return LevelsView(matrix.numpy().ravel(), levels, low, high, float(clipped))


def textbook_table(weight: Tensor, bits: int, count: int = 7) -> dict[str, NDArray[np.float32]]:
    """Some weights, from the least to the greatest, as three formulas give them back.

    The min-max formula of tutorials, our asymmetric one (equal but for the shift that puts zero on
    a level), and round(w·255), which cuts off whatever lies outside [0, 1]. Raises ValueError for a
    constant weight, for which the first formula divides by zero.
    """
    picked = weight.ravel().sort().values
    picked = picked[torch.linspace(0, len(picked) - 1, count).long()]
    low, high = picked[0], picked[-1]
    scale, zero_point = choose_qparams(low, high, bits, "asymmetric")
    codes = torch.round(picked / scale).add(zero_point).clamp(*code_range(bits, "asymmetric"))
    min_max = textbook_min_max(picked, bits)
    return {
        "w": picked.numpy(),
        "min-max formula": (min_max / (2**bits - 1) * (high - low) + low).numpy(),
        "scale · (q − zero_point)": ((codes - zero_point) * scale).numpy(),
        "round(w · 255) / 255": (textbook_times_255(picked) / 255).numpy(),
    }


def low_rank_view(stored: StoredLayer) -> dict[str, NDArray[np.float32]]:
    """Thumbnails of W, of the weight W′ in its place, and of W − W′, all (out, in)."""
    before, after = thumbnail(stored.layer.weight), thumbnail(stored.dense)
    return {"W": before, "W′": after, "W − W′": before - after}


def colour_limit(picture: NDArray[np.float32]) -> float:
    """The end of a symmetric colour scale: the 99th percentile, so that a few outliers do not
    leave everything else white."""
    return float(np.percentile(np.abs(picture), 99)) or 1.0
