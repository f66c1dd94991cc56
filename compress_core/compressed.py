"""compress(): a model and a recipe make a Compressed, runnable and as stored.

Two tables map a step type to what it does: BASES, to the whole network, FUNCTIONS, to the layers
that it wins. Each layer carries the key of all that was done to it; its base's memo answers the
same key at once, so that one moved slider recompresses only the layers it changed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from torch import Tensor, nn

from compress_core.applying.activations import quantize_inputs
from compress_core.applying.correct import correct_biases
from compress_core.applying.factorize import factorize_layers
from compress_core.applying.fold import fold_norms
from compress_core.applying.prune import (
    prune_at_random,
    prune_by_magnitude,
    prune_by_score,
    prune_in_groups,
)
from compress_core.applying.quantize import quantize_layers, quantize_with_feedback
from compress_core.applying.share import share_layers
from compress_core.applying.structured import remove_channels
from compress_core.entering.copying import copy_network
from compress_core.entering.tensors import in_own_type, named_tensors
from compress_core.methods.folding import FoldBatchNorm
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune, PruneNM, PruneTaylor, PruneWanda, RandomPrune
from compress_core.methods.quantization import (
    Binarize,
    CorrectBias,
    Quantize,
    QuantizeActivations,
    QuantizeFloat,
    QuantizeGPTQ,
    Ternarize,
    check_not_pruned,
)
from compress_core.methods.step import ALL_LAYERS
from compress_core.methods.structured import PruneStructured
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.original import Original
from compress_core.recipe import (
    LAYER_KINDS,
    NETWORK_KINDS,
    AnyStep,
    Recipe,
    to_json,
    winning_steps,
)
from compress_core.storage.container import encode
from compress_core.storage.streams import StoredWeight
from compress_core.stored import BUILDERS, StoredLayer, StoredLayers, untouched
from compress_core.weights import with_weights

# (step, names of the layers it wins, network so far) → the network with these layers changed
BASES: dict[type[AnyStep], Callable[[AnyStep, tuple[str, ...], Original], Original]] = {
    FoldBatchNorm: fold_norms,
    PruneStructured: remove_channels,
}
# (step, layers it wins, their network) → the same layers, changed
FUNCTIONS: dict[type[AnyStep], Callable[[AnyStep, StoredLayers, Original], StoredLayers]] = {
    Factorize: factorize_layers,
    Prune: prune_by_magnitude,
    RandomPrune: prune_at_random,
    PruneNM: prune_in_groups,
    PruneTaylor: prune_by_score,
    PruneWanda: prune_by_score,
    Quantize: quantize_layers,
    QuantizeFloat: quantize_layers,
    Binarize: quantize_layers,
    Ternarize: quantize_layers,
    QuantizeGPTQ: quantize_with_feedback,
    ShareWeights: share_layers,
    CorrectBias: correct_biases,
    QuantizeActivations: quantize_inputs,
}


@dataclass(frozen=True, eq=False)
class Compressed:
    """A compressed model: `layers` as stored, `module` to run, `container` the file's bytes.

    `original` is what it is measured against, `base` the network whose layers are stored: another
    one where a step has changed its structure. The module's weights are bit for bit those that the
    container decodes to.
    """

    original: Original
    base: Original
    recipe: Recipe
    layers: StoredLayers

    @cached_property
    def module(self) -> nn.Module:
        """The runnable model, in evaluation mode. It shares nothing: running it, or writing to it,
        changes neither what is stored nor any other model."""
        return copy_network(self.as_stored)

    @cached_property
    def as_stored(self) -> nn.Module:
        """The same model, never run, so that its buffers are those of the file."""
        acting = [stored for stored in self.layers.values() if stored.inputs]
        if not acting:
            return self.weights_module
        module = with_weights(self.weights_module, {})
        for stored in acting:
            assert stored.inputs is not None
            for owner in stored.layer.owners(module):
                stored.inputs.attach(owner)
        return module

    @cached_property
    def weights_module(self) -> nn.Module:
        """The model with the stored weights and biases, its activations as they are; never run."""
        module = with_weights(self.base.pristine, {})
        tensors: dict[str, Tensor] = {}
        for stored in self.layers.values():
            if stored.form != "plain":
                _replace_by_factors(module, stored)
            tensors |= _tensors_of(stored)
        return with_weights(module, tensors)

    @cached_property
    def rest(self) -> dict[str, Tensor]:
        """The tensors that no method compresses (biases, norms, positions), by state-dict key, in
        the half precision that they came in where that holds them exactly."""
        layers = self.layers.values()
        skipped = {key for stored in layers for key in stored.weight_keys}
        skipped |= {twin for twins in self.tied.values() for twin in twins}
        own_types = self.base.own_types
        # cloned: buffers may be views of each other, and a file holds no shared memory
        return {
            key: in_own_type(tensor.detach().clone(), own_types.get(key))
            for key, tensor in named_tensors(self.as_stored).items()
            if key not in skipped
        }

    @cached_property
    def tied(self) -> dict[str, tuple[str, ...]]:
        """The further state-dict keys of tensors that have several, by the first of them."""
        keys: dict[int, list[str]] = {}
        for key, tensor in named_tensors(self.as_stored).items():
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


def _replace_by_factors(module: nn.Module, stored: StoredLayer) -> None:
    name = stored.layer.name
    factors = BUILDERS[stored.form](module.get_submodule(name), *stored.ranks)
    owner, _, attribute = name.rpartition(".")
    setattr(module.get_submodule(owner), attribute, factors)


def _tensors_of(stored: StoredLayer) -> dict[str, Tensor]:
    """What the layer sets in the model, by state-dict key; a tied weight under all its keys."""
    values = [weight.values for weight in stored.weights]
    if stored.form == "plain":
        tensors = dict.fromkeys(stored.layer.tied_keys, values[0])
    else:
        tensors = dict(zip(stored.weight_keys, values, strict=True))
    if stored.bias is not None and stored.bias_key is not None:
        tensors[stored.bias_key] = stored.bias
    return tensors


def compress(original: Original, recipe: Recipe) -> Compressed:
    """Apply a recipe to a model; the model is untouched.

    Raises ValueError where a step does not fit the model (value, rule and remedy in the text).
    """
    _check_codes(recipe, original)
    base = make_base(original, recipe)
    layers = {
        name: base.memo.get((name,), lambda layer=layer: untouched(layer))  # type: ignore[misc]
        for name, layer in base.layers.items()
    }
    for kind in LAYER_KINDS:
        winners = winning_steps(recipe, kind, layers)
        for step in dict.fromkeys(winners.values()):
            named = {name: stored for name, stored in layers.items() if winners.get(name) == step}
            layers |= FUNCTIONS[type(step)](step, named, base)
    return Compressed(original, base, recipe, layers)


def make_base(original: Original, recipe: Recipe) -> Original:
    """The network that the steps which change its structure leave; the original if there is none.

    It has the layers of the original, by name, some of them smaller.
    """
    base = original
    for step, names, before in network_steps(original, recipe):
        base = _next_base(step, names, before)
    return base


def network_steps(
    original: Original, recipe: Recipe
) -> Iterator[tuple[AnyStep, tuple[str, ...], Original]]:
    """The steps that change the network as they act: each with the layers that it wins and the
    network that it meets."""
    base = original
    for kind in NETWORK_KINDS:
        winners = winning_steps(recipe, kind, original.layers)
        for step in dict.fromkeys(winners.values()):
            names = tuple(name for name, winner in winners.items() if winner == step)
            yield step, names, base
            base = _next_base(step, names, base)


def _next_base(step: AnyStep, names: tuple[str, ...], base: Original) -> Original:
    def make() -> Original:
        made = BASES[type(step)](step, names, base)
        assert made.layers.keys() == base.layers.keys(), "a base keeps the names of all layers"
        return made

    return base.bases.get((replace(step, layers=ALL_LAYERS), names), make)


def _check_codes(recipe: Recipe, original: Original) -> None:
    """Raise ValueError where a layer is quantized and shared, or binarized and pruned: a weight is
    stored in one way, and 1-bit codes have no zero."""
    pruned, quantized, shared = (
        winning_steps(recipe, kind, original.layers) for kind in ("prune", "quantize", "share")
    )
    binarized = [name for name, step in quantized.items() if isinstance(step, Binarize)]
    check_not_pruned([name for name in binarized if name in pruned])
    both = [name for name in quantized if name in shared]
    if both:
        raise ValueError(
            f"{', '.join(both)}: quantized and shared, but a weight is stored either as codes of "
            "its own or as indices of a codebook; name the layer in one of the two steps (layers=…)"
        )
