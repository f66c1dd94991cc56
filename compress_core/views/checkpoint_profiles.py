"""A tensor of a checkpoint as the live picture draws it: from its census, and a few of its rows."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from compress_core.applying.quantize import CODES, WeightStep
from compress_core.checkpoint import Census, Entry
from compress_core.checkpoint.reading import matrix_shape, read_rows
from compress_core.methods.quantization import Quantize, QuantizeMX, quantize_mx
from compress_core.methods.quantization.microscaling import tensor_scale_for
from compress_core.methods.weight_sharing import ShareWeights, share
from compress_core.storage.streams import Codes, weight_of
from compress_core.stored import StoredLayer, untouched
from compress_core.views.live_profiles import (
    HISTOGRAM_BINS,
    POINTS,
    RangeSample,
    WeightPoints,
    range_sample,
    weight_points,
)
from compress_core.views.live_pruning import BYTES_EVERY, FEW, PruningProfile, knots, masked_bytes
from compress_core.views.summaries import ScaleView, scale_view
from compress_core.weights import Layer

KEPT_BITS = {"F32": 32, "F64": 32}  # of a weight that is kept as it is; of all other types 16
DRAWN = 4096  # quantiles that stand for the weights of a whole tensor


def census_profile(entry: Entry, census: Census) -> PruningProfile:
    """Curves over the pruned fraction, as `pruning_profile` has them of a layer in memory."""
    n = census.weights
    pruned = knots(n)
    magnitudes, energies = census.smallest(pruned)
    every = slice(None) if n <= FEW else slice(None, None, BYTES_EVERY)
    zeros = np.maximum(pruned, census.zeros)[every]
    limit = census.limit or 1.0
    return PruningProfile(
        name=entry.name,
        weights=n,
        limit=limit,
        sparsities=(pruned / n).astype(np.float32),
        magnitudes=magnitudes.astype(np.float32),
        energies=energies.astype(np.float32),
        byte_counts=masked_bytes(n, zeros, KEPT_BITS.get(entry.dtype, 16)),
        counts=census.histogram(HISTOGRAM_BINS, limit).astype(np.float32),
    )


@dataclass(frozen=True, eq=False)
class ScaleProfile:
    """The weights of a tensor that share a scale: their `points`, the tensor's `sample` for what is
    dragged, and what a step makes of them (`view`)."""

    points: WeightPoints
    sample: RangeSample
    view: ScaleView


def scale_profile(
    entry: Entry, census: Callable[[], Census], settings: Quantize, step: WeightStep, channel: int
) -> ScaleProfile:
    """Those of one output channel (its first group), or of the whole tensor, as `settings` says.

    A whole tensor is drawn from its census; rounded are DRAWN of its quantiles.
    """
    is_whole = settings.granularity == "tensor"
    drawn = census().sample(DRAWN) if is_whole else read_rows(entry, [channel])[0].numpy()
    before = _as_layer(entry.name, torch.from_numpy(drawn)[None])
    after = before.with_weights(step, (weight_of(_codes(before.layer.weight, step, census)),))
    view = scale_view(before, after, settings, 0)
    points = _whole_points(census()) if is_whole else weight_points(view.weights)
    sample = replace(
        range_sample(before, settings), weights=entry.weights, scales=_scales(entry, settings)
    )
    return ScaleProfile(points, sample, view)


def _codes(part: Tensor, step: WeightStep, census: Callable[[], Census]) -> Codes:
    """The codes of a part of a tensor; nvfp4 has a scale of the whole."""
    if isinstance(step, QuantizeMX):
        largest = torch.tensor(census().limit)
        return quantize_mx(part, step, tensor_scale_for(largest, step.format))
    return CODES[type(step)](part, step)


def codebook_profile(
    entry: Entry, census: Census, step: ShareWeights
) -> tuple[WeightPoints, RangeSample, Tensor]:
    """All weights of a tensor, and the codebook (k,) of DRAWN of its quantiles."""
    drawn = torch.from_numpy(census.sample(DRAWN))[None]
    whole = Quantize(granularity="tensor")
    sample = range_sample(_as_layer(entry.name, drawn), whole)
    sized = replace(sample, weights=entry.weights, scales=_scales(entry, whole))
    return _whole_points(census), sized, share(drawn, step).codebook


def _whole_points(census: Census) -> WeightPoints:
    limit = 1.05 * census.limit or 1.0
    counts = census.histogram(HISTOGRAM_BINS, limit).astype(np.float32)
    return WeightPoints(census.sample(POINTS), counts)


def _as_layer(name: str, weight: Tensor) -> StoredLayer:
    return untouched(Layer(name, f"{name}.weight", "linear", weight, (f"{name}.weight",), None))


def _scales(entry: Entry, settings: Quantize) -> int:
    """How many scales the whole tensor has."""
    rows, columns = matrix_shape(entry)
    if settings.granularity == "tensor":
        return 1
    return rows * -(-columns // settings.group_size) if settings.granularity == "group" else rows
