"""Knowledge distillation: a compressed student learns from the original network's outputs."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from compress_core.methods.retraining.common import KIND, check_training
from compress_core.methods.step import ALL_LAYERS, check_number


@dataclass(frozen=True)
class Distil:
    """Train the network so far, the student, on labels and on the original's softened answers.

    L = α · CE(y, p_s) + (1 − α) · T² · KL(p_tᵀ ‖ p_sᵀ), pᵀ = softmax(logits / T). α = 1 is plain
    fine-tuning, the control arm. Structure is held as in fine-tuning.
    The second term's gradient is T · (p_sᵀ − p_tᵀ) by logits, so its steps are up to T times as
    large as those of labels: at a high temperature a small student needs a smaller learning rate.
    Raises ValueError for other values. Source: Hinton et al. 2015, 1503.02531 §2.
    """

    kind: ClassVar[str] = KIND

    alpha: float = 0.1
    temperature: float = 4.0
    epochs: int = 5
    learning_rate: float | None = None
    seed: int = 0
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_number(
            "alpha", self.alpha, low=0, high=1, closed=True, remedy="0.1 trusts the teacher most"
        )
        check_number("temperature", self.temperature, low=0.1, high=1000, remedy="4 is usual")
        check_training(self)


def distillation_loss(
    student: Tensor, teacher: Tensor, labels_loss: Tensor, step: Distil
) -> Tensor:
    """α · `labels_loss` + (1 − α) · T² · KL, the mean over rows; logits (…, classes) of both."""
    if step.alpha == 1:
        return labels_loss
    warm = step.temperature
    kl = functional.kl_div(
        functional.log_softmax(student.flatten(0, -2) / warm, dim=-1),
        functional.log_softmax(teacher.flatten(0, -2) / warm, dim=-1),
        reduction="batchmean",
        log_target=True,
    )
    return step.alpha * labels_loss + (1 - step.alpha) * warm**2 * kl
