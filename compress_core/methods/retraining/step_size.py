"""Quantization-aware training with learned step sizes: the codes move, too."""

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from compress_core.methods.retraining.common import KIND, check_training
from compress_core.methods.step import ALL_LAYERS


@dataclass(frozen=True)
class QuantizeAware:
    """Train the weights behind their codes, and the scales, through the rounding.

    Forward the network computes with rounded weights; backward the gradient passes the rounding as
    if it were not there (straight-through), and not where a weight is clipped. It follows a step
    that quantizes: affine codes of any bits, low-bit floats, binary and ternary weights,
    and microscaled ones, whose scales follow from the weights.
    Raises ValueError for other values. Source: Esser et al. 2019, 1902.08153; binary weights
    Courbariaux et al. 2015, 1511.00363.
    """

    kind: ClassVar[str] = KIND

    epochs: int = 3
    learning_rate: float | None = None
    seed: int = 0
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_training(self)


def learned_steps(weight: Tensor, scale: Tensor, q_low: Tensor, q_high: Tensor) -> Tensor:
    """clamp(round(w / s)) · s with LSQ's gradients, in the shape of `weight`.

    `scale` broadcasts against `weight`, as the codes' bounds q_low … q_high do; zero is code 0. The
    gradient of a scale is divided by √(weights that share it · q_high).
    """
    share = weight.numel() / scale.numel()
    scale = scaled_gradient(scale, 1 / math.sqrt(share * max(float(q_high.max()), 1.0)))
    code = (weight / scale).clamp(q_low, q_high)
    return straight_through(code, code.round()) * scale


def straight_through(value: Tensor, rounded: Tensor) -> Tensor:
    """`rounded`, with the gradient of `value`."""
    return value + (rounded - value).detach()


def scaled_gradient(value: Tensor, factor: float) -> Tensor:
    """`value`, up to float rounding, with its gradient multiplied by `factor`."""
    scaled = value * factor
    return scaled + (value - scaled).detach()
