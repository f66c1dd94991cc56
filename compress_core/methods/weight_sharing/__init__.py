"""Weight sharing: k-means in one dimension turns weights into a codebook and small indices.

sharing: the step and its codes. kmeans: how weights are clustered. optimum: the best clusters.
"""

from compress_core.methods.weight_sharing.kmeans import INITS, Init
from compress_core.methods.weight_sharing.sharing import (
    MAX_CLUSTERS,
    Shared,
    ShareWeights,
    codebook_usage,
    share,
    share_across,
    sse,
)

__all__ = [
    "INITS",
    "MAX_CLUSTERS",
    "Init",
    "ShareWeights",
    "Shared",
    "codebook_usage",
    "share",
    "share_across",
    "sse",
]
