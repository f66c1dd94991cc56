"""Prune: some weights of a layer, or of its factors, become zero."""

from torch import Tensor

from compress_core.methods import pruning
from compress_core.methods.pruning import Prune, RandomPrune
from compress_core.original import Memo, Original
from compress_core.recipe import AnyStep
from compress_core.storage.streams import StoredWeight
from compress_core.stored import StoredLayer, StoredLayers
from compress_core.weights import Profile


def prune_layers(step: AnyStep, layers: StoredLayers, base: Original) -> StoredLayers:
    assert isinstance(step, Prune | RandomPrune)
    profiles = {name: [w.profile for w in stored.weights] for name, stored in layers.items()}
    counts = (
        pruning.plan_prune(step, profiles)
        if isinstance(step, Prune)
        else pruning.plan_random(step, profiles)
    )
    return {name: _pruned(layers[name], step, counts[name], base.memo) for name in layers}


def _pruned(
    stored: StoredLayer, step: Prune | RandomPrune, counts: tuple[int, ...], memo: Memo
) -> StoredLayer:
    def values(profile: Profile, count: int, weight_key: str) -> Tensor:
        if isinstance(step, RandomPrune):
            return pruning.prune_random(profile, count, pruning.seed_for(step.seed, weight_key))
        return pruning.prune_smallest(profile, count)

    def make() -> StoredLayer:
        parts = zip(stored.weights, counts, stored.weight_keys, strict=True)
        pruned = (values(weight.profile, count, name) for weight, count, name in parts)
        return stored.with_weights(done, tuple(StoredWeight(Profile(v)) for v in pruned))

    seed = step.seed if isinstance(step, RandomPrune) else None
    done = ("prune", counts, seed)
    return memo.get((*stored.key, done), make)
