"""Factorize: a layer's weight becomes the factors that run in its place."""

from collections.abc import Hashable
from functools import partial

from torch import Tensor

from compress_core.methods import low_rank
from compress_core.methods.low_rank import Decomposition, Factorize, Ranks
from compress_core.network import Names, Network
from compress_core.original import Original
from compress_core.stored import StoredLayer


def factorize_layers(step: Factorize, names: Names, network: Network) -> Network:
    """A layer whose factors would not be smaller stays as it is, unless the step gives a rank."""
    base = network.base
    decompositions = {name: _decomposition(step, name, base) for name in names}
    for name, ranks in low_rank.plan_ranks(step, decompositions).items():
        if ranks is not None:
            done = ("factorize", step.form, ranks, step.samples if step.whiten else None)
            make = partial(_factorized, done, decompositions[name], ranks)
            network = network.with_layer(name, done, make)
    return network


def refuse_factors(step: Factorize, name: str, network: Network) -> str | None:
    base = network.base
    reason = low_rank.factor_refusal(step, base.layers[name])
    if reason is None and base.read_besides(name):
        reason = f"cannot run as factors: {base.read_besides(name)}"
    if reason is None and step.whiten:
        unseen = base.calibrate(step.samples).unseen_inputs(name)
        reason = unseen and f"has no inputs to calibrate on: {unseen}"
    return reason


def _decomposition(step: Factorize, name: str, base: Original) -> Decomposition:
    """The layer's decomposition, which gives factors of any rank; kept while the memo has room."""

    def gram() -> Tensor:
        return base.calibrate(step.samples).moments(name).gram

    samples = step.samples if step.whiten else None
    make = partial(low_rank.decompose, base.layers[name], step.form, gram if step.whiten else None)
    return base.memo.get(("decomposition", name, step.form, samples), make)


def _factorized(
    done: Hashable, decomposition: Decomposition, ranks: Ranks, stored: StoredLayer
) -> StoredLayer:
    return stored.with_factors(done, decomposition.form, decomposition.split(ranks))
