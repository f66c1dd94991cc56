"""A layer in at most 1,000 numbers, so that a browser can follow a drag without the server.

A profile holds a sample of the weights with their ranges, or a spectrum (curves over the sparsity
stand in live_pruning). What it interpolates is an estimate; the core's exact numbers replace it
when the drag ends.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress_core.methods.quantization import Quantize, code_range, quantize
from compress_core.methods.quantization.granularity import spread
from compress_core.stored import StoredLayer
from compress_core.weights import as_matrix, energy

Floats = NDArray[np.float32]

HISTOGRAM_BINS = 121
SAMPLE = 320  # weights of a layer whose rounding error stands for that of all
POINTS = 800  # of the weights that share one scale


@dataclass(frozen=True, eq=False)
class RangeSample:
    """Some weights of a layer (s,), each with the range low … high of the weights it shares a
    scale with, and the layer's numbers: from these follow SQNR and packed bytes at any bits.

    `signal` is Σw² of the layer before the recipe, `prior` Σ(w − w′)² of what was done to it so
    far, `factors` of how many parts it consists."""

    name: str
    weights: int
    scales: int
    factors: int
    signal: float
    prior: float
    values: Floats
    low: Floats
    high: Floats


def range_sample(stored: StoredLayer, step: Quantize) -> RangeSample:
    """An even sample of a layer that is not quantized (of both factors of a pair together)."""
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
    before, parts = stored.layer.weight, len(stored.weights)
    signal, prior = energy(before), energy(before - stored.dense)
    return RangeSample(stored.layer.name, n, scales, parts, signal, prior, *picks)


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
