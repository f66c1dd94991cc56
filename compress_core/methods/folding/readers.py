"""Who reads whose output as a network runs: the values that its layers make, followed through aten.

A tensor's identity does not tell: `relu(inplace=True)`, `y += x`, `mul_` and `out=` write new
values into the same tensor, and views are other tensors with the same values. So the operations
below autograd are watched, those of which torch.export makes its functional graph, and a value is
what a storage holds until somebody writes to it. Networks that cannot be exported are watched as
well, in milliseconds, and no other thread is disturbed.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from compress_core.equality import Probe, named_tensors

OUTPUT = "the network's output"
COPIES = ("clone", "_to_copy")  # a value laid out anew in other memory


@dataclass(frozen=True, eq=False)
class Made:
    """A value that a layer has made, or a copy of it laid out anew.

    channels: gives the layer's output channel of each entry of the value, in its shape. tensor:
    keeps the storage alive, so that no other gets its place.
    """

    layer: str
    channels: Callable[[], Tensor]
    tensor: Tensor

    def channels_of(self, view: Tensor) -> Tensor:
        """The output channel of each entry of a view of `tensor`, -1 outside of `tensor`."""
        entries = view.untyped_storage().nbytes() // view.element_size()
        codes = torch.full((entries,), -1, dtype=torch.int32)
        _strided(codes, self.tensor).copy_(self.channels())
        return _strided(codes, view)


@dataclass(frozen=True, eq=False)
class Readings:
    """What was seen of the watched parts, by name.

    runs: how often each ran. readers: of a layer's output, operations, parts or `OUTPUT`, each
    once. by_channel: the norms among them that read all of it, channel by channel.
    read_elsewhere: what reads (or writes) a part's parameters, though it is not that part.
    """

    runs: Counter[str] = field(default_factory=Counter)
    readers: defaultdict[str, dict[str, None]] = field(default_factory=lambda: defaultdict(dict))
    by_channel: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    read_elsewhere: dict[str, str] = field(default_factory=dict)


def watch_readers(
    network: nn.Module, probe: Probe, layers: Mapping[str, int], norms: Iterable[str]
) -> Readings:
    """Run a private `network` on `probe` and see who reads what its `layers` make.

    layers: by name, the axis of the channels in the output. norms: read the channels of axis 1.
    Raises what the network raises, and ValueError for outputs of an unknown kind.
    """
    watch = _Watch(network, layers, norms)
    with torch.inference_mode(False), torch.no_grad(), watch:
        output = network(*(x.clone() for x in probe))
    for _, tensor in named_tensors(output):
        watch.read(tensor, OUTPUT)
    return watch.readings


class _Watch(TorchDispatchMode):
    """Hooks say which watched part is running, the dispatcher which operation reads what."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and importing the compiler takes a second

    def __init__(self, network: nn.Module, layers: Mapping[str, int], norms: Iterable[str]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.readings = Readings()
        self._inside: list[str] = []  # the watched parts that are running, the innermost last
        self._made: dict[int, Made] = {}
        self._owners: defaultdict[int, set[str]] = defaultdict(set)
        for name, axis in layers.items():
            part = network.get_submodule(name)
            self._watch(name, part)
            part.register_forward_hook(self._after_layer(name, axis))
        for name in norms:
            part = network.get_submodule(name)
            part.register_forward_pre_hook(self._before_norm(name))
            self._watch(name, part)

    def _watch(self, name: str, part: nn.Module) -> None:
        for parameter in part.parameters():
            self._owners[_storage(parameter)].add(name)

        def enter(*_: Any) -> None:
            self._inside.append(name)
            self.readings.runs[name] += 1

        def leave(*_: Any) -> None:
            self._inside.pop()

        part.register_forward_pre_hook(enter)
        part.register_forward_hook(leave)

    def _after_layer(self, name: str, axis: int) -> Callable[..., None]:
        def after(_: nn.Module, __: Any, output: Tensor) -> None:
            shape = [1] * output.dim()
            shape[axis] = -1
            channels = torch.arange(output.shape[axis]).view(shape)
            self._made[_storage(output)] = Made(name, lambda: channels, output)

        return after

    def _before_norm(self, name: str) -> Callable[..., None]:
        def before(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            given = [x for x in inputs[:1] if isinstance(x, Tensor)]
            made = self._made.get(_storage(given[0])) if given else None
            if made is not None and _is_by_channel(made, given[0]):
                self.readings.by_channel[made.layer].add(name)

        return before

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = str(getattr(func, "overloadpacket", func)).removeprefix("aten.")
        returned = {_storage(leaf) for leaf in tree_leaves(result) if isinstance(leaf, Tensor)}
        for tensor in tree_leaves((args, kwargs)):
            if isinstance(tensor, Tensor):
                is_view = _storage(tensor) in returned and not func._schema.is_mutable
                if not is_view and not self._is_copied(name, tensor, result):
                    self.read(tensor, self._inside[-1] if self._inside else name)
        return result

    def _is_copied(self, name: str, tensor: Tensor, result: Any) -> bool:
        """Whether an operation only lays a followed tensor out anew: its copy is followed, too."""
        made = self._made.get(_storage(tensor))
        if made is None or name not in COPIES or result.dtype != tensor.dtype:
            return False
        self._made[_storage(result)] = Made(made.layer, partial(made.channels_of, tensor), result)
        return True

    def read(self, tensor: Tensor, reader: str) -> None:
        """Note that an operation, a part or the output reads (or overwrites) a tensor."""
        storage = _storage(tensor)
        if storage in self._made:
            self.readings.readers[self._made[storage].layer][reader] = None
        if storage in self._owners:
            for owner in self._owners[storage].difference(self._inside):
                self.readings.read_elsewhere.setdefault(owner, reader)


def _is_by_channel(made: Made, given: Tensor) -> bool:
    """Whether `given` is the whole of what a layer has made, its channels along axis 1."""
    if given.dim() < 2 or given.numel() != made.tensor.numel():
        return False
    shape = (1, -1, *[1] * (given.dim() - 2))
    return bool((made.channels_of(given) == torch.arange(given.shape[1]).view(shape)).all())


def _strided(flat: Tensor, like: Tensor) -> Tensor:
    return flat.as_strided(like.size(), like.stride(), like.storage_offset())


def _storage(tensor: Tensor) -> int:
    """A number for the memory that a tensor and its views share; 0 where there is none."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (NotImplementedError, RuntimeError):  # sparse tensors, and the layouts of oneDNN
        return 0
