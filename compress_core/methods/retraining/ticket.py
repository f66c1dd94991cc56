"""Lottery tickets: the mask of a trained network, on the weights that it began with."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from compress_core.methods.retraining.common import KIND, check_training
from compress_core.methods.step import ALL_LAYERS, check_choice, check_whole

Start = Literal["initial", "random"]


@dataclass(frozen=True)
class Rewind:
    """Set the network back to the weights that it had before training, and train it anew under the
    masks found since; `start` "random" draws other initial weights: the control arm.

    early_epochs: how many epochs of the network's own training the dense network is trained before
      it is pruned: 0 for the initial weights themselves.
    Raises ValueError for other values. Source: Frankle & Carbin 2018, 1803.03635; rewinding to
    early weights Frankle et al. 2019, 1903.01611.
    """

    kind: ClassVar[str] = KIND

    start: Start = "initial"
    early_epochs: int = 0
    epochs: int = 10
    learning_rate: float | None = None
    seed: int = 0
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_choice("start", self.start, get_args(Start))
        check_whole(
            "early_epochs", self.early_epochs, low=0, high=1000, remedy="0 is the very beginning"
        )
        check_training(self)
