"""A model as it came: its layers with their profiles, and a memo of what was made of them."""

import copy
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import cached_property
from threading import Lock
from typing import Any, TypeVar

import torch
from safetensors.torch import save
from torch import Tensor, nn

from compress_core.models.catalog import model_spec
from compress_core.models.checkpoints import load_network
from compress_core.weights import walk_layers, with_weights

MEMO_ENTRIES = 256
T = TypeVar("T")


class Memo:
    """Results by key, the least recently used dropped first; safe to share between threads.

    Two threads may compute the same result at the same time; both get an equal one.
    """

    def __init__(self, max_entries: int = MEMO_ENTRIES) -> None:
        self._results: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()
        self._max_entries = max_entries

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The result kept under `key`, made now if there is none."""
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                found: T = self._results[key]
                return found
        made = make()
        with self._lock:
            self._results[key] = made
            while len(self._results) > self._max_entries:
                self._results.popitem(last=False)
        return made


class Original:
    """A trained network and everything that is computed of it only once.

    `input_shape` is one input without its batch dimension, (C, H, W) for images; `input_dtype`
    torch.int64 for token indices. The network is copied and never written to.
    Raises ValueError for a model in training mode, without compressible layers, or with weights
    that are empty, not float32 or not finite.
    """

    def __init__(
        self,
        module: nn.Module,
        input_shape: tuple[int, ...],
        *,
        input_dtype: torch.dtype = torch.float32,
        name: str = "model",
    ) -> None:
        if any(part.training for part in module.modules()):
            raise ValueError("the model, or a part of it, is in training mode; pass model.eval()")
        module = copy.deepcopy(module)  # training it on must not change what is measured here
        self.module = with_weights(module, dict(module.named_parameters(remove_duplicate=False)))
        self.input_shape = input_shape
        self.input_dtype = input_dtype
        self.name = name
        self.layers = walk_layers(self.module)
        self.memo = Memo()
        if not self.layers:
            raise ValueError(
                f"{type(module).__name__} has no compressible layer; it needs at least one "
                "Linear, Conv1d, Conv2d, Embedding or MultiheadAttention"
            )

    @cached_property
    def stored_bytes(self) -> int:
        """Bytes of the dense fp32 weights as a safetensors file, header included."""
        distinct = {
            id(tensor): (key, tensor.detach().clone(memory_format=torch.contiguous_format))
            for key, tensor in self.module.state_dict(keep_vars=True).items()
        }
        return len(save(dict(distinct.values())))

    @property
    def example(self) -> Tensor:
        """A zero input of one image, (1, *input_shape), for tracing."""
        return torch.zeros(1, *self.input_shape, dtype=self.input_dtype)


def load_model(name: str) -> Original:
    """A reference network with its trained weights; `MODELS` lists the names.

    Raises ValueError for an unknown name, CheckpointError for a missing or damaged file.
    """
    return Original(load_network(name), model_spec(name).input_shape, name=name)
