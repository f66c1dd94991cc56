"""A layer as it is stored: one weight, or the factors that run in its place.

Two tables know the forms: JOINS multiplies the factors of a form out, BUILDERS makes the modules.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Protocol

from torch import Tensor, nn

from compress_core.methods import low_rank
from compress_core.storage.streams import Codes, StoredWeight
from compress_core.weights import Layer, Profile, sqnr_db

Form = Literal["plain"] | low_rank.Form

# what a form's factors, first applied first, stand for: join(*factors) → (out, …)
JOINS: dict[Form, Callable[..., Tensor]] = {
    "channel": low_rank.join,
    "spatial": low_rank.join_spatial,
    "tucker": low_rank.join_tucker,
}
# the modules, weights unset, that replace a layer: build(module, *ranks); the last has its bias
BUILDERS: dict[Form, Callable[..., nn.Sequential]] = {
    "channel": low_rank.factor_pair,
    "spatial": low_rank.spatial_pair,
    "tucker": low_rank.tucker_triple,
}


class Inputs(Protocol):
    """What happens to a layer's inputs before it multiplies them: quantization of activations."""

    @property
    def bits(self) -> int: ...

    def attach(self, module: nn.Module) -> None:
        """Set this up on `module`, the layer's own in a private copy of the model: hooks that act,
        buffers that are stored with the biases."""
        ...


@dataclass(frozen=True, eq=False)
class StoredLayer:
    """A layer as it is stored: one weight, or the two or three of a `form` (first applied first).

    `key` names all that was done to it; `parts` are the weights before anything was pruned or
    coded; `kept` are the masks (True = kept) of what pruning left of each, () where nothing was
    pruned; `bias` replaces the layer's own; `inputs` acts on what it multiplies.
    """

    layer: Layer
    key: tuple[Hashable, ...]
    weights: tuple[StoredWeight, ...]
    parts: tuple[Profile, ...]
    form: Form = "plain"
    kept: tuple[Tensor, ...] = ()
    bias: Tensor | None = None
    inputs: Inputs | None = None

    @property
    def ranks(self) -> tuple[int, ...]:
        """Channels between the factors: (r,) of a pair, (r_in, r_out) of three, () of one."""
        return tuple(weight.values.shape[0] for weight in self.weights[:-1])

    @property
    def rank(self) -> int | None:
        """The first rank; None for a layer in one piece."""
        return self.ranks[0] if self.ranks else None

    @property
    def codes(self) -> Codes | None:
        """The codes of its (first) weight; None for floats."""
        return self.weights[0].codes

    @property
    def bits(self) -> int:
        """Nominal bits of a weight: 32 unless coded."""
        return self.codes.bits if self.codes else 32

    @property
    def is_pruned(self) -> bool:
        """Whether a step has pruned weights of it."""
        return bool(self.kept)

    @property
    def weight_keys(self) -> tuple[str, ...]:
        """The state-dict keys of the weights in the compressed model."""
        if self.form == "plain":
            return (self.layer.key,)
        return tuple(f"{self.layer.name}.{i}.weight" for i in range(len(self.weights)))

    @property
    def bias_key(self) -> str | None:
        """The state-dict key of the bias in the compressed model, whether it has one or not.

        None where the bias does not belong to this layer alone.
        """
        shared = len(self.layer.tied_keys) > 1 or self.layer.hides_inputs
        last = self.weight_keys[-1]
        packed = last.rpartition(".")[2]
        if shared or packed not in {"weight", "in_proj_weight"}:
            return None
        return f"{last.removesuffix('weight')}bias"

    @cached_property
    def dense(self) -> Tensor:
        """The weight (out, …) that the layer multiplies with, factors multiplied out."""
        values = [weight.values for weight in self.weights]
        return values[0] if self.form == "plain" else JOINS[self.form](*values)

    @cached_property
    def sqnr_db(self) -> float | None:
        """SQNR in dB against the layer's own weight: everything done to it counts as noise."""
        return sqnr_db(self.layer.weight, self.dense)

    def with_weights(self, done: Hashable, weights: tuple[StoredWeight, ...]) -> "StoredLayer":
        """The same form with other weights; `done` says what was done to them."""
        own = tuple(replace(weight, transposed=self.layer.transposed) for weight in weights)
        return replace(self, key=(*self.key, done), weights=own)

    def with_factors(
        self, done: Hashable, form: Form, factors: tuple[Tensor, ...]
    ) -> "StoredLayer":
        """The factors of `form` in place of the weight."""
        parts = tuple(Profile(factor) for factor in factors)
        weights = tuple(StoredWeight(part) for part in parts)
        return replace(self, key=(*self.key, done), weights=weights, parts=parts, form=form)


StoredLayers = dict[str, StoredLayer]


def untouched(layer: Layer) -> StoredLayer:
    """The layer as it came."""
    weight = StoredWeight(layer.profile, transposed=layer.transposed)
    return StoredLayer(layer, (layer.name,), (weight,), (layer.profile,))
