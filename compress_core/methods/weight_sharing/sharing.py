"""The step, the codes, and how one codebook serves one weight or several."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress_core.methods.step import (
    ALL_LAYERS,
    check_choice,
    check_layers,
    check_seed,
    check_whole,
)
from compress_core.methods.weight_sharing.kmeans import INITS, Init, cluster, means
from compress_core.weights import FloatArray, energy

Scope = Literal["layer", "all"]

MAX_CLUSTERS = 4096


@dataclass(frozen=True)
class ShareWeights:
    """k-means weight sharing: a weight is the nearest of the `clusters` values of a codebook.

    init: where the centroids start: "optimal" (at the least squared error, by dynamic programming;
      its time grows with `clusters`, see `optimal_centroids`), "linear" (equally spaced, what Deep
      Compression found best after retraining), "density" (quantiles) or "random" (weights drawn by
      `seed`). keep_zeros: pruned weights stay zero, by an entry of the codebook for zeros alone.
      scope: a codebook for each "layer", or one for "all" the layers that the step names.
    Raises ValueError for other values. Source: Han et al. 2015, 1510.00149, section 3.
    """

    kind: ClassVar[str] = "share"

    clusters: int = 16
    init: Init = "optimal"
    keep_zeros: bool = True
    scope: Scope = "layer"
    seed: int = 0
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_whole(
            "clusters", self.clusters, low=2, high=MAX_CLUSTERS + 1, remedy="16 make 4-bit indices"
        )
        check_choice("init", self.init, INITS)
        check_choice("keep_zeros", self.keep_zeros, (True, False))
        check_choice("scope", self.scope, ("layer", "all"))
        check_seed(self.seed)
        check_layers(self.layers)


@dataclass(frozen=True, eq=False)
class Shared:
    """A codebook (k,) float32, strictly ascending, and the `indices` into it, int32, in the shape
    of the weight. Weights that share a codebook hold the same tensor.
    """

    codebook: Tensor
    indices: Tensor

    @property
    def bits(self) -> int:
        """Nominal bits of an index: ⌈log₂ k⌉; none where all weights are equal."""
        return (self.codebook.numel() - 1).bit_length()

    def dequantize(self) -> Tensor:
        """codebook[indices], float32, in the shape of the weight."""
        return self.codebook[self.indices]


def share(weight: Tensor, step: ShareWeights) -> Shared:
    """A codebook for this weight (any shape). The input is untouched."""
    return share_across([weight], step)[0]


def share_across(weights: Sequence[Tensor], step: ShareWeights) -> list[Shared]:
    """One codebook for several weights, of one model or of many, in their order.

    Its entries are the means of the weights they stand for (float64, then float32); where there
    are at most `step.clusters` distinct weights, those themselves. The entry for zero counts as
    one of the clusters; other weights use it only if the mean of their cluster is exactly zero.
    Raises ValueError where there is no weight.
    """
    if not weights:
        raise ValueError("weights=[]: a codebook needs at least one weight tensor to be made for")
    flat = np.concatenate([weight.detach().numpy().ravel() for weight in weights])
    codebook, indices = _share_flat(flat, step)
    parts = torch.from_numpy(indices).split([weight.numel() for weight in weights])
    shared = torch.from_numpy(codebook)
    return [
        Shared(shared, part.view(weight.shape)) for part, weight in zip(parts, weights, strict=True)
    ]


def _share_flat(flat: FloatArray, step: ShareWeights) -> tuple[FloatArray, NDArray[np.int32]]:
    """The codebook (k,) and the indices (n,) of weights (n,)."""
    zero = flat == 0
    own_zero = step.keep_zeros and bool(zero.any()) and not zero.all()
    ordered = np.sort(flat[~zero] if own_zero else flat).astype(np.float64)
    cuts = cluster(ordered, step.clusters - own_zero, step.init, step.seed)
    centroids = means(ordered, cuts).astype(np.float32) + np.float32(0)  # no -0.0
    codebook = np.union1d(centroids, np.zeros(1, np.float32)) if own_zero else centroids
    # assigned by the smallest weight of each cluster: exactly as cut, whatever the rounding
    firsts = torch.from_numpy(ordered[cuts[1:-1]]).float()
    found = torch.bucketize(torch.from_numpy(flat), firsts, right=True).numpy()
    indices = codebook.searchsorted(centroids).astype(np.int32)[found]
    if own_zero:
        indices[zero] = codebook.searchsorted(0)
    return codebook, indices


def codebook_usage(shared: Shared) -> NDArray[np.int64]:
    """How many weights use each entry of the codebook, (k,)."""
    return np.bincount(shared.indices.numpy().ravel(), minlength=shared.codebook.numel())


def sse(weight: Tensor, shared: Shared) -> float:
    """Σ (w - w')², summed in float64."""
    return energy(weight.double() - shared.dequantize().double())
