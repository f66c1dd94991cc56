"""Batch norm folding: in evaluation it is a scale and a shift that the layer before can take over.

network → find_norms() → Norms: which norm each layer can take, and why others cannot
network + Norms + step → fold_batch_norm() → the same network with fewer norms
"""

from compress_core.methods.folding.fusing import fold_pairs
from compress_core.methods.folding.norms import Norms, find_norms, foldable, unfoldable
from compress_core.methods.folding.step import FoldBatchNorm, fold_batch_norm

__all__ = [
    "FoldBatchNorm",
    "Norms",
    "find_norms",
    "fold_batch_norm",
    "fold_pairs",
    "foldable",
    "unfoldable",
]
