"""Float weights while they are trained, and what all constraints share."""

from typing import ClassVar, Protocol

import torch
from torch import Tensor, nn

from compress_core.methods.retraining import soft_threshold
from compress_core.storage.streams import StoredWeight
from compress_core.weights import Profile


class Constraint(Protocol):
    """One weight while it is trained. `weight()` is differentiable by `parameters`; `settle()`
    follows every step of the optimizer; `stored()` is what the file will hold. `remembered` are
    the attributes that, beside the parameters, change while it is trained."""

    parameters: list[nn.Parameter]
    remembered: ClassVar[tuple[str, ...]]

    def weight(self) -> Tensor: ...

    def settle(self) -> None: ...

    def stored(self) -> StoredWeight: ...


def parameter(values: Tensor) -> nn.Parameter:
    """A trainable copy; kernels in the layout in which convolutions run twice as fast."""
    layout = torch.channels_last if values.dim() == 4 else torch.contiguous_format
    return nn.Parameter(values.detach().clone(memory_format=layout))


def settled(values: Tensor) -> Tensor:
    """A parameter's values as they are stored: in row-major order, without gradients."""
    return values.detach().clone(memory_format=torch.contiguous_format)


class Free:
    """Float weights; those that `kept` leaves out stay exactly zero."""

    remembered: ClassVar[tuple[str, ...]] = ("kept",)

    def __init__(self, values: Tensor, kept: Tensor | None = None) -> None:
        self.values = parameter(values)
        self.parameters = [self.values]
        self.kept: Tensor | None = None
        if kept is not None and not bool(kept.all()):
            self.hold(kept)

    def hold(self, kept: Tensor) -> None:
        """From now on keep these weights and no others."""
        self.kept = kept.to(self.values)
        self.settle()

    def weight(self) -> Tensor:
        return self.values

    @torch.no_grad()
    def settle(self) -> None:
        if self.kept is not None:
            self.values.mul_(self.kept)

    @torch.no_grad()
    def shrink(self, amount: float) -> None:
        """A proximal step of an L1 penalty."""
        self.values.copy_(soft_threshold(self.values, amount))

    def stored(self) -> StoredWeight:
        return StoredWeight(Profile(settled(self.values) + 0.0))  # no -0.0


class Frozen:
    """A weight that is not trained."""

    remembered: ClassVar[tuple[str, ...]] = ()

    def __init__(self, stored: StoredWeight) -> None:
        self.parameters: list[nn.Parameter] = []
        self._stored = stored

    def weight(self) -> Tensor:
        return self._stored.values

    def settle(self) -> None:
        pass

    def stored(self) -> StoredWeight:
        return self._stored
