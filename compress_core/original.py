"""A model as it came: its layers with their profiles, and a memo of what was made of them."""

import copy
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import cached_property, partial
from threading import Lock
from typing import Any, TypeVar

import torch
from safetensors.torch import save
from torch import Tensor, nn

from compress_core.calibration import Calibration
from compress_core.data import Dataset, load_dataset
from compress_core.digest import network_digest
from compress_core.methods.step import check_whole
from compress_core.models.catalog import model_spec
from compress_core.models.checkpoints import load_network
from compress_core.weights import (
    Coverage,
    Reads,
    find_coverage,
    reads_outside,
    walk_layers,
    with_weights,
)

MEMO_ENTRIES = 256
BASE_ENTRIES = 16  # each is a network with a memo of its own
CalibrationData = Dataset | Callable[[], Dataset] | None
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
    torch.int64 for token indices. `calibration` is training data, or what loads it when a step
    first needs it. `memo` keeps what was made of its layers, `bases` the networks that were made
    of it. The network is copied and never written to.
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
        calibration: CalibrationData = None,
    ) -> None:
        if any(part.training for part in module.modules()):
            raise ValueError("the model, or a part of it, is in training mode; pass model.eval()")
        module = copy.deepcopy(module)  # training it on must not change what is measured here
        self.module = with_weights(module, dict(module.named_parameters(remove_duplicate=False)))
        self.input_shape = input_shape
        self.input_dtype = input_dtype
        self.name = name
        self.calibration = calibration
        self.layers = walk_layers(self.module)
        self.memo = Memo()
        self.bases = Memo(BASE_ENTRIES)
        if not self.layers:
            raise ValueError(
                f"{type(module).__name__} has no compressible layer; it needs at least one "
                "Linear, convolution, Embedding, recurrent layer or parameter of two dimensions"
            )

    @cached_property
    def stored_bytes(self) -> int:
        """Bytes of the dense fp32 weights as a safetensors file, header included."""
        distinct = {
            id(tensor): (key, tensor.detach().clone(memory_format=torch.contiguous_format))
            for key, tensor in self.module.state_dict(keep_vars=True).items()
        }
        return len(save(dict(distinct.values())))

    @cached_property
    def digest(self) -> str:
        """What results of this network are kept under: equal networks have the same."""
        return network_digest(self.module, (self.example,))

    @cached_property
    def coverage(self) -> Coverage:
        """Which part of the parameters the layers reach."""
        return find_coverage(self.module, self.layers.values())

    @cached_property
    def reads(self) -> Reads:
        """What the network reads of its layers by itself, found in one run on `example`."""
        return reads_outside(self.module, self.layers, lambda network: network(self.example))

    def read_besides(self, name: str) -> str | None:
        """Who reads a layer's weight or attributes besides the layer, so that nothing can run in
        its place; None if nobody does."""
        return self.reads.weights.get(name) or self.reads.attributes.get(name)

    @property
    def example(self) -> Tensor:
        """A zero input of one image, (1, *input_shape), for tracing."""
        return torch.zeros(1, *self.input_shape, dtype=self.input_dtype)

    def with_module(self, module: nn.Module) -> "Original":
        """Another network for the same task: same inputs, name and calibration data."""
        return Original(
            module,
            self.input_shape,
            input_dtype=self.input_dtype,
            name=self.name,
            calibration=self.calibration,
        )

    def calibrate(self, samples: int, seed: int = 0) -> Calibration:
        """What the layers see on `samples` training images, drawn class by class and by seed; all
        of the images where there are fewer.

        Raises ValueError for a model that came without training data, DataError where they cannot
        be read on this machine.
        """
        check_whole("samples", samples, low=1, high=2**31, remedy="256 is usual")
        key = ("calibration", samples, seed)
        return self.memo.get(key, lambda: self._calibrate(samples, seed))

    def _calibrate(self, samples: int, seed: int) -> Calibration:
        if self.calibration is None:
            raise ValueError(
                f"{self.name} came without training data, and this step looks at some; pass them "
                "as Original(…, calibration=dataset), or choose a step that needs none"
            )
        data = self.calibration() if callable(self.calibration) else self.calibration
        if data.split == "test":
            raise ValueError(
                f"calibration on the test split of {data.name} would flatter every accuracy "
                "measured on it; pass the training split"
            )
        return Calibration(self.module, self.layers, data.subset(samples, seed=seed))


def load_model(name: str) -> Original:
    """A reference network with its trained weights; `MODELS` lists the names.

    Its training images are read when a step first calibrates on them.
    Raises ValueError for an unknown name, CheckpointError for a missing or damaged file.
    """
    spec = model_spec(name)
    training_data = partial(load_dataset, spec.dataset, "train")
    return Original(load_network(name), spec.input_shape, name=name, calibration=training_data)
