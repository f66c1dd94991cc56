"""k-means in one dimension on sorted weights, where a cluster is an interval.

A step of Lloyd's algorithm is then k binary searches and k differences of a cumulated sum: it
costs as much for 400,000 weights as for 4,000, and it is exact.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch

from compress_core.methods.weight_sharing.optimum import (
    Cuts,
    Floats,
    first_of_equals,
    optimal_cuts,
)

Init = Literal["optimal", "linear", "density", "random"]

MAX_ITERATIONS = 300  # scikit-learn's, too


def linear_centroids(ordered: Floats, clusters: int, _seed: int) -> Floats:
    """Equally spaced from the smallest weight to the largest."""
    return np.linspace(ordered[0], ordered[-1], clusters)


def density_centroids(ordered: Floats, clusters: int, _seed: int) -> Floats:
    """Equally spaced in the cumulative distribution: the (c + ½)/k quantiles of the weights."""
    return ordered[(2 * np.arange(clusters) + 1) * ordered.size // (2 * clusters)]


def random_centroids(ordered: Floats, clusters: int, seed: int) -> Floats:
    """Weights drawn without replacement (Forgy 1965)."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(ordered.size, generator=generator)[:clusters].numpy()
    return np.sort(ordered[drawn])


def optimal_centroids(ordered: Floats, clusters: int, _seed: int) -> Floats:
    """The means of the best clusters of all that bins allow, see `optimal_cuts`.

    Lloyd's algorithm then moves the cuts by single weights. The squared error that is left lies
    above the least by under 0.02 % up to 256 clusters, by 0.5 % at 1,024 (measured on the layers
    of LeNet-5 and normal, Laplace and Cauchy weights); with few distinct weights it is the least.
    A layer takes 0.01 s more than from linear centroids at 16 clusters, 0.2 s at 256 and 1.7 s at
    4,096, whatever its size: it is the bins that count.
    """
    return means(ordered, optimal_cuts(ordered, clusters))


INITS: dict[Init, Callable[[Floats, int, int], Floats]] = {
    "optimal": optimal_centroids,
    "linear": linear_centroids,
    "density": density_centroids,
    "random": random_centroids,
}


def cluster(ordered: Floats, clusters: int, init: Init, seed: int = 0) -> Cuts:
    """Cut ascending weights (n,) into clusters, none of them empty: cuts (k + 1,), from 0 to n.

    Where there are at most `clusters` distinct weights, each is a cluster.
    """
    starts = first_of_equals(ordered)
    if starts.size <= clusters:
        return np.append(starts, ordered.size)
    return lloyd(ordered, INITS[init](ordered, clusters, seed), clusters)


def lloyd(ordered: Floats, centroids: Floats, clusters: int) -> Cuts:
    """Lloyd's k-means from ascending centroids: the cuts (k + 1,) when none moves any more.

    Every weight goes to the nearest centroid (the lower of two), every centroid to the mean of
    its weights. For a centroid without weights another cluster is split, see `split_clusters`;
    should one be left after MAX_ITERATIONS, it is dropped.
    Source: Lloyd 1982, "Least squares quantization in PCM".
    """
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    moved = nearest_cuts(ordered, centroids)
    for _ in range(MAX_ITERATIONS):
        cuts = split_clusters(ordered, sums, moved, clusters)
        moved = nearest_cuts(ordered, _means(ordered, sums, cuts))
        if np.array_equal(moved, cuts):
            break
    return moved


def _means(ordered: Floats, sums: Floats, cuts: Cuts) -> Floats:
    """The mean of each cluster, (k,), by the weights' cumulated sums."""
    # differences of a cumulated sum are rounded: a mean must not leave its own weights
    first, last = ordered[cuts[:-1]], ordered[cuts[1:] - 1]
    return np.clip(np.diff(sums[cuts]) / np.diff(cuts), first, last)


def nearest_cuts(ordered: Floats, centroids: Floats) -> Cuts:
    """The cuts between weights with another nearest centroid; centroids without weights vanish."""
    boundaries = (centroids[1:] + centroids[:-1]) / 2
    inner = ordered.searchsorted(boundaries, "right")
    cuts = np.concatenate([[0], inner, [ordered.size]])
    filled: Cuts = cuts[np.concatenate([[True], cuts[1:] > cuts[:-1]])]
    return filled


def split_clusters(ordered: Floats, sums: Floats, cuts: Cuts, clusters: int) -> Cuts:
    """More cuts until there are `clusters` clusters, each of them at the mean of a cluster.

    The clusters that lose the most squared error by it, n₁n₂ / (n₁ + n₂) · (m₁ - m₂)², come first;
    each time half of the clusters that are missing, so that parts can be split again.
    """
    while cuts.size - 1 < clusters:
        start, end = cuts[:-1], cuts[1:]
        middle = ordered.searchsorted(_means(ordered, sums, cuts), "right")
        middle = np.minimum(middle, ordered.searchsorted(ordered[end - 1], "left"))
        left, right = middle - start, end - middle
        can = np.flatnonzero(left > 0)  # where not all weights are equal
        start, end, middle, left, right = (x[can] for x in (start, end, middle, left, right))
        distance = (sums[end] - sums[middle]) / right - (sums[middle] - sums[start]) / left
        gain = left * (right / (left + right)) * np.square(distance)
        missing = clusters - (cuts.size - 1)
        best = np.argsort(-gain, kind="stable")[: (missing + 1) // 2]
        cuts = np.union1d(cuts, middle[best])
    return cuts


def means(ordered: Floats, cuts: Cuts) -> Floats:
    """The mean of each cluster, (k,), each summed on its own."""
    return np.add.reduceat(ordered, cuts[:-1]) / np.diff(cuts)
