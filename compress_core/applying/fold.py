"""Fold: batch norms become part of the layers before them."""

from collections.abc import Mapping

from compress_core.methods.folding import FoldBatchNorm, fold_batch_norm, foldable
from compress_core.network import Names, Network
from compress_core.original import Original


def fold_norms(step: FoldBatchNorm, names: Names, network: Network) -> Network:
    base = network.base
    return network.with_base(
        ("fold", names), lambda: fold_batch_norm(step, base.module, base.example, layers=names)
    )


def refuse_fold(_step: FoldBatchNorm, name: str, network: Network) -> str | None:
    if name in norms_behind(network.base):
        return None
    return "has no batch norm to fold: none directly follows it as the only reader of its output"


def norms_behind(base: Original) -> Mapping[str, str]:
    """The batch norm that can be folded into each layer, by name; found once."""
    return base.memo.get("norms behind", lambda: foldable(base.module, base.example))
