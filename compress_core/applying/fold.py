"""Fold: batch norms become part of the layers before them."""

from compress_core.methods import folding
from compress_core.methods.folding import FoldBatchNorm, Norms
from compress_core.original import Original
from compress_core.recipe import AnyStep


def fold_norms(step: AnyStep, names: tuple[str, ...], base: Original) -> Original:
    assert isinstance(step, FoldBatchNorm)
    norms = norms_of(base)
    folded = folding.fold_batch_norm(step, base.module, base.example, layers=names, norms=norms)
    return base.with_module(folded)


def norms_of(base: Original) -> Norms:
    """The norms of a network that can be folded, and why the others cannot; found once."""
    return base.memo.get("norms", lambda: folding.find_norms(base.module, base.example))


def why_not_folded(name: str, base: Original) -> str | None:
    """Why no batch norm can be folded into the layer, in words; None if one can."""
    return folding.unfoldable(name, base.module, norms_of(base))
