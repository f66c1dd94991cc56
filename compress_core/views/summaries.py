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
    InputQuantizer,
    Quantize,
    Quantized,
    SignCoded,
    choose_qparams,
    code_range,
    dynamic_qparams,
    round_input,
    textbook_min_max,
    textbook_times_255,
)
from compress_core.methods.quantization.levels import (
    ScaledCodes,
    channel_levels,
    channel_scale,
    granularity_of,
)
from compress_core.stored import StoredLayer
from compress_core.weights import as_matrix, energy, sqnr_db

PICTURE_LIMIT = 256
MOST_LEVELS = 256  # more of them are not told apart in a picture


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


def before_after(
    stored: StoredLayer, bins: int = 64
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """How many weights went from each bin of w to each of w', (bins of w', bins of w), and the
    edges that both axes share."""
    before, after = stored.layer.weight.numpy().ravel(), stored.dense.numpy().ravel()
    limit = max(float(np.abs(before).max()), float(np.abs(after).max())) or 1e-9
    span = (-limit, limit)
    counts, edges, _ = np.histogram2d(after, before, bins=bins, range=(span, span))
    return counts.astype(np.int64), edges


@dataclass(frozen=True)
class PrunedLayer:
    """What pruning took from a layer: the largest pruned magnitude, and fractions that remain."""

    threshold: float
    sparsity: float
    energy_kept: float


def unpruned(stored: StoredLayer) -> list[Tensor]:
    """The layer's weight, or its factors, before anything was pruned or coded."""
    return [part.weight for part in stored.parts]


def pruned_layer(stored: StoredLayer) -> PrunedLayer:
    """Threshold, sparsity and kept energy of a pruned, not quantized layer."""
    before = torch.cat([weight.ravel() for weight in unpruned(stored)])
    after = torch.cat([weight.values.ravel() for weight in stored.weights])
    cut = before[after == 0].abs()
    total = energy(before)
    return PrunedLayer(
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
    """The weights that share one scale (n,), as they were before they were coded.

    `levels` are what they may become, ascending, only the least and the greatest where there are
    more than MOST_LEVELS, none where they are not coded; `level_count` is their number, `scale`
    their scale (None: not coded). `clipped`: the fraction of weights beyond an affine range;
    `zeroed`: the largest magnitude that becomes zero. `sqnr_db`: None if exact, or not coded.
    """

    weights: NDArray[np.float32]
    levels: NDArray[np.float32]
    level_count: int
    scale: float | None
    clipped: float
    zeroed: float
    sqnr_db: float | None


def scale_view(before: StoredLayer, after: StoredLayer, step: Quantize, channel: int) -> ScaleView:
    """Output channel `channel` (its first group), or the whole layer where it has one scale.

    `before` is the layer without quantization, `after` with it, or the same where it is not
    quantized: then `step` says which weights would share a scale. Of a factor pair the second
    factor is shown, which has the layer's output channels.
    """
    codes = after.weights[-1].codes
    coded = codes if isinstance(codes, ScaledCodes) else None
    if coded:  # its own granularity may be another than that of `step`
        step = _granularity_of(coded, step)
    weights, values = (_sharing(s.weights[-1].values, step, channel) for s in (before, after))
    levels = channel_levels(coded, channel).numpy() if coded else np.zeros(0, np.float32)
    return ScaleView(
        weights.numpy(),
        levels[[0, -1]] if len(levels) > MOST_LEVELS else levels,
        len(levels),
        channel_scale(coded, channel) if coded else None,
        _clipped(weights, coded, channel) if isinstance(coded, Quantized) else 0.0,
        float(weights[values == 0].abs().amax()) if values.eq(0).any() else 0.0,
        sqnr_db(weights, values),
    )


def _clipped(weights: Tensor, coded: Quantized, channel: int) -> float:
    levels = channel_levels(coded, channel)
    half = channel_scale(coded, channel) / 2  # up to there rounding still finds the nearest level
    beyond = (weights < levels[0] - half) | (weights > levels[-1] + half)
    return float(beyond.float().mean())


def _granularity_of(coded: ScaledCodes, step: Quantize) -> Quantize:
    group_size = None if isinstance(coded, SignCoded) else coded.group_size
    return replace(
        step, granularity=granularity_of(coded), group_size=group_size or step.group_size
    )


def _sharing(weight: Tensor, step: Quantize, channel: int) -> Tensor:
    matrix = as_matrix(weight)
    if step.granularity == "tensor":
        return matrix.ravel()
    return matrix[channel, : step.group_size if step.granularity == "group" else None]


@dataclass(frozen=True, eq=False)
class InputView:
    """A layer's inputs: counts (bins,) between edges (bins + 1,) of the nonzero values, and the
    fraction of zeros; the levels (levels,), the range low … high in which values are rounded to the
    nearest level, the fraction beyond it, and the SQNR of the rounded values in dB (None: exact).
    """

    counts: NDArray[np.int64]
    edges: NDArray[np.float64]
    zeros: float
    levels: NDArray[np.float32]
    low: float
    high: float
    clipped: float
    sqnr_db: float | None


def input_view(values: Tensor, quantizer: InputQuantizer, bins: int = 121) -> InputView:
    """The view of a layer's inputs `values` (n,) float32. A dynamic quantizer is shown with the
    range of all of them together, the widest that one image or row can have."""
    scale, zero_point = quantizer.scale, quantizer.zero_point
    if scale is None or zero_point is None:
        scale, zero_point = dynamic_qparams(values, quantizer.bits)
    levels = (torch.arange(2**quantizer.bits) - zero_point.int()) * scale
    low, high = float(levels[0] - scale / 2), float(levels[-1] + scale / 2)
    counts, edges = np.histogram(values[values != 0].numpy(), bins=bins)
    return InputView(
        counts,
        edges,
        float(values.eq(0).float().mean()),
        levels.numpy(),
        low,
        high,
        float(((values < low) | (values > high)).float().mean()),
        sqnr_db(values, round_input(values, scale, zero_point, quantizer.bits)),
    )


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
