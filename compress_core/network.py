"""The network so far: every step of a recipe gets one, and gives back a changed one.

`base` is the network whose layers are stored. `layers` are those layers in their stored form after
the steps so far. `rest` are tensors outside of the layers that a step has replaced, such as the
statistics of a norm; `coded` are such tensors, and biases, that are stored as codes.
"""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from torch import Tensor, nn

from compress_core.original import Original
from compress_core.storage.streams import StoredWeight
from compress_core.stored import BUILDERS, StoredLayer, StoredLayers, untouched
from compress_core.weights import with_tensors, with_weights

Names = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Network:
    """A network between two steps. Nothing in it is ever written to."""

    base: Original
    layers: StoredLayers
    rest: Mapping[str, Tensor] = field(default_factory=dict)
    coded: Mapping[str, StoredWeight] = field(default_factory=dict)

    def with_layers(self, layers: StoredLayers) -> "Network":
        """The same network with some of its layers stored in another way."""
        changed = {
            str(stored.bias_key): stored
            for name, stored in layers.items()
            if stored.bias is not self.layers[name].bias
        }
        coded = _without(self.coded, changed)
        return replace(self, layers=self.layers | layers, coded=coded)

    def with_layer(
        self, name: str, done: Hashable, make: Callable[[StoredLayer], StoredLayer]
    ) -> "Network":
        """One layer as `make` stores it; made now, or when the same was asked for before.

        `done` says what is done to the layer: with the layer's key it is the key of the result.
        """
        stored = self.layers[name]
        found = self.base.memo.get((*stored.key, done), partial(make, stored))
        return self.with_layers({name: found})

    def with_each(
        self, names: Names, done: Hashable, make: Callable[[StoredLayer], StoredLayer]
    ) -> "Network":
        """Each named layer as `make` stores it."""
        network = self
        for name in names:
            network = network.with_layer(name, done, make)
        return network

    def with_rest(self, done: Hashable, make: Callable[[], Mapping[str, Tensor]]) -> "Network":
        """Tensors outside of the layers that `make` gives in place of the network's own, by
        state-dict key; made of all layers as they are stored, and kept under their keys."""
        state = tuple(stored.key for stored in self.layers.values())
        found = self.base.memo.get(("rest", done, state), make)
        return replace(self, rest={**self.rest, **found}, coded=_without(self.coded, found))

    def with_coded(
        self, done: Hashable, make: Callable[[], Mapping[str, StoredWeight]]
    ) -> "Network":
        """Tensors outside of the layers as `make` codes them, by state-dict key; kept as those of
        `with_rest`, whose tensors are a part of the key (they are equal if they are the same)."""
        state = tuple(stored.key for stored in self.layers.values())
        found = self.base.memo.get(("coded", done, state, *self.rest.items()), make)
        return replace(self, coded={**self.coded, **found})

    def with_base(self, done: Hashable, make: Callable[[], nn.Module]) -> "Network":
        """The untouched layers of another network for the same task, kept under `done`.

        It has the layers of this one, by name, some of them smaller. Raises ValueError where a
        layer is stored in another way by now: another network would not know of it.
        """
        changed = [name for name, stored in self.layers.items() if len(stored.key) > 1]
        if changed or self.rest or self.coded:
            raise ValueError(
                f"{', '.join(changed) or 'the norms'} changed in an earlier stage, which another "
                "structure would undo; fold and remove channels in the first stage"
            )
        base = self.base.bases.get(done, lambda: self.base.with_module(make()))
        assert base.layers.keys() == self.base.layers.keys(), "a base keeps the names of all layers"
        return start(base)

    @cached_property
    def module(self) -> nn.Module:
        """The whole network as stored, in evaluation mode. It is never run, so that its buffers
        are those of the file; parameters that no step changed are shared."""
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
        """The network with the stored weights and biases, its inputs not rounded; never run."""
        module = self.base.pristine
        factored = [stored for stored in self.layers.values() if stored.form != "plain"]
        if factored:
            module = with_weights(module, {})
        for stored in factored:
            _replace_by_factors(module, stored)
        tensors: dict[str, Tensor] = {}
        for stored in self.layers.values():
            tensors |= _tensors_of(stored)
        changed = with_weights(module, tensors)
        others = {**self.rest, **{key: weight.values for key, weight in self.coded.items()}}
        return with_tensors(changed, others) if others else changed  # each makes a copy


def _without(coded: Mapping[str, StoredWeight], keys: Collection[str]) -> dict[str, StoredWeight]:
    """The coded tensors that no step has replaced since."""
    return {key: weight for key, weight in coded.items() if key not in keys}


def start(base: Original) -> Network:
    """A network to which nothing has been done yet."""
    layers = {
        name: base.memo.get((name,), partial(untouched, layer))
        for name, layer in base.layers.items()
    }
    return Network(base, layers)


def _replace_by_factors(module: nn.Module, stored: StoredLayer) -> None:
    name = stored.layer.name
    factors = BUILDERS[stored.form](module.get_submodule(name), *stored.ranks)
    owner, _, attribute = name.rpartition(".")
    setattr(module.get_submodule(owner), attribute, factors)


def _tensors_of(stored: StoredLayer) -> dict[str, Tensor]:
    """What the layer sets in the model, by state-dict key; a tied weight under all its keys."""
    values = [weight.network_values for weight in stored.weights]
    if stored.form == "plain":
        tensors = dict.fromkeys(stored.layer.tied_keys, values[0])
    else:
        tensors = dict(zip(stored.weight_keys, values, strict=True))
    if stored.bias is not None and stored.bias_key is not None:
        tensors[stored.bias_key] = stored.bias
    return tensors
