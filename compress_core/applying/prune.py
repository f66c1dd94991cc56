"""Prune: some weights of a layer, or of its factors, become zero."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import Field, dataclass, replace
from functools import partial
from typing import Any, ClassVar, Protocol, TypeGuard

from torch import Tensor

from compress_core.methods import pruning
from compress_core.methods.pruning import (
    Prune,
    PruneNM,
    PruneTaylor,
    PruneWanda,
    RandomPrune,
    ScoreScope,
)
from compress_core.methods.step import ALL_LAYERS
from compress_core.network import Names, Network
from compress_core.original import Original
from compress_core.storage.streams import StoredWeight
from compress_core.stored import StoredLayer
from compress_core.weights import Profile

Pruned = Callable[[StoredLayer], Sequence[Tensor]]  # the weights of a layer, some of them zero


class ScoreStep(Protocol):
    """A step that prunes the weights with the lowest scores: its type has a row in SCORES."""

    kind: ClassVar[str]
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def sparsity(self) -> float: ...

    @property
    def scope(self) -> ScoreScope: ...

    @property
    def layers(self) -> tuple[str, ...]: ...


def prune_by_magnitude(step: Prune, names: Names, network: Network) -> Network:
    counts = pruning.plan_prune(step, _profiles(names, network))
    return _with_zeros(
        network, {name: (counts[name], partial(_smallest, counts[name])) for name in names}
    )


def refuse_sigmas(step: Prune, name: str, network: Network) -> str | None:
    reasons = (pruning.sigma_refusal(step, w.profile) for w in network.layers[name].weights)
    return next(filter(None, reasons), None)


def _smallest(counts: tuple[int, ...], stored: StoredLayer) -> list[Tensor]:
    pairs = zip(stored.weights, counts, strict=True)
    return [pruning.prune_smallest(weight.profile, count) for weight, count in pairs]


def prune_at_random(step: RandomPrune, names: Names, network: Network) -> Network:
    counts = pruning.plan_random(step, _profiles(names, network))
    return _with_zeros(
        network,
        {n: ((step.seed, counts[n]), partial(_drawn, counts[n], step.seed)) for n in names},
    )


def _drawn(counts: tuple[int, ...], seed: int, stored: StoredLayer) -> list[Tensor]:
    triples = zip(stored.weights, counts, stored.weight_keys, strict=True)
    return [
        pruning.prune_random(weight.profile, count, pruning.seed_for(seed, key))
        for weight, count, key in triples
    ]


def prune_in_groups(step: PruneNM, names: Names, network: Network) -> Network:
    """N:M in each stored weight; each factor has rows of its own."""
    pattern = (step.n, step.m)
    return _with_zeros(
        network, dict.fromkeys(names, (("n:m", pattern), partial(_patterned, pattern)))
    )


def _patterned(pattern: tuple[int, int], stored: StoredLayer) -> list[Tensor]:
    return [pruning.prune_nm(weight.values, *pattern) for weight in stored.weights]


def prune_by_score(step: ScoreStep, names: Names, network: Network) -> Network:
    """Prune the weights with the lowest scores; a layer in factors has no scores."""
    scores = {name: [scores_of(step, name, network.base)] for name in names}
    counts = pruning.plan_sparsity(step.sparsity, step.scope, scores)
    measured = (_measured(step), step.scope)

    def lowest(name: str, stored: StoredLayer) -> list[Tensor]:
        (weight,), (count,), (ranked,) = stored.weights, counts[name], scores[name]
        return [pruning.prune_lowest(weight.values, ranked, count, step.scope)]

    return _with_zeros(
        network, {name: ((measured, counts[name]), partial(lowest, name)) for name in names}
    )


def refuse_scores(step: ScoreStep, name: str, network: Network) -> str | None:
    """Refuse a layer in factors: scores are measured for the weight of the original network."""
    rank = network.layers[name].rank
    if rank is not None:
        return (
            f"is factorized to rank {rank}, and its factors have no scores: leave it out of one of "
            "the two steps, or prune its factors by magnitude"
        )
    return SCORES[type(step)].refusal(step, name, network.base)


def scores_of(step: ScoreStep, name: str, base: Original) -> Profile:
    """The scores of the weight of a layer of `base`, in its shape; measured once.

    Raises ValueError if the layer cannot be observed, or the model has no training data.
    """
    measure = SCORES[type(step)].measure
    return base.memo.get((_measured(step), name), lambda: Profile(measure(step, name, base)))


def _measured(step: ScoreStep) -> ScoreStep:
    """The settings that the scores depend on; share, scope and layers are not among them."""
    return replace(step, sparsity=0.0, scope="layer", layers=ALL_LAYERS)


def _effect_on_loss(step: PruneTaylor, name: str, base: Original) -> Tensor:
    gradient = base.calibrate(step.samples, step.seed).gradients(name)
    return pruning.taylor_scores(base.layers[name].weight, gradient)


def _no_gradients(step: PruneTaylor, name: str, base: Original) -> str | None:
    unseen = base.calibrate(step.samples, step.seed).unseen_gradients(name)
    return unseen and f"has no gradients to calibrate on: {unseen}"


def _weight_times_input(step: PruneWanda, name: str, base: Original) -> Tensor:
    mean_squares = base.calibrate(step.samples, step.seed).mean_squares(name)
    return pruning.wanda_scores(base.layers[name].weight, pruning.input_norms(mean_squares))


def _no_inputs(step: PruneWanda, name: str, base: Original) -> str | None:
    unseen = base.calibrate(step.samples, step.seed).unseen_inputs(name)
    return unseen and f"has no inputs to calibrate on: {unseen}"


def _none(_step: Any, _name: str, _base: Original) -> None:
    return None


@dataclass(frozen=True)
class Scoring:
    """How a step scores the weight of a layer of a network.

    measure: the scores, of the weight's shape. refusal: why the layer has none, or None.
    """

    measure: Callable[[Any, str, Original], Tensor]
    refusal: Callable[[Any, str, Original], str | None] = _none


SCORES: dict[type[Any], Scoring] = {
    PruneTaylor: Scoring(_effect_on_loss, _no_gradients),
    PruneWanda: Scoring(_weight_times_input, _no_inputs),
}


def is_scored(step: object) -> TypeGuard[ScoreStep]:
    """Whether a step prunes by scores."""
    return type(step) in SCORES


def _profiles(names: Names, network: Network) -> dict[str, list[Profile]]:
    return {name: [weight.profile for weight in network.layers[name].weights] for name in names}


def _with_zeros(network: Network, plan: Mapping[str, tuple[Hashable, Pruned]]) -> Network:
    """Prune each layer of the plan by its function; `how` becomes part of the layer's key."""
    for name, (how, prune) in plan.items():
        done = ("prune", how)
        network = network.with_layer(name, done, partial(_pruned, done, prune))
    return network


def _pruned(done: Hashable, prune: Pruned, stored: StoredLayer) -> StoredLayer:
    pruned = prune(stored)
    weights = tuple(StoredWeight(Profile(values)) for values in pruned)
    kept = tuple(values != 0 for values in pruned)
    return replace(stored.with_weights(done, weights), kept=kept)
