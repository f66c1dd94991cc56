"""Weight sharing: k-means in one dimension turns weights into a codebook and small indices.

sharing says what the step does to weights, kmeans how they are clustered, optimum which clusters
are the best of all.
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
