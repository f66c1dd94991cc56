"""Weights made small enough to draw: block sparsities, thumbnails, error histograms.

A picture never gets more than 256 x 256 values, whatever the layer's size.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress_core.methods.quantization import (
    Granularity,
    Quantize,
    Quantized,
    choose_qparams,
    code_range,
    textbook_min_max,
    textbook_times_255,
)
from compress_core.stored import StoredLayer
from compress_core.weights import as_matrix, energy, sqnr_db

PICTURE_LIMIT = 256


def block_sparsity(weight: Tensor, blocks: int = 32) -> NDArray[np.float32]:
    """Fraction of zeros in each of up to `blocks` equal runs of output rows, (blocks,)."""
    zero = as_matrix(weight).eq(0).float().mean(1)  # (out,)
    runs = min(blocks, len(zero))
    edges = np.linspace(0, len(zero), runs + 1).astype(int)
    return np.array([zero[a:b].mean() for a, b in pairwise(edges)], np.float32)


def heatmap_rows(layers: dict[str, StoredLayer], blocks: int = 32) -> NDArray[np.float32]:
    """Block sparsities of all layers, (layers, blocks); a short layer's runs are repeated.

    For a factor pair those of its second factor, which has the layer's own output rows.
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
    """Density (1 = kept, 0 = pruned) of the layer's weight, or of its second factor."""
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


def kept_histogram(stored: StoredLayer, bins: int) -> NDArray[np.int64]:
    """Counts (bins,) of the layer's nonzero stored weights, all factors together; the bins
    reach from minus to plus the largest magnitude."""
    values = torch.cat([weight.values.ravel() for weight in stored.weights]).numpy()
    limit = float(np.abs(values).max(initial=0)) or 1.0
    return np.histogram(values[values != 0], bins=bins, range=(-limit, limit))[0]


@dataclass(frozen=True, eq=False)
class ScaleView:
    """The weights that share one scale (n,), as they were before quantization; the fraction of
    them that is clipped, and their SQNR in dB (None: exact, or not quantized)."""

    weights: NDArray[np.float32]
    clipped: float
    sqnr_db: float | None


def scale_view(before: StoredLayer, after: StoredLayer, step: Quantize, channel: int) -> ScaleView:
    """Output channel `channel` (its first group), or the whole layer where it has one scale.

    `before` is the layer without quantization, `after` with it, or the same where it is not
    quantized: then `step` says which weights would share a scale. Of a factor pair the second
    factor is shown, which has the layer's output channels.
    """
    coded = after.weights[-1].codes
    if isinstance(coded, Quantized):  # its own granularity may be another than that of `step`
        step = _granularity_of(coded, step)
    weights, values = (_sharing(s.weights[-1].values, step, channel) for s in (before, after))
    if not isinstance(coded, Quantized):  # levels of another kind, or none
        return ScaleView(weights.numpy(), 0.0, sqnr_db(weights, values))
    q_min, q_max = code_range(coded.bits, coded.scheme)
    scale, zero = (_of_channel(p, channel) for p in (coded.scale, coded.zero_point))
    low, high = (float((q - zero) * scale) for q in (q_min, q_max))
    half = float(scale) / 2  # up to half a step beyond, rounding still finds the nearest level
    clipped = ((weights < low - half) | (weights > high + half)).float().mean()
    return ScaleView(weights.numpy(), float(clipped), sqnr_db(weights, values))


def _granularity_of(coded: Quantized, step: Quantize) -> Quantize:
    granularity: Granularity = ("tensor", "channel", "group")[coded.scale.dim()]
    return replace(step, granularity=granularity, group_size=coded.group_size or step.group_size)


def _sharing(weight: Tensor, step: Quantize, channel: int) -> Tensor:
    matrix = as_matrix(weight)
    if step.granularity == "tensor":
        return matrix.ravel()
    return matrix[channel, : step.group_size if step.granularity == "group" else None]


def _of_channel(parameter: Tensor, channel: int) -> Tensor:
    return parameter if parameter.dim() == 0 else parameter[channel].ravel()[0]


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
