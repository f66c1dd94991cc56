"""Rate-aware training: the loss and the length of the coded weights together."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compress_core.methods.retraining.common import KIND, check_training
from compress_core.methods.step import ALL_LAYERS, check_number


@dataclass(frozen=True)
class RateTrain:
    """Train as `QuantizeAware` does, on loss + strength · (mean bits of a weight).

    A code costs −log₂ of its share among the layer's codes, counted anew as training goes on; the
    cost of a weight between two codes is interpolated. So weights move to codes that are common,
    and common codes become cheaper. It follows `quantize` with affine codes.
    Raises ValueError for other values. Source: Oktay et al. 2019, 1906.06624 §3, with counted
    frequencies in place of a learned density.
    """

    kind: ClassVar[str] = KIND

    strength: float = 0.05
    epochs: int = 5
    learning_rate: float | None = None
    seed: int = 0
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_number(
            "strength", self.strength, low=0, high=1e3, remedy="0.05 makes files a little smaller"
        )
        check_training(self)


def code_lengths(codes: Tensor, alphabet: int) -> Tensor:
    """−log₂ of the share of each symbol, (alphabet,) float32; `codes` are symbols from 0 on.

    Every symbol is counted once more than it occurs, so that none costs infinitely much.
    """
    counts = torch.bincount(codes.flatten(), minlength=alphabet).float() + 1
    return -(counts / counts.sum()).log2()


def relaxed_bits(symbols: Tensor, lengths: Tensor) -> Tensor:
    """Σ of the lengths of real-valued symbols, interpolated between whole ones; differentiable."""
    below = symbols.detach().floor().clamp(0, len(lengths) - 2).long()
    fraction = symbols - below
    return (lengths[below] * (1 - fraction) + lengths[below + 1] * fraction).sum()
