"""Fold: batch norms become part of the layers before them."""

from collections.abc import Mapping

from compress_core.methods import folding
from compress_core.methods.folding import FoldBatchNorm, Norms
from compress_core.network import Names, Network
from compress_core.original import Original

RUNS_ELSEWHERE = "whose output it takes is found by running the network, which is not done here"


def fold_norms(step: FoldBatchNorm, names: Names, network: Network) -> Network:
    base = network.base
    norms = norms_of(base)
    return network.with_base(
        ("fold", names),
        lambda: folding.fold_batch_norm(
            step, base.pristine, base.examples, layers=names, norms=norms
        ),
    )


def refuse_fold(_step: FoldBatchNorm, name: str, network: Network) -> str | None:
    reason = folding.unfoldable(name, network.base.module, norms_of(network.base))
    return reason and f"has no batch norm to fold: {reason}"


def norms_behind(base: Original) -> Mapping[str, str]:
    """The batch norm that can be folded into each layer, by name."""
    return norms_of(base).pairs


def norms_of(base: Original) -> Norms:
    """The norms of a network that can be folded, and why the others cannot; found once."""
    if base.elsewhere:
        return Norms({}, dict.fromkeys(base.layers, RUNS_ELSEWHERE))
    return base.memo.get("norms", lambda: folding.find_norms(base.module, base.examples))
