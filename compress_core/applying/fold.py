"""Fold: batch norms become part of the layers before them."""

from compress_core.methods.folding import FoldBatchNorm, fold_batch_norm
from compress_core.original import Original
from compress_core.recipe import AnyStep


def fold_norms(step: AnyStep, names: tuple[str, ...], base: Original) -> Original:
    assert isinstance(step, FoldBatchNorm)
    return base.with_module(fold_batch_norm(step, base.pristine, base.example, layers=names))
