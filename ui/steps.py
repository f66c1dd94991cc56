"""What each type of step is called: the one place for the words of a step.

A new step gets its case in `said`; until then mypy names it (`assert_never`).
"""

from dataclasses import dataclass
from typing import assert_never

from compress_core.applying.prune import ScoreStep
from compress_core.methods.folding import FoldBatchNorm
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune, PruneNM, PruneTaylor, PruneWanda, RandomPrune
from compress_core.methods.quantization import (
    Binarize,
    CorrectBias,
    Quantize,
    QuantizeActivations,
    QuantizeFloat,
    QuantizeGPTQ,
    QuantizeRest,
    Ternarize,
)
from compress_core.methods.recalibration import RecalibrateNorms
from compress_core.methods.retraining import (
    Distil,
    FineTune,
    GradualPrune,
    L1Prune,
    QuantizeAware,
    RateTrain,
    Rewind,
)
from compress_core.methods.retraining.common import TrainingFields
from compress_core.methods.step import ALL_LAYERS
from compress_core.methods.structured import PruneStructured
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.steps import AnyStep
from compress_core.wording.numbers import percent

IMPORTANCE_WORDS = {
    "l1": "by L1 norm",
    "l2": "by L2 norm",
    "taylor": "by effect on the loss (Taylor)",
    "mean": "by mean output",
    "std": "by spread of the output",
    "apoz": "by zeros in the output",
    "random": "at random",
}


@dataclass(frozen=True)
class Said:
    """A step in words: `sentence` without the layers it names ("prune 90 % globally"), `method` in
    a word or two for tables, without the numbers that stand in their cells."""

    sentence: str
    method: str


def said(step: AnyStep) -> Said:  # noqa: C901  # one case a type
    """The words of a step."""
    match step:
        case FoldBatchNorm():
            return Said("fold batch norms", "norms folded")
        case PruneStructured():
            return _channels(step)
        case Factorize():
            return _factors(step)
        case Prune():
            return Said(f"prune {_magnitudes(step)}", "magnitude")
        case RandomPrune():
            return Said(f"prune {percent(step.sparsity)} at random", "random")
        case PruneNM():
            return Said(f"prune to {step.n}:{step.m}", f"{step.n}:{step.m}")
        case PruneTaylor():
            return Said(f"prune {_ranked(step)} by effect on the loss (Taylor)", "Taylor")
        case PruneWanda():
            return Said(f"prune {_ranked(step)} by weight and input (Wanda)", "Wanda")
        case Quantize():
            return Said(f"quantize to {step.bits} bit, {_levels(step)}", "affine")
        case QuantizeGPTQ():
            text = f"quantize to {step.bits} bit with error feedback (GPTQ), {_levels(step)}"
            return Said(text, "GPTQ")
        case QuantizeFloat():
            return _floats(step)
        case Binarize():
            return Said("binarize to ±α", "binary")
        case Ternarize():
            return Said(f"ternarize, zeros up to {step.delta:g} · mean |w|", "ternary")
        case ShareWeights():
            together = ", one codebook" if step.scope == "all" else ""
            return Said(f"share {step.clusters} values{together}", f"k-means, {step.init}")
        case CorrectBias():
            return Said("correct the biases", "bias corrected")
        case RecalibrateNorms():
            text = f"recalibrate the norms on {step.samples} images"
            return Said(text, "norms recalibrated")
        case QuantizeRest():
            named = "" if step.tensors == ("*",) else f" ({', '.join(step.tensors)})"
            scales = "" if step.scales == "fp32" else f", scales in {step.scales}"
            text = f"biases and norms in {step.bits} bit{named}{scales}"
            return Said(text, f"rest {step.bits} bit")
        case QuantizeActivations():
            return Said(f"inputs in {step.bits} bit, {step.mode}", f"inputs {step.bits} bit")
        case FineTune():
            return Said(f"fine-tune{_epochs(step)}", "fine-tuned")
        case GradualPrune():
            share = percent(step.sparsity)
            return Said(f"prune {share} little by little{_epochs(step)}", "pruned gradually")
        case L1Prune():
            text = f"train with an L1 penalty of {step.strength:g}{_epochs(step)}"
            return Said(text, "L1-trained")
        case Rewind():
            return Said(f"{_start(step)} and train{_epochs(step)}", "rewound")
        case QuantizeAware():
            return Said(f"train the codes{_epochs(step)}", "codes trained")
        case Distil():
            text = f"learn from the original (α {step.alpha:g}, T {step.temperature:g})"
            return Said(f"{text}{_epochs(step)}", "distilled")
        case RateTrain():
            text = f"train for fewer bits (strength {step.strength:g})"
            return Said(f"{text}{_epochs(step)}", "trained for rate")
        case _:
            assert_never(step)


def describe(step: AnyStep) -> str:
    """A step in a few words: "prune 90 % globally", "prune to 2:4 in fc1"."""
    where = "" if step.layers == ALL_LAYERS else f" in {', '.join(step.layers)}"
    return f"{said(step).sentence}{where}"


def _epochs(step: TrainingFields) -> str:
    return f" for {step.epochs} epoch{'s' * (step.epochs != 1)}"


def _start(step: Rewind) -> str:
    if step.start == "random":
        return "draw new initial weights"
    if step.early_epochs:
        return f"rewind to epoch {step.early_epochs}"
    return "rewind to the initial weights"


def _channels(step: PruneStructured) -> Said:
    share, by = percent(step.pruning_ratio), IMPORTANCE_WORDS[step.importance]
    return Said(f"remove {share} of the channels {by}", f"channels by {step.importance}")


def _factors(step: Factorize) -> Said:
    aware = ", data-aware" if step.whiten else ""
    form = "" if step.form == "channel" else f" ({step.form})"
    return Said(f"factorize{form}{_ranks(step)}", f"{step.form}{aware}")


def _ranks(step: Factorize) -> str:
    seen = " by what the data need" if step.whiten else ""
    if step.rank is not None:
        return f" to rank {step.rank}{seen}"
    if step.energy is not None:
        return f"{seen}, {percent(step.energy)} energy"
    if step.budget is not None:
        return f" to {percent(step.budget)} of the weights{seen}"
    return f" at break-even{seen}"


def _magnitudes(step: Prune) -> str:
    if step.sparsity is not None:
        return _ranked(step)
    if step.threshold is not None:
        return f"|w| ≤ {step.threshold:.4g}"
    return f"|w| ≤ {step.sigmas:g} σ"


def _ranked(step: Prune | ScoreStep) -> str:
    """The share, and where all layers are named what is ranked together."""
    assert step.sparsity is not None
    scope = "globally" if step.scope == "global" else f"of each {step.scope}"
    return percent(step.sparsity) + (f" {scope}" if step.layers == ALL_LAYERS else "")


def _floats(step: QuantizeFloat) -> Said:
    shared = "" if "16" in step.format else f", {_per(step)}"
    return Said(f"round to {step.format.replace('_', ' ')}{shared}", step.format)


def _levels(step: Quantize | QuantizeGPTQ) -> str:
    text = f"{step.scheme}, {_per(step)}"
    if step.clipping == "min_max":
        return text
    clipped = "least error" if step.clipping == "mse" else f"{step.percentile:g} %"
    return f"{text}, clipped at {clipped}"


def _per(step: Quantize | QuantizeGPTQ | QuantizeFloat) -> str:
    shared = f"group of {step.group_size}" if step.granularity == "group" else step.granularity
    return f"per {shared}"
