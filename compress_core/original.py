"""The original model: its layers with their profiles, and a memo of results made from them."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from functools import cached_property, partial
from threading import Lock
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from compress_core.calibration import Calibration
from compress_core.data import load_dataset
from compress_core.dataset import Dataset, check_fits
from compress_core.digest import network_digest, tensors_digest
from compress_core.entering import enter
from compress_core.entering.checks import check_runs
from compress_core.entering.copying import copy_network
from compress_core.entering.tensors import dense_file_bytes
from compress_core.entering.writes import refusing_writes
from compress_core.inputs import Inputs, Shape, call, each, make_examples
from compress_core.methods.step import check_whole
from compress_core.models.catalog import model_spec
from compress_core.models.checkpoints import fresh_network, load_network
from compress_core.tasks import Kind, Task, as_task
from compress_core.weights import Coverage, Reads, find_coverage, reads_outside, walk_layers

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


class Elsewhere(Protocol):
    """Runs a network that may not run in this process; a recipe is given by its text form."""

    def macs(self, recipe: str) -> Mapping[str, int]:
        """Multiply-accumulates of each module, for one input."""
        ...

    def answers(self, recipe: str, rows: slice) -> Tensor:
        """Two numbers of each of these test rows, (n, 2), as `Bench.run` gives them."""
        ...

    def exported(self, recipe: str, name: str) -> bytes:
        """The file that is called so in `leaving.EXPORTS`."""
        ...

    def measured_file(self, recipe: str, name: str) -> dict[str, Any]:
        """`MeasuredFile.as_dict()` of that file."""
        ...

    def point(self, recipe: str) -> dict[str, Any]:
        """`Report.as_dict()` on its test data."""
        ...

    def speed(self, recipe: str) -> dict[str, Any]:
        """The fields of `Speed`, nested."""
        ...


class Original:
    """A trained network and everything that is computed of it only once.

    `input_shape` is one input without its batch dimension, (C, H, W) for images; `input_dtype`
    torch.int64 for token indices. Of several inputs both are tuples, one for each. In their place
    `example` is an input itself, (1, …), or a tuple of them. `task` says what the network is for
    and which of its outputs counts; without one it is chosen by outputs and labels. `calibration`
    is training data, or what loads it when a step first needs it. `memo` keeps results made from
    its layers, `bases` the networks made from it. The network is copied and never written to
    (see `entering`). `module` is for running; `pristine` is the same network, never run, so that
    its buffers stay as they came: results are made from this one. `own_types` are
    the types that its float32 tensors came in. `fresh` builds it untrained, where that is known,
    from a seed (None: the one that it was trained from). `elsewhere` runs it where it must not run
    in this process (see `opening`).
    Raises ValueError for what cannot be compressed: no nn.Module, in training mode, without
    compressible layers, with weights that are empty or not finite, and more; with the remedy.
    """

    def __init__(
        self,
        module: nn.Module,
        input_shape: Shape | tuple[Shape, ...] | None = None,
        *,
        example: Inputs | None = None,
        input_dtype: torch.dtype | tuple[torch.dtype, ...] = torch.float32,
        name: str = "model",
        calibration: CalibrationData = None,
        task: Task | Kind | None = None,
    ) -> None:
        self.task = as_task(task)
        self.examples = make_examples(input_shape, input_dtype, example)  # one for each input
        _check_named(name)
        self.name = name
        _check_calibration(calibration)
        self.calibration = calibration
        self.fresh: Callable[[int | None], nn.Module] | None = None
        self.elsewhere: Elsewhere | None = None
        entered = enter(module)
        self.pristine = entered.module
        self.module = copy_network(self.pristine)
        self.own_types = entered.own_types
        self._came_as = entered.came_as
        self.layers = walk_layers(self.pristine)
        self.memo = Memo()
        self.bases = Memo(BASE_ENTRIES)
        if not self.layers:
            raise ValueError(
                f"{type(module).__name__} has no compressible layer; it needs at least one "
                "Linear, convolution, Embedding, recurrent layer or parameter of two dimensions"
            )
        if self.own_types:
            check_runs(copy_network(self.pristine), self.examples)
        self._check_runs()

    @cached_property
    def stored_bytes(self) -> int:
        """Bytes of the weights in the types that they came in, as a safetensors file, header
        included. A weight that was computed (of a mask, of a norm) counts once, as its values."""
        return dense_file_bytes(self._came_as)

    def weight_bytes(self, layer: str) -> int:
        """Bytes of a layer's weight in the type that it came in."""
        found = self.layers[layer]
        dtype = self.own_types.get(found.key, found.weight.dtype)
        return found.weight.numel() * dtype.itemsize

    @cached_property
    def digest(self) -> str:
        """The key of this network's results: equal networks have the same digest."""
        return network_digest(self.pristine, self.examples)

    @cached_property
    def coverage(self) -> Coverage:
        """Which part of the parameters the layers reach."""
        return find_coverage(self.module, self.layers.values())

    @cached_property
    def reads(self) -> Reads:
        """What the network reads of its layers by itself, found in one run."""
        return reads_outside(self.module, self.layers, lambda network: call(network, self.examples))

    def read_besides(self, name: str) -> str | None:
        """Who reads a layer's weight or attributes besides the layer, so that nothing can run in
        its place; None if nobody does."""
        return self.reads.weights.get(name) or self.reads.attributes.get(name)

    @property
    def example(self) -> Tensor:
        """One input (1, …) of a network that takes one, for tracing.

        Raises ValueError for a network of several inputs, which `examples` has.
        """
        if len(self.examples) > 1:
            raise ValueError(
                f"{self.name} takes {len(self.examples)} inputs, and this can only follow networks "
                "of one; leave it out"
            )
        return self.examples[0]

    @property
    def input_shape(self) -> Shape:
        """One input without its batch dimension, of a network that takes one."""
        return tuple(self.example.shape[1:])

    def _check_runs(self) -> None:
        """Raise ValueError where the network does not run on its examples, or writes to its own
        weights."""
        private = copy_network(self.pristine)  # modules may keep what they saw
        with torch.inference_mode(), refusing_writes(private):
            call(private, self.examples)

    def with_module(self, module: nn.Module) -> "Original":
        """Another network for the same task: same inputs, name and calibration data. Tensors of
        the same key came in the same type."""
        other = Original(
            module,
            example=self.examples,
            name=self.name,
            calibration=self.calibration,
            task=self.task,
        )
        other.own_types = self.own_types
        return other

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
        data = self.training_data().subset(samples, seed=seed)
        return Calibration(self.pristine, self.layers, data, self.task)

    def training_data(self) -> Dataset:
        """What steps may calibrate and train on. Raises as `calibrate` does."""
        if self.calibration is None:
            raise ValueError(
                f"{self.name} came without training data, and this step looks at some; pass them "
                "as Original(…, calibration=dataset), or choose a step that needs none"
            )
        data = self.calibration() if callable(self.calibration) else self.calibration
        if data.split == "test":
            raise ValueError(
                f"calibration on the test split of {data.name} would flatter every accuracy "
                "measured on it; pass the training split, of your own data as split='train'"
            )
        check_fits(data, self.examples)
        return data

    @cached_property
    def data_key(self) -> str:
        """What tells the training data from others: the name of a dataset whose files are checked,
        else the digest of the values."""
        loader = self.calibration
        if isinstance(loader, partial) and loader.func is load_dataset:
            return "/".join(map(str, loader.args))
        data = self.training_data()
        return tensors_digest((*each(data.inputs), *([] if data.labels is None else [data.labels])))


def _check_named(name: object) -> None:
    if not isinstance(name, str) or not name.isprintable():
        raise ValueError(f"name={name!r} is no name that a file can hold; pass a short text")


def _check_calibration(data: object) -> None:
    if data is not None and not isinstance(data, Dataset) and not callable(data):
        raise ValueError(
            f"calibration is a {type(data).__name__}; pass Dataset.of(inputs, labels, "
            "split='train'), or a function that loads one"
        )


def load_model(name: str) -> Original:
    """A reference network with its trained weights; `MODELS` lists the names.

    Its training images are read when a step first calibrates on them.
    Raises ValueError for an unknown name, CheckpointError for a missing or damaged file.
    """
    spec = model_spec(name)
    training_data = partial(load_dataset, spec.dataset, "train")
    original = Original(
        load_network(name),
        spec.input_shape,
        name=name,
        calibration=training_data,
        task="classification",
    )
    original.fresh = partial(fresh_network, name)
    return original
