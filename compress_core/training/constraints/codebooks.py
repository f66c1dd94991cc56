"""Shared weights while they are trained: the indices stay, the values of the codebook move."""

from typing import ClassVar

import torch
from torch import Tensor

from compress_core.methods.weight_sharing import Shared
from compress_core.storage.streams import StoredWeight, weight_of
from compress_core.training.constraints.free import parameter, settled


class _Entries(torch.autograd.Function):
    """codebook[indices]; the gradient of an entry is the sum over its weights, in float64."""

    @staticmethod
    def forward(ctx, codebook: Tensor, indices: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        ctx.save_for_backward(indices)
        ctx.entries = len(codebook)
        return codebook[indices]

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[no-untyped-def]
        (indices,) = ctx.saved_tensors
        summed = torch.bincount(indices.flatten(), gradient.flatten().double(), ctx.entries)
        return summed.to(gradient.dtype), None


class Book:
    """The values of a codebook, which several weights may share; its zero stays zero."""

    def __init__(self, codebook: Tensor) -> None:
        self.values = parameter(codebook)
        self._kept = (codebook != 0).to(codebook)

    @torch.no_grad()
    def settle(self) -> None:
        self.values.mul_(self._kept)

    def ascending(self) -> tuple[Tensor, Tensor]:
        """The values, each once, in ascending order, and the new place of each entry."""
        found: tuple[Tensor, Tensor] = torch.unique(settled(self.values) + 0.0, return_inverse=True)
        return found


class Indexed:
    """Indices that stay, into a codebook that moves."""

    remembered: ClassVar[tuple[str, ...]] = ()

    def __init__(self, shared: Shared, book: Book) -> None:
        self._indices, self._book = shared.indices.long(), book
        self.parameters = [book.values]

    def weight(self) -> Tensor:
        found: Tensor = _Entries.apply(self._book.values, self._indices)  # type: ignore[no-untyped-call]
        return found

    def settle(self) -> None:
        self._book.settle()

    def stored(self) -> StoredWeight:
        codebook, places = self._book.ascending()
        return weight_of(Shared(codebook, places[self._indices].int()))
