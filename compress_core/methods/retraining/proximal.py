"""Training with an L1 penalty, by proximal steps, so that zeros are true zeros."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from compress_core.methods.retraining.common import KIND, check_training
from compress_core.methods.step import ALL_LAYERS, check_number


@dataclass(frozen=True)
class L1Prune:
    """Train on loss + strength · Σ|w|; after each step every weight is drawn toward zero by
    learning rate · strength, and those that arrive stay there until a gradient moves them.

    Raises ValueError for other values. Source: Parikh & Boyd 2014, Proximal Algorithms §6.5.2.
    """

    kind: ClassVar[str] = KIND

    strength: float = 1e-4
    epochs: int = 5
    learning_rate: float | None = None
    seed: int = 0
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_number(
            "strength", self.strength, low=0, high=1e3, remedy="0.0001 makes a few more zeros"
        )
        check_training(self)


def soft_threshold(weight: Tensor, amount: float) -> Tensor:
    """sign(w) · max(|w| − amount, 0): the proximal operator of amount · |w|."""
    return weight.sign() * (weight.abs() - amount).clamp(min=0)
