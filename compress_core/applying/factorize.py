"""Factorize: a layer's weight becomes the factors that run in its place."""

from functools import partial

from torch import Tensor

from compress_core.methods import low_rank
from compress_core.methods.low_rank import Decomposition, Factorize, Ranks
from compress_core.original import Original
from compress_core.recipe import AnyStep
from compress_core.stored import StoredLayer, StoredLayers


def factorize_layers(step: AnyStep, layers: StoredLayers, base: Original) -> StoredLayers:
    """A layer that a budget leaves whole stays as it is."""
    assert isinstance(step, Factorize)
    decompositions = {name: _decomposition(step, name, base) for name in layers}
    ranks = low_rank.plan_ranks(step, decompositions)
    return {
        name: _factorized(stored, step, decompositions[name], ranks[name], base)
        for name, stored in layers.items()
    }


def _decomposition(step: Factorize, name: str, base: Original) -> Decomposition:
    """What answers any rank, kept for as long as the memo has room."""

    def gram() -> Tensor:
        return base.calibrate(step.samples).moments(name).gram

    low_rank.check_factors(name, base.factor_refusal(name))
    samples = step.samples if step.whiten else None
    make = partial(low_rank.decompose, base.layers[name], step.form, gram if step.whiten else None)
    return base.memo.get(("decomposition", name, step.form, samples), make)


def _factorized(
    stored: StoredLayer,
    step: Factorize,
    decomposition: Decomposition,
    ranks: Ranks | None,
    base: Original,
) -> StoredLayer:
    if ranks is None:
        return stored

    def make() -> StoredLayer:
        return stored.with_factors(done, step.form, decomposition.split(ranks))

    done = ("factorize", step.form, ranks, step.samples if step.whiten else None)
    return base.memo.get((*stored.key, done), make)
