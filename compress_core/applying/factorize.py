"""Factorize: a layer's weight becomes the factors that run in its place."""

from compress_core.methods import low_rank
from compress_core.methods.low_rank import Factorize
from compress_core.original import Memo, Original
from compress_core.recipe import AnyStep
from compress_core.stored import StoredLayer, StoredLayers


def factorize_layers(step: AnyStep, layers: StoredLayers, base: Original) -> StoredLayers:
    assert isinstance(step, Factorize)
    return {
        name: _factorized(stored, low_rank.plan_rank(step, stored.layer), base.memo)
        for name, stored in layers.items()
    }


def _factorized(stored: StoredLayer, rank: int, memo: Memo) -> StoredLayer:
    def make() -> StoredLayer:
        return stored.with_factors(done, "channel", low_rank.split(stored.layer.profile, rank))

    done = ("factorize", rank)
    return memo.get((*stored.key, done), make)
