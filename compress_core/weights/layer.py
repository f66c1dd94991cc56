"""A layer: one weight of a network that can be compressed, and what cannot be done to it."""

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor, nn

from compress_core.weights.profile import Profile
from compress_core.weights.transposed import inputs_first, outputs_first

# by kind, why the rows that a layer's weight multiplies cannot be seen from outside of its module
UNSEEN_INPUTS = {
    "embedding": "an embedding looks its rows up instead of multiplying",
    "parameter": "no module multiplies with it alone: the network's own code reads it",
    "bilinear": "a bilinear layer multiplies two inputs with each other",
    "recurrent": "a recurrent module multiplies inside, once a time step",
    "conv3d": "the patches of a convolution over three dimensions are not collected",
    "conv_transpose": "a transposed convolution spreads each input instead of collecting patches",
}


@dataclass(frozen=True, eq=False)
class Layer:
    """A named compressible weight; `key` is its state-dict key, `tied_keys` all that share it.

    `weight` has its outputs first, (out, in / groups, …). `transposed` are the groups of a
    transposed convolution, whose weight the network reads as (in, out / groups, …).
    """

    name: str
    key: str
    kind: str
    weight: Tensor
    tied_keys: tuple[str, ...]
    refuses_factors: str | None  # why it cannot run as a factor pair, None if it can
    transposed: int | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.weight.shape)

    @cached_property
    def profile(self) -> Profile:
        return Profile(self.weight)

    @property
    def hides_inputs(self) -> str | None:
        """Why the layer's inputs cannot be observed or changed, None if they can."""
        return UNSEEN_INPUTS.get(self.kind)

    @property
    def network_weight(self) -> Tensor:
        """The weight in the layout that the network reads."""
        return inputs_first(self.weight, self.transposed) if self.transposed else self.weight

    def outputs_first(self, tensor: Tensor) -> Tensor:
        """A tensor in the network's layout, such as a gradient, in that of `weight`."""
        return outputs_first(tensor, self.transposed) if self.transposed else tensor

    def owners(self, model: nn.Module) -> list[nn.Module]:
        """The modules of `model`, or what runs in their place, that multiply with this weight."""
        found = [model.get_submodule(key.rpartition(".")[0]) for key in self.tied_keys]
        return list({id(module): module for module in found}.values())
