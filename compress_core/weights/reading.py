"""What a network reads of its layers by itself, outside of the layers' own forward.

`functional.linear(h, self.encoder.weight.t())` keeps working while the weight stands in its place,
and breaks, or goes on with other numbers, once something else runs in place of the layer. So does
`x.view(-1, self.fc.in_features)`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter

from compress_core.weights.layer import Layer
from compress_core.weights.replacing import with_weights

# attributes that do not depend on the values: shapes, types, devices
METADATA = (int, str, torch.Size, torch.dtype, torch.device, torch.layout, type(None))
ANSWERED_BY_FACTORS = nn.Sequential()  # what stands in a factorized layer's place


@dataclass(frozen=True)
class Reads:
    """By layer name, in words: whose `weights`, and of which other `attributes` than the weight,
    are read by a module that is not the layer."""

    weights: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)


def reads_outside(
    model: nn.Module, layers: Mapping[str, Layer], run: Callable[[nn.Module], object]
) -> Reads:
    """What of `layers` is read outside of their own module.

    `run` calls the copy of `model` that it is given, once, on an input. Meanwhile every function of
    torch that takes a layer's weight is looked at, and every attribute that is asked of a layer
    that factors could replace. Bare parameters (`kind` "parameter") are nobody's but the network's.
    """
    copied = with_weights(model, {})
    watched = {name: layer for name, layer in layers.items() if layer.kind != "parameter"}
    running, reads = _Running(copied), Reads()
    for name, layer in watched.items():
        if layer.refuses_factors is None:
            (owner,) = layer.owners(copied)  # a tied weight has several, and refuses factors
            _watch_attributes(name, owner, running, reads)
    with torch.no_grad(), _WeightReads(copied, watched, running, reads):
        run(copied)
    return reads


class _Running:
    """The modules of a private copy whose forward is running, the innermost last."""

    def __init__(self, model: nn.Module) -> None:
        self._stack: list[nn.Module] = []
        self._paths = {id(module): path for path, module in model.named_modules()}
        for module in model.modules():
            module.register_forward_pre_hook(self._enter)
            module.register_forward_hook(self._leave)

    def _enter(self, module: nn.Module, _inputs: Any) -> None:
        self._stack.append(module)

    def _leave(self, _module: nn.Module, _inputs: Any, _output: Any) -> None:
        self._stack.pop()

    def other_than(self, owners: Iterable[nn.Module]) -> str | None:
        """The innermost running module, in words, if it is none of `owners`."""
        if not self._stack or any(self._stack[-1] is owner for owner in owners):
            return None
        kind, path = type(self._stack[-1]).__name__, self._paths[id(self._stack[-1])]
        return f"{path} ({kind})" if path else f"the network ({kind})"


def _watch_attributes(name: str, module: nn.Module, running: _Running, reads: Reads) -> None:
    """Make `module`, of a private copy, note who asks for what factors would not answer."""
    kind = type(module)

    def look(self: nn.Module, attribute: str) -> Any:
        if not attribute.startswith("_") and not hasattr(ANSWERED_BY_FACTORS, attribute):
            reader = running.other_than([self])
            if reader is not None:
                reads.attributes.setdefault(name, f"{reader} reads its {attribute}")
        return kind.__getattribute__(self, attribute)

    # its class keeps its name: the network may ask for it
    watching: type = type(kind.__name__, (kind,), {"__getattribute__": look})
    module.__class__ = watching


class _WeightReads(TorchFunctionMode):
    """Sees each function of torch that is called, and notes which take a layer's weight."""

    def __init__(
        self, model: nn.Module, layers: Mapping[str, Layer], running: _Running, reads: Reads
    ) -> None:
        super().__init__()
        self._names = {id(model.get_parameter(la.key)): name for name, la in layers.items()}
        self._owners = {name: layer.owners(model) for name, layer in layers.items()}
        self._running, self._reads = running, reads

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if not isinstance(result, METADATA):
            tensors = (t for t in tree_iter((args, kwargs)) if isinstance(t, Tensor))
            for name in filter(None, (self._names.get(id(tensor)) for tensor in tensors)):
                reader = self._running.other_than(self._owners[name])
                if reader is not None:
                    self._reads.weights.setdefault(name, f"{reader} reads its weight, too")
        return result
