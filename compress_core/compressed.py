"""compress(): a model and a recipe make a Compressed, runnable and as stored.

The one table FUNCTIONS maps a step type to what it does to the layers that it wins. Each layer
carries the key of all that was done to it; the original's memo answers the same key at once, so
that one moved slider recompresses only the layers it changed.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor, nn

from compress_core.methods import low_rank, pruning, quantization
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune, RandomPrune
from compress_core.methods.quantization import Quantize, Quantized
from compress_core.methods.step import ALL_LAYERS
from compress_core.original import Memo, Original
from compress_core.recipe import KINDS, AnyStep, Recipe, to_json, winning_steps
from compress_core.storage.container import encode
from compress_core.storage.streams import StoredWeight
from compress_core.weights import Layer, Profile, sqnr_db, with_weights


@dataclass(frozen=True, eq=False)
class StoredLayer:
    """A layer as it is stored: one weight, or the two of a factor pair (first applied first)."""

    layer: Layer
    key: tuple[Hashable, ...]
    weights: tuple[StoredWeight, ...]

    @property
    def rank(self) -> int | None:
        return self.weights[0].values.shape[0] if len(self.weights) == 2 else None

    @property
    def bits(self) -> int:
        """Nominal bits of a weight: 32 unless quantized."""
        quantized = self.weights[0].quantized
        return quantized.bits if quantized else 32

    @property
    def weight_keys(self) -> tuple[str, ...]:
        """The state-dict keys of the weights in the compressed model."""
        name, key = self.layer.name, self.layer.key
        return (key,) if self.rank is None else (f"{name}.0.weight", f"{name}.1.weight")

    @cached_property
    def dense(self) -> Tensor:
        """The weight (out, …) that the layer multiplies with, factors multiplied out."""
        values = [weight.values for weight in self.weights]
        return values[0] if len(values) == 1 else low_rank.join(values[0], values[1])

    @cached_property
    def sqnr_db(self) -> float | None:
        """Against the original weight, so that everything done to the layer counts as noise."""
        return sqnr_db(self.layer.weight, self.dense)


StoredLayers = dict[str, StoredLayer]


def factorize_layers(step: AnyStep, layers: StoredLayers, memo: Memo) -> StoredLayers:
    assert isinstance(step, Factorize)
    return {
        name: _factorized(stored, low_rank.plan_rank(step, stored.layer), memo)
        for name, stored in layers.items()
    }


def _factorized(stored: StoredLayer, rank: int, memo: Memo) -> StoredLayer:
    def make() -> StoredLayer:
        pair = low_rank.split(stored.layer.profile, rank)
        return replace(stored, key=key, weights=tuple(StoredWeight(Profile(part)) for part in pair))

    key = (*stored.key, ("factorize", rank))
    return memo.get(key, make)


def prune_layers(step: AnyStep, layers: StoredLayers, memo: Memo) -> StoredLayers:
    assert isinstance(step, Prune | RandomPrune)
    profiles = {name: [w.profile for w in stored.weights] for name, stored in layers.items()}
    counts = (
        pruning.plan_prune(step, profiles)
        if isinstance(step, Prune)
        else pruning.plan_random(step, profiles)
    )
    return {name: _pruned(layers[name], step, counts[name], memo) for name in layers}


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
        return replace(stored, key=key, weights=tuple(StoredWeight(Profile(v)) for v in pruned))

    seed = step.seed if isinstance(step, RandomPrune) else None
    key = (*stored.key, ("prune", counts, seed))
    return memo.get(key, make)


def quantize_layers(step: AnyStep, layers: StoredLayers, memo: Memo) -> StoredLayers:
    assert isinstance(step, Quantize)
    return {name: _quantized(stored, step, memo) for name, stored in layers.items()}


def _quantized(stored: StoredLayer, step: Quantize, memo: Memo) -> StoredLayer:
    def make() -> StoredLayer:
        codes = (quantization.quantize(w.values, step) for w in stored.weights)
        return replace(stored, key=key, weights=tuple(_from_codes(q) for q in codes))

    key = (*stored.key, replace(step, layers=ALL_LAYERS))
    return memo.get(key, make)


def _from_codes(quantized: Quantized) -> StoredWeight:
    return StoredWeight(Profile(quantized.dequantize()), quantized)


FUNCTIONS: dict[type[AnyStep], Callable[[AnyStep, StoredLayers, Memo], StoredLayers]] = {
    Factorize: factorize_layers,
    Prune: prune_layers,
    RandomPrune: prune_layers,
    Quantize: quantize_layers,
}


@dataclass(frozen=True, eq=False)
class Compressed:
    """A compressed model: `layers` as stored, `module` to run, `container` the file's bytes.

    The module's weights are bit for bit those that the container decodes to.
    """

    original: Original
    recipe: Recipe
    layers: StoredLayers

    @cached_property
    def module(self) -> nn.Module:
        """The runnable model, in evaluation mode; parameters that no step changed are shared."""
        module = with_weights(self.original.module, {})
        weights: dict[str, Tensor] = {}
        for name, stored in self.layers.items():
            if stored.rank is not None:
                pair = low_rank.factor_pair(module.get_submodule(name), stored.rank)
                owner, _, attribute = name.rpartition(".")
                setattr(module.get_submodule(owner), attribute, pair)
            keys = stored.layer.tied_keys if stored.rank is None else stored.weight_keys
            values = [weight.values for weight in stored.weights]
            weights |= dict(zip(keys, values * (len(keys) // len(values)), strict=True))
        return with_weights(module, weights)

    @cached_property
    def rest(self) -> dict[str, Tensor]:
        """The tensors that no method compresses (biases, norms, positions), by state-dict key."""
        layers = self.layers.values()
        skipped = {key for stored in layers for key in stored.weight_keys}
        skipped |= {twin for twins in self.tied.values() for twin in twins}
        state = self.module.state_dict()
        # cloned: buffers may be views of each other, and a file holds no shared memory
        return {key: tensor.clone() for key, tensor in state.items() if key not in skipped}

    @cached_property
    def tied(self) -> dict[str, tuple[str, ...]]:
        """The further state-dict keys of tensors that have several, by the first of them."""
        keys: dict[int, list[str]] = {}
        for key, tensor in self.module.state_dict(keep_vars=True).items():
            keys.setdefault(id(tensor), []).append(key)
        return {first: tuple(twins) for first, *twins in keys.values() if twins}

    @cached_property
    def container(self) -> bytes:
        """The stored form: the exact bytes of the file that holds this model."""
        weights: dict[str, StoredWeight] = {}
        for stored in self.layers.values():
            weights |= dict(zip(stored.weight_keys, stored.weights, strict=True))
        recipe = to_json(self.recipe)
        return encode(weights, self.rest, tied=self.tied, model=self.original.name, recipe=recipe)

    @property
    def stored_bytes(self) -> int:
        """Size of the file, header included."""
        return len(self.container)


def compress(original: Original, recipe: Recipe) -> Compressed:
    """Apply a recipe to a model; the model is untouched.

    Raises ValueError where a step does not fit the model (value, rule and remedy in the text).
    """
    layers = {name: _untouched(layer, original.memo) for name, layer in original.layers.items()}
    for kind in KINDS:
        winners = winning_steps(recipe, kind, layers)
        for step in dict.fromkeys(winners.values()):
            named = {name: stored for name, stored in layers.items() if winners.get(name) == step}
            layers |= FUNCTIONS[type(step)](step, named, original.memo)
    return Compressed(original, recipe, layers)


def _untouched(layer: Layer, memo: Memo) -> StoredLayer:
    key = (layer.name,)
    return memo.get(key, lambda: StoredLayer(layer, key, (StoredWeight(layer.profile),)))
