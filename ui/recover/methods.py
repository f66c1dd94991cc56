"""Recover: the ways to train, each with its formula and a paragraph."""

from dataclasses import dataclass, replace

from compress_core.methods.retraining import (
    Distil,
    FineTune,
    GradualPrune,
    L1Prune,
    QuantizeAware,
    RateTrain,
    Rewind,
)
from compress_core.steps import AnyStep
from ui.language import N_, _

THEN = N_("then train")  # the words in a formula


@dataclass(frozen=True)
class Retraining:
    """A way to train: an example of its step, whose values the controls begin with; the formula;
    what it does and when it is of use."""

    step: AnyStep
    formula: str
    text: str


RETRAININGS = {
    N_("fine-tune"): Retraining(
        FineTune(),
        r"w \leftarrow w - \eta\, m \odot \nabla_w L, \qquad "
        r"c_k \leftarrow c_k - \eta \sum_{i:\, q_i = k} \nabla_{w_i} L",
        N_(
            "The values move, and all that the steps before have decided stays: pruned weights "
            "stay zero, ranks stay, codes stay while their scales move. Of shared weights the "
            "values of the codebook move: the gradient of an entry is the sum over all weights "
            "that use it. The first thing to try after any step."
        ),
    ),
    N_("gradual"): Retraining(
        GradualPrune(sparsity=0.9),
        r"s_t = s_f + (s_i - s_f)\,(1 - t)^3",
        N_(
            "Prunes a little more after every few batches, while the network trains and heals: "
            "fast at first, where many weights are of no use, slowly at the end. In the last third "
            "only the weights that are left are trained. At the same sparsity it loses less than "
            "pruning once."
        ),
    ),
    N_("L1"): Retraining(
        L1Prune(),
        r"w \leftarrow \operatorname{sign}(w)\,\max(|w| - \eta\lambda,\ 0)",
        N_(
            "After each step every weight is drawn toward zero by the same small amount; those "
            "that arrive stay there until a gradient moves them. So zeros are true zeros, and the "
            "training itself finds out how many each layer can spare."
        ),
    ),
    N_("ticket"): Retraining(
        Rewind(),
        rf"w \leftarrow m \odot w_0, \quad \text{{{THEN} }} m \odot w",
        N_(
            "A lottery ticket: the mask that pruning has found, on the weights that the network "
            "began with, trained anew. Whether the mask or the beginning matters is seen beside "
            "the control arm: the same mask on other initial weights."
        ),
    ),
    N_("train codes"): Retraining(
        QuantizeAware(),
        r"\hat w = s \cdot \operatorname{clamp}\!\left(\left\lfloor w/s \right\rceil\right), "
        r"\qquad \frac{\partial \hat w}{\partial w} \approx 1",
        N_(
            "Quantization-aware training: the network computes with rounded weights, and the "
            "gradient passes the rounding as if it were not there. Codes and scales move both. It "
            "follows a step that quantizes, and matters most at 3 bits and fewer."
        ),
    ),
    N_("distil"): Retraining(
        Distil(),
        r"L = \alpha\, CE(y, p_s) + (1 - \alpha)\, T^2\, KL(p_t^T \,\|\, p_s^T)",
        N_(
            "The compressed network, the student, learns from the softened answers of the "
            "original, the teacher: they say how alike the classes are, not only which is right. "
            "Beside it, as the control arm, the same training on the labels alone (α = 1)."
        ),
    ),
    N_("rate"): Retraining(
        RateTrain(),
        r"L + \lambda \cdot \tfrac{1}{n} \textstyle\sum_i -\log_2 p(q_i)",
        N_(
            "Trains the codes, and their length in the file with them: weights move to codes that "
            "are common, and common codes become cheaper. It follows `quantize`, and ends in a "
            "smaller file at the same bits."
        ),
    ),
}


def method_of(step: AnyStep) -> str:
    """The name of a step's way to train."""
    return next(name for name, way in RETRAININGS.items() if type(way.step) is type(step))


def formula_of(method: str) -> str:
    """The formula of a way to train, its words in the reader's language."""
    return RETRAININGS[method].formula.replace(THEN, _(THEN))


@dataclass(frozen=True)
class Arm:
    """The same training without what the method adds: what the method is worth, shows beside it."""

    step: AnyStep
    words: str


def control_arm(step: AnyStep) -> Arm | None:
    """The control arm of a training step; None where it has none, or is one itself."""
    match step:
        case Rewind(start="initial"):
            return Arm(replace(step, start="random"), N_("the same from random weights"))
        case Distil() if step.alpha != 1:
            return Arm(replace(step, alpha=1.0), N_("the same without the teacher"))
    return None
