"""Fine-tuning: the values move, and the structure that was stored stays."""

from dataclasses import dataclass
from typing import ClassVar

from compress_core.methods.retraining.common import KIND, check_training
from compress_core.methods.step import ALL_LAYERS


@dataclass(frozen=True)
class FineTune:
    """Train on with everything held that the steps before have decided.

    Pruned weights stay zero, ranks stay, codes stay while their scales move, indices stay while
    the values of their codebook move: the gradient of an entry is the sum over its weights.
    Raises ValueError for other values. Source: Han et al. 2015, 1506.02626 §3 (pruned weights);
    Han et al. 2015, 1510.00149 §3.3 (codebooks).
    """

    kind: ClassVar[str] = KIND

    epochs: int = 3
    learning_rate: float | None = None
    seed: int = 0
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_training(self)
