"""Gradual pruning: the sparsity grows while the network trains."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from compress_core.methods.retraining.common import KIND, check_training
from compress_core.methods.step import ALL_LAYERS, check_choice, check_number

Schedule = Literal["cubic", "linear", "one_shot"]
RAMP = 2 / 3  # of the training the sparsity grows; in the rest the weights that are left recover


@dataclass(frozen=True)
class GradualPrune:
    """Prune by magnitude to `sparsity`, a little more after every few batches.

    schedule: "cubic" (fast at first), "linear", or "one_shot" (all at the start).
    scope: the smallest of all weights ("global"), or of each "layer".
    Weights that are zero already count, and stay zero.
    Raises ValueError for other values. Source: Zhu & Gupta 2017, 1710.01878 §3.
    """

    kind: ClassVar[str] = KIND

    sparsity: float
    schedule: Schedule = "cubic"
    scope: Literal["global", "layer"] = "global"
    epochs: int = 6
    learning_rate: float | None = None
    seed: int = 0
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_number("sparsity", self.sparsity, low=0, high=1, remedy="0.9 prunes nine of ten")
        check_choice("schedule", self.schedule, get_args(Schedule))
        check_choice("scope", self.scope, ("global", "layer"))
        check_training(self)


def sparsity_at(done: float, start: float, target: float, schedule: Schedule) -> float:
    """The sparsity after the fraction `done` in [0, 1] of the training.

    target + (start − target) · (1 − t)ᵖ, t = min(done / RAMP, 1), p = 3 (cubic), 1 (linear) or 0.
    """
    if target <= start:
        return start
    power = {"cubic": 3, "linear": 1, "one_shot": 0}[schedule]
    left = 1 - min(done / RAMP, 1.0)
    return target + (start - target) * left**power if power else target
