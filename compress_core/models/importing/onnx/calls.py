"""How a node of a graph calls the layer that was made of it: what ONNX has and torch's module has
not, such as padding that differs on both sides, is done around the module."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

Tensors = Sequence[Tensor | None]
Results = tuple[Tensor | None, ...]


class Call(Protocol):
    """Immutable; what it is made of is said by its repr."""

    def __call__(self, module: nn.Module, inputs: Tensors) -> Results: ...


@dataclass(frozen=True)
class Plain:
    """module(x)."""

    def __call__(self, module: nn.Module, inputs: Tensors) -> Results:
        return (module(inputs[0]),)


@dataclass(frozen=True)
class Padded:
    """A convolution of inputs with zeros around: `before` and `behind` each dimension."""

    before: tuple[int, ...]
    behind: tuple[int, ...]

    def __call__(self, module: nn.Module, inputs: Tensors) -> Results:
        return (module(functional.pad(_given(inputs[0]), _flat(self.before, self.behind))),)


@dataclass(frozen=True)
class SamePadded:
    """A convolution whose outputs are as many as its strides: ceil(size / stride). `lower` puts an
    odd zero in front."""

    lower: bool
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]

    def __call__(self, module: nn.Module, inputs: Tensors) -> Results:
        x = _given(inputs[0])
        sizes = x.shape[2:]
        totals = [
            max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
            for size, k, s, d in zip(sizes, self.kernel, self.strides, self.dilations, strict=True)
        ]
        small, large = [t // 2 for t in totals], [t - t // 2 for t in totals]
        before, behind = (large, small) if self.lower else (small, large)
        return (module(functional.pad(x, _flat(before, behind))),)


@dataclass(frozen=True)
class Cropped:
    """A transposed convolution whose outputs lose rows at both ends of each dimension."""

    before: tuple[int, ...]
    behind: tuple[int, ...]

    def __call__(self, module: nn.Module, inputs: Tensors) -> Results:
        y = module(inputs[0])
        for i, (first, last) in enumerate(zip(self.before, self.behind, strict=True)):
            y = y.narrow(i + 2, first, y.shape[i + 2] - first - last)
        return (y,)


@dataclass(frozen=True)
class Lookup:
    """Rows of an embedding; −1 is the last one."""

    def __call__(self, module: nn.Module, inputs: Tensors) -> Results:
        assert isinstance(module, nn.Embedding)
        indices = _given(inputs[0]).long()
        return (module(torch.where(indices < 0, indices + module.num_embeddings, indices)),)


@dataclass(frozen=True)
class Recurrent:
    """Inputs (X, initial h, initial c), outputs (Y, h, c) in ONNX's layout: X (T, B, in),
    Y (T, directions, B, hidden). `backward` runs from the last step to the first."""

    directions: int
    backward: bool
    has_cell: bool

    def __call__(self, module: nn.Module, inputs: Tensors) -> Results:
        x = _given(inputs[0])
        x = x.flip(0) if self.backward else x
        y, last = module(x, self._state(module, x, inputs[1:]))
        y = y.reshape(*y.shape[:2], self.directions, -1).transpose(1, 2)
        y = y.flip(0) if self.backward else y
        return (y, *last) if self.has_cell else (y, last)

    def _state(
        self, module: nn.Module, x: Tensor, given: Tensors
    ) -> Tensor | tuple[Tensor, ...] | None:
        wanted = given[: 2 if self.has_cell else 1]
        if all(state is None for state in wanted):
            return None
        assert isinstance(module, nn.RNNBase)
        shape = (self.directions, x.shape[1], module.hidden_size)
        states = tuple(
            x.new_zeros(shape) if state is None else state.expand(shape) for state in wanted
        )
        return states if self.has_cell else states[0]


def _given(tensor: Tensor | None) -> Tensor:
    assert tensor is not None, "a layer's first input is never left out"
    return tensor


def _flat(before: Sequence[int], behind: Sequence[int]) -> list[int]:
    """As functional.pad takes it: the last dimension first."""
    pairs = zip(reversed(before), reversed(behind), strict=True)
    return [size for pair in pairs for size in pair]
