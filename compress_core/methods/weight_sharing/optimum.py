"""The best clusters of all: k-means in one dimension is solved exactly by dynamic programming.

The clusters of an optimum are intervals, so that k - 1 cuts between the sorted weights say all.
With at most BINS distinct weights the result is exact; beyond that, cuts lie between the bins of
a histogram, whose bins know the exact sum of their weights.
Source: Wu 1991, "Optimal quantization by matrix searching"; Wang & Song 2011, "Ckmeans.1d.dp";
divide and conquer as in Grønlund et al. 2017, 1701.07204, section 2.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Cuts = NDArray[np.int64]  # 0 … n: cluster c holds the sorted weights cuts[c]:cuts[c + 1]

BINS = 4096


def first_of_equals(ordered: Floats) -> Cuts:
    """Where each distinct weight begins, (distinct,); `ordered` is ascending, (n,)."""
    return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))


def bin_edges(ordered: Floats, bins: int = BINS) -> Cuts:
    """Cuts of the sorted weights into at most `bins` bins: one for each distinct weight if those
    are so few; else as dense as the cube root of the weights' own density.

    That is how the values of the best codebook lie (Panter & Dite 1951). Equally wide bins would
    put nearly all weights into one where a single weight lies far out. Between neighbours at
    distance d the integral of the cube root is proportional to d^(2/3).
    """
    starts = first_of_equals(ordered)
    if starts.size > bins:
        length = np.cbrt(np.square(np.diff(ordered)))
        for _ in range(3):  # no gap needs more than one cut: leave the others to the rest
            length = np.minimum(length, length.sum() / bins)
        position = np.concatenate([[0.0], np.cumsum(length)])
        starts = np.unique(position.searchsorted(position[-1] * np.arange(bins) / bins))
    return np.append(starts, ordered.size)


def optimal_cuts(ordered: Floats, clusters: int) -> Cuts:
    """The cuts of least Σ(w - mean of its cluster)² of all that lie between bins, (k + 1,).

    Least squared error is largest Σ (Σw)² / count over the clusters. best[j], the largest for the
    first j bins, grows by one cluster at a time: max over i < j of best[i] + gain(i, j). As the
    best i never falls while j grows, each takes O(n log n). There are fewer clusters than asked
    for where there are fewer bins.
    """
    edges = bin_edges(ordered)
    bins = edges.size - 1
    clusters = min(clusters, bins)
    counts = edges.astype(np.float64)
    sums = np.concatenate([[0.0], np.cumsum(ordered - ordered.mean())])[edges]
    best = np.concatenate([[0.0], np.square(sums[1:]) / counts[1:]])
    last_cuts = []
    for cluster in range(1, clusters):
        best, last = _add_cluster(best, sums, counts, cluster)
        last_cuts.append(last)
    cuts = [bins]
    for last in reversed(last_cuts):
        cuts.append(last[cuts[-1]])
    return edges[[0, *reversed(cuts)]]


def _add_cluster(
    best: Floats, sums: Floats, counts: Floats, cluster: int
) -> tuple[Floats, NDArray[np.int32]]:
    """best with one cluster more, and for each j where that one begins; both (bins + 1,).

    First the j in the middle, then those in the middle of both halves, and so on: all j of one
    stride at once, each searched between the results of its neighbours.
    """
    bins = best.size - 1
    grown = np.zeros_like(best)
    last = np.full(bins + 1, cluster, np.int32)
    stride = 1 << bins.bit_length()
    while stride > 1:
        half = stride // 2
        j = np.arange(half, bins + 1, stride)
        j = j[j > cluster]  # j bins hold at most j clusters
        if j.size:
            low = np.maximum(last[j - half], cluster)
            above = j + half
            high = np.minimum(np.where(above > bins, bins, last[np.minimum(above, bins)]), j - 1)
            grown[j], last[j] = _best_starts(best, sums, counts, (j, low, high))
        stride = half
    return grown, last


def _best_starts(
    best: Floats, sums: Floats, counts: Floats, search: tuple[Cuts, Cuts, Cuts]
) -> tuple[Floats, Cuts]:
    """For each j the largest best[i] + gain(i, j) over low <= i <= high, and the first such i."""
    j, low, high = search
    lengths = high - low + 1
    offsets = np.cumsum(lengths) - lengths
    i = np.arange(lengths.sum()) + np.repeat(low - offsets, lengths)
    difference = np.repeat(sums[j], lengths) - sums[i]
    value = best[i] + difference * difference / (np.repeat(counts[j], lengths) - counts[i])
    largest = np.maximum.reduceat(value, offsets)
    hits = np.flatnonzero(value == np.repeat(largest, lengths))
    first = hits[hits.searchsorted(offsets)]
    return largest, i[first]
