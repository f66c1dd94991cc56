"""The network that is trained: a private copy, whose weights are made of its constraints."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from compress_core.entering.copying import copy_network
from compress_core.entering.tensors import named_tensors
from compress_core.inputs import Inputs, Which, each, pick_output
from compress_core.network import Names, Network
from compress_core.storage.streams import StoredWeight
from compress_core.stored import StoredLayer
from compress_core.training.constraints import Constraint, Frozen, Make, Material
from compress_core.training.device import HOME, Mover, training_device
from compress_core.weights import inputs_first, with_weights


class Student:
    """`module` is written to by training; `constraints` make its weights, by state-dict key;
    `twins` are all keys of weights that have several, `transposed` the groups of those that the
    network reads inputs first. All other parameters (biases, norms) are free. It computes on
    `device`, a GPU if torch sees one, to which the module is moved; what it gives lies in main
    memory.
    """

    def __init__(
        self,
        module: nn.Module,
        constraints: Mapping[str, Constraint] | None = None,
        twins: Mapping[str, tuple[str, ...]] | None = None,
        transposed: Mapping[str, int | None] | None = None,
        output: Which = None,
        device: torch.device | None = None,
    ) -> None:
        self.device = device or training_device()
        self.module = module.to(self.device).train()
        self.constraints = dict(constraints or {})
        self._twins, self._transposed = dict(twins or {}), dict(transposed or {})
        self._output = output
        made = {key for keys in self._twins.values() for key in keys} | self.constraints.keys()
        for key, weight in module.named_parameters(remove_duplicate=False):
            weight.requires_grad_(key not in made)
            if weight.dim() == 4:  # convolutions run twice as fast
                weight.data = weight.data.contiguous(memory_format=torch.channels_last)

    @classmethod
    def of(cls, network: Network, names: Names, make: Make) -> "Student":
        """A student of a network: the layers called `names` under the constraints that `make`
        gives, all other layers as they are."""
        constraints: dict[str, Constraint] = {}
        twins: dict[str, tuple[str, ...]] = {}
        transposed: dict[str, int | None] = {}
        books: dict[int, Any] = {}
        device = training_device()
        move = Mover(HOME, device)
        for name, stored in network.layers.items():
            for key, weight, values, kept in _parts(stored):
                given = Material(move(weight), move(values), move(kept), books)
                constraints[key] = make(given) if name in names else Frozen(given.stored)
                transposed[key] = weight.transposed
            if stored.form == "plain":
                twins[stored.layer.key] = stored.layer.tied_keys
        module = copy_network(network.weights_module)
        return cls(module, constraints, twins, transposed, network.base.task.output, device)

    def weights(self) -> dict[str, Tensor]:
        """The weights as the network multiplies with them, by all their keys."""
        found: dict[str, Tensor] = {}
        for key, constraint in self.constraints.items():
            weight, groups = constraint.weight(), self._transposed.get(key)
            weight = inputs_first(weight, groups) if groups else weight
            found |= dict.fromkeys(self._twins.get(key, (key,)), weight)
        return found

    def __call__(self, inputs: Inputs) -> Tensor:
        """The output that counts, with gradients."""
        output = functional_call(self.module, self.weights(), each(inputs))
        return pick_output(output, self._output)

    def rest(self) -> dict[str, Tensor]:
        """The tensors outside of the weights (biases, norms, buffers), by state-dict key."""
        return {key: tensor.to(HOME) for key, tensor in self.moving_rest().items()}

    def moving_rest(self) -> dict[str, Tensor]:
        """The same as the network computes with them: what is written to them counts."""
        made = {key for keys in self._twins.values() for key in keys} | self.constraints.keys()
        state = named_tensors(self.module).items()
        return {key: tensor.detach() for key, tensor in state if key not in made}

    @torch.no_grad()
    def snapshot(self) -> nn.Module:
        """The network as it is by now, in evaluation mode."""
        weights = {key: weight.detach() for key, weight in self.weights().items()}
        found = with_weights(self.module, weights).eval()
        return found if self.device == HOME else copy_network(found).to(HOME)

    def finish(self) -> None:
        """The module in evaluation mode, and in main memory again."""
        self.module.to(HOME).eval()

    def parameters(self) -> list[nn.Parameter]:
        """All that moves, each once."""
        free = [p for p in self.module.parameters() if p.requires_grad]
        own = [p for constraint in self.constraints.values() for p in constraint.parameters]
        return list({id(p): p for p in [*free, *own]}.values())

    def settle(self) -> None:
        """After each step of the optimizer: what is held is held exactly."""
        for constraint in self.constraints.values():
            constraint.settle()

    def state(self) -> dict[str, Any]:
        """All that moves, and buffers, to go on from later."""
        return {
            "parameters": [_copied(p.detach()) for p in self.parameters()],
            "buffers": {key: _copied(buffer) for key, buffer in self.module.named_buffers()},
            "memory": {
                key: {name: _copied(getattr(c, name)) for name in c.remembered}
                for key, c in self.constraints.items()
            },
        }

    @torch.no_grad()
    def set_state(self, state: Mapping[str, Any]) -> None:
        for mine, given in zip(self.parameters(), state["parameters"], strict=True):
            mine.copy_(given)
        buffers = dict(self.module.named_buffers())
        for key, given in state["buffers"].items():
            buffers[key].copy_(given)
        for key, memory in state["memory"].items():
            for name, given in memory.items():
                is_tensor = isinstance(given, Tensor)
                setattr(self.constraints[key], name, given.to(self.device) if is_tensor else given)

    def stored(self) -> dict[str, StoredWeight]:
        """The weights as they are to be stored, by state-dict key."""
        home = Mover(self.device, HOME)
        return {
            key: replace(home(constraint.stored()), transposed=self._transposed.get(key))
            for key, constraint in self.constraints.items()
        }


def _parts(
    stored: StoredLayer,
) -> Iterator[tuple[str, StoredWeight, Tensor, Tensor | None]]:
    """Key, stored weight, values before rounding and mask of each of a layer's weights."""
    kept = stored.kept or (None,) * len(stored.weights)
    for key, weight, part, mask in zip(
        stored.weight_keys, stored.weights, stored.parts, kept, strict=True
    ):
        values = part.weight if mask is None else part.weight * mask
        yield key, weight, values, mask


def _copied(value: Any) -> Any:
    """A copy in main memory."""
    return value.to(HOME, copy=True) if isinstance(value, Tensor) else value
