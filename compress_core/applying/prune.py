"""Prune: some weights of a layer, or of its factors, become zero."""

from collections.abc import Callable, Hashable, Sequence
from functools import partial

from torch import Tensor

from compress_core.methods import pruning
from compress_core.methods.pruning import Prune, PruneNM, PruneTaylor, PruneWanda, RandomPrune
from compress_core.original import Memo, Original
from compress_core.recipe import AnyStep
from compress_core.storage.streams import StoredWeight
from compress_core.stored import StoredLayer, StoredLayers
from compress_core.weights import Profile

Cut = Callable[[], Sequence[Tensor]]  # a layer's weights, pruned


def prune_by_magnitude(step: AnyStep, layers: StoredLayers, base: Original) -> StoredLayers:
    assert isinstance(step, Prune)
    counts = pruning.plan_prune(step, _profiles(layers))
    return {
        name: _pruned(stored, counts[name], partial(_smallest, stored, counts[name]), base.memo)
        for name, stored in layers.items()
    }


def _smallest(stored: StoredLayer, counts: tuple[int, ...]) -> list[Tensor]:
    pairs = zip(stored.weights, counts, strict=True)
    return [pruning.prune_smallest(weight.profile, count) for weight, count in pairs]


def prune_at_random(step: AnyStep, layers: StoredLayers, base: Original) -> StoredLayers:
    assert isinstance(step, RandomPrune)
    counts = pruning.plan_random(step, _profiles(layers))
    return {
        name: _pruned(
            stored,
            (step.seed, counts[name]),
            partial(_drawn, stored, counts[name], step.seed),
            base.memo,
        )
        for name, stored in layers.items()
    }


def _drawn(stored: StoredLayer, counts: tuple[int, ...], seed: int) -> list[Tensor]:
    triples = zip(stored.weights, counts, stored.weight_keys, strict=True)
    return [
        pruning.prune_random(weight.profile, count, pruning.seed_for(seed, key))
        for weight, count, key in triples
    ]


def prune_in_groups(step: AnyStep, layers: StoredLayers, base: Original) -> StoredLayers:
    """N:M in each stored weight; of factors each has rows of its own."""
    assert isinstance(step, PruneNM)
    pattern = (step.n, step.m)
    return {
        name: _pruned(stored, ("n:m", pattern), partial(_patterned, stored, pattern), base.memo)
        for name, stored in layers.items()
    }


def _patterned(stored: StoredLayer, pattern: tuple[int, int]) -> list[Tensor]:
    return [pruning.prune_nm(weight.values, *pattern) for weight in stored.weights]


def prune_by_score(step: AnyStep, layers: StoredLayers, base: Original) -> StoredLayers:
    """The lowest scores of the layers' own weights; a layer in factors has none."""
    assert isinstance(step, PruneTaylor | PruneWanda)
    for name, stored in layers.items():
        pruning.check_not_factorized(step, name, stored.rank)
    scores = {name: [scores_of(step, name, base)] for name in layers}
    counts = pruning.plan_sparsity(step.sparsity, step.scope, scores)

    def cut(name: str) -> list[Tensor]:
        (weight,), (count,), (ranked,) = layers[name].weights, counts[name], scores[name]
        return [pruning.prune_lowest(weight.values, ranked, count, step.scope)]

    measured = (type(step), step.samples, step.seed, step.scope)
    return {
        name: _pruned(stored, (measured, counts[name]), partial(cut, name), base.memo)
        for name, stored in layers.items()
    }


def scores_of(step: PruneTaylor | PruneWanda, name: str, base: Original) -> Profile:
    """The scores of the weight of a layer of `base`, in its shape; measured once.

    Raises ValueError where the layer, or the model's data, cannot be seen.
    """

    def make() -> Profile:
        weight, calibration = base.layers[name].weight, base.calibrate(step.samples, step.seed)
        if isinstance(step, PruneTaylor):
            return Profile(pruning.taylor_scores(weight, calibration.gradients(name)))
        norms = pruning.input_norms(calibration.mean_squares(name))
        return Profile(pruning.wanda_scores(weight, norms))

    return base.memo.get((type(step), step.samples, step.seed, name), make)


def _profiles(layers: StoredLayers) -> dict[str, list[Profile]]:
    return {name: [weight.profile for weight in s.weights] for name, s in layers.items()}


def _pruned(stored: StoredLayer, how: Hashable, cut: Cut, memo: Memo) -> StoredLayer:
    """The layer with the weights that `cut` makes, now or when the same was asked for before."""

    def make() -> StoredLayer:
        return stored.with_weights(done, tuple(StoredWeight(Profile(values)) for values in cut()))

    done = ("prune", how)
    return memo.get((*stored.key, done), make)
