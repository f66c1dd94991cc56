"""Share: a layer's weights, or its factors', become indices into a codebook."""

from dataclasses import replace

from compress_core.methods import weight_sharing
from compress_core.methods.step import ALL_LAYERS
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.original import Memo, Original
from compress_core.recipe import AnyStep
from compress_core.storage.streams import weight_of
from compress_core.stored import StoredLayer, StoredLayers


def share_layers(step: AnyStep, layers: StoredLayers, base: Original) -> StoredLayers:
    assert isinstance(step, ShareWeights)
    if step.scope == "all":
        return _shared_by_all(step, layers, base.memo)
    return {name: _shared(stored, step, base.memo) for name, stored in layers.items()}


def _shared(stored: StoredLayer, step: ShareWeights, memo: Memo) -> StoredLayer:
    def make() -> StoredLayer:
        codes = (weight_sharing.share(weight.values, step) for weight in stored.weights)
        return stored.with_weights(done, tuple(weight_of(shared) for shared in codes))

    done = replace(step, layers=ALL_LAYERS)
    return memo.get((*stored.key, done), make)


def _shared_by_all(step: ShareWeights, layers: StoredLayers, memo: Memo) -> StoredLayers:
    def make() -> StoredLayers:
        values = [weight.values for stored in layers.values() for weight in stored.weights]
        codes = iter(weight_sharing.share_across(values, step))
        return {
            name: stored.with_weights(done, tuple(weight_of(next(codes)) for _ in stored.weights))
            for name, stored in layers.items()
        }

    # a codebook is made of all these layers, and is another one when one of them changes
    done = (replace(step, layers=ALL_LAYERS), tuple(stored.key for stored in layers.values()))
    return memo.get(("share", done), make)
