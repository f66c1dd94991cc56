"""What each type of step is called: the one place for the words of a step.

A new step gets its case in `said` and in the function of its family; until then mypy names it
(`assert_never`).
"""

from dataclasses import dataclass
from typing import assert_never

from compress_core.applying.prune import ScoreStep
from compress_core.methods.folding import FoldBatchNorm
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune, PruneNM, PruneTaylor, PruneWanda, RandomPrune
from compress_core.methods.quantization import (
    MX_FORMATS,
    Binarize,
    CorrectBias,
    Quantize,
    QuantizeActivations,
    QuantizeFloat,
    QuantizeGPTQ,
    QuantizeMX,
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
from compress_core.methods.step import ALL_LAYERS
from compress_core.methods.structured import PruneStructured
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.steps import AnyStep
from compress_core.wording.numbers import percent
from ui.language import N_, _, n_

IMPORTANCE_WORDS = {
    "l1": N_("by L1 norm"),
    "l2": N_("by L2 norm"),
    "taylor": N_("by effect on the loss (Taylor)"),
    "mean": N_("by mean output"),
    "std": N_("by spread of the output"),
    "apoz": N_("by zeros in the output"),
    "random": N_("at random"),
}
RANKED = {  # what is ranked together
    "global": N_("{share} globally"),
    "layer": N_("{share} of each layer"),
    "row": N_("{share} of each row"),
}
PER = {"tensor": N_("per tensor"), "channel": N_("per channel")}
CHOICES = (  # of steps, as they say them
    *(N_("symmetric"), N_("asymmetric"), N_("static"), N_("dynamic")),
    *(N_("optimal"), N_("linear"), N_("density"), N_("random"), N_("mean"), N_("std")),
    *(N_("channel"), N_("spatial"), N_("tucker")),
)


@dataclass(frozen=True)
class Said:
    """A step in words: `sentence` without the layers it names ("prune 90 % globally"), `method` in
    a word or two for tables, without the numbers that stand in their cells."""

    sentence: str
    method: str


def said(step: AnyStep) -> Said:
    """The words of a step, in the reader's language."""
    match step:
        case FoldBatchNorm():
            return Said(_("fold batch norms"), _("norms folded"))
        case PruneStructured():
            return _channels(step)
        case Factorize():
            return _factors(step)
        case Prune() | RandomPrune() | PruneNM() | PruneTaylor() | PruneWanda():
            return _pruned(step)
        case (
            Quantize() | QuantizeGPTQ() | QuantizeFloat() | QuantizeMX() | Binarize() | Ternarize()
        ):
            return _quantized(step)
        case ShareWeights():
            return _shared(step)
        case CorrectBias() | RecalibrateNorms() | QuantizeRest() | QuantizeActivations():
            return _around_weights(step)
        case FineTune() | Distil() | Rewind():
            return _trained(step)
        case GradualPrune() | L1Prune() | QuantizeAware() | RateTrain():
            return _compressed_in_training(step)
        case _:
            assert_never(step)


def _pruned(step: Prune | RandomPrune | PruneNM | PruneTaylor | PruneWanda) -> Said:
    match step:
        case Prune():
            return Said(_("prune {what}", what=_magnitudes(step)), _("magnitude"))
        case RandomPrune():
            text = _("prune {share} at random", share=percent(step.sparsity))
            return Said(text, _("random"))
        case PruneNM():
            return Said(_("prune to {n}:{m}", n=step.n, m=step.m), f"{step.n}:{step.m}")
        case PruneTaylor():
            text = _("prune {what} by effect on the loss (Taylor)", what=_ranked(step))
            return Said(text, "Taylor")
        case PruneWanda():
            text = _("prune {what} by weight and input (Wanda)", what=_ranked(step))
            return Said(text, "Wanda")
        case _:
            assert_never(step)


def _quantized(
    step: Quantize | QuantizeGPTQ | QuantizeFloat | QuantizeMX | Binarize | Ternarize,
) -> Said:
    match step:
        case Quantize():
            text = _("quantize to {bits} bit, {levels}", bits=step.bits, levels=_levels(step))
            return Said(text, _("affine"))
        case QuantizeGPTQ():
            text = _(
                "quantize to {bits} bit with error feedback (GPTQ), {levels}",
                bits=step.bits,
                levels=_levels(step),
            )
            return Said(text, "GPTQ")
        case QuantizeFloat():
            return _floats(step)
        case QuantizeMX():
            name = step.format.replace("_", " ")
            size = MX_FORMATS[step.format].block
            return Said(_("round to {format}, blocks of {size}", format=name, size=size), name)
        case Binarize():
            return Said(_("binarize to ±α"), _("binary"))
        case Ternarize():
            text = _("ternarize, zeros up to {delta:g} · mean |w|", delta=step.delta)
            return Said(text, _("ternary"))
        case _:
            assert_never(step)


def _around_weights(
    step: CorrectBias | RecalibrateNorms | QuantizeRest | QuantizeActivations,
) -> Said:
    """What is not a weight: biases, norms, and the inputs of layers."""
    match step:
        case CorrectBias():
            return Said(_("correct the biases"), _("bias corrected"))
        case RecalibrateNorms():
            text = _("recalibrate the norms on {samples} images", samples=step.samples)
            return Said(text, _("norms recalibrated"))
        case QuantizeRest():
            return _rest(step)
        case QuantizeActivations():
            text = _("inputs in {bits} bit, {mode}", bits=step.bits, mode=_(step.mode))
            return Said(text, _("inputs {bits} bit", bits=step.bits))
        case _:
            assert_never(step)


def _trained(step: FineTune | Distil | Rewind) -> Said:
    match step:
        case FineTune():
            text = n_("fine-tune for {n} epoch", "fine-tune for {n} epochs", step.epochs)
            return Said(text, _("fine-tuned"))
        case Distil():
            text = n_(
                "learn from the original (α {alpha:g}, T {temperature:g}) for {n} epoch",
                "learn from the original (α {alpha:g}, T {temperature:g}) for {n} epochs",
                step.epochs,
                alpha=step.alpha,
                temperature=step.temperature,
            )
            return Said(text, _("distilled"))
        case Rewind():
            text = n_(
                "{start} and train for {n} epoch",
                "{start} and train for {n} epochs",
                step.epochs,
                start=_start(step),
            )
            return Said(text, _("rewound"))
        case _:
            assert_never(step)


def _compressed_in_training(step: GradualPrune | L1Prune | QuantizeAware | RateTrain) -> Said:
    match step:
        case GradualPrune():
            text = n_(
                "prune {share} little by little for {n} epoch",
                "prune {share} little by little for {n} epochs",
                step.epochs,
                share=percent(step.sparsity),
            )
            return Said(text, _("pruned gradually"))
        case L1Prune():
            text = n_(
                "train with an L1 penalty of {strength:g} for {n} epoch",
                "train with an L1 penalty of {strength:g} for {n} epochs",
                step.epochs,
                strength=step.strength,
            )
            return Said(text, _("L1-trained"))
        case QuantizeAware():
            text = n_(
                "train the codes for {n} epoch", "train the codes for {n} epochs", step.epochs
            )
            return Said(text, _("codes trained"))
        case RateTrain():
            text = n_(
                "train for fewer bits (strength {strength:g}) for {n} epoch",
                "train for fewer bits (strength {strength:g}) for {n} epochs",
                step.epochs,
                strength=step.strength,
            )
            return Said(text, _("trained for rate"))
        case _:
            assert_never(step)


def describe(step: AnyStep) -> str:
    """A step in a few words: "prune 90 % globally", "prune to 2:4 in fc1"."""
    text = said(step).sentence
    if step.layers == ALL_LAYERS:
        return text
    return _("{step} in {layers}", step=text, layers=", ".join(step.layers))


def _start(step: Rewind) -> str:
    if step.start == "random":
        return _("draw new initial weights")
    if step.early_epochs:
        return _("rewind to epoch {epoch}", epoch=step.early_epochs)
    return _("rewind to the initial weights")


def _channels(step: PruneStructured) -> Said:
    text = _(
        "remove {share} of the channels {by}",
        share=percent(step.pruning_ratio),
        by=_(IMPORTANCE_WORDS[step.importance]),
    )
    return Said(text, _("channels by {importance}", importance=_(step.importance)))


def _factors(step: Factorize) -> Said:
    form = _(step.form)
    text = _("factorize") if step.form == "channel" else _("factorize ({form})", form=form)
    if step.energy is not None:
        text = _by_data(text) if step.whiten else text
        text = _("{factorize}, {energy} energy", factorize=text, energy=percent(step.energy))
    else:
        text = _ranks(step, text)
        text = _by_data(text) if step.whiten else text
    return Said(text, _("{form}, data-aware", form=form) if step.whiten else form)


def _by_data(factorize: str) -> str:
    return _("{factorize} by what the data need", factorize=factorize)


def _ranks(step: Factorize, factorize: str) -> str:
    if step.rank is not None:
        return _("{factorize} to rank {rank}", factorize=factorize, rank=step.rank)
    if step.budget is not None:
        share = percent(step.budget)
        return _("{factorize} to {share} of the weights", factorize=factorize, share=share)
    return _("{factorize} at break-even", factorize=factorize)


def _magnitudes(step: Prune) -> str:
    if step.sparsity is not None:
        return _ranked(step)
    if step.threshold is not None:
        return f"|w| ≤ {step.threshold:.4g}"
    return f"|w| ≤ {step.sigmas:g} σ"


def _ranked(step: Prune | ScoreStep) -> str:
    """The share, and where all layers are named what is ranked together."""
    assert step.sparsity is not None
    share = percent(step.sparsity)
    return _(RANKED[step.scope], share=share) if step.layers == ALL_LAYERS else share


def _floats(step: QuantizeFloat) -> Said:
    name = step.format.replace("_", " ")
    if "16" in step.format:
        return Said(_("round to {format}", format=name), step.format)
    return Said(_("round to {format}, {per}", format=name, per=_per(step)), step.format)


def _levels(step: Quantize | QuantizeGPTQ) -> str:
    levels = _("{scheme}, {per}", scheme=_(step.scheme), per=_per(step))
    if step.clipping == "mse":
        return _("{levels}, clipped at least error", levels=levels)
    if step.clipping == "percentile":
        return _("{levels}, clipped at {share:g} %", levels=levels, share=step.percentile)
    return levels


def _per(step: Quantize | QuantizeGPTQ | QuantizeFloat) -> str:
    if step.granularity == "group":
        return _("per group of {size}", size=step.group_size)
    return _(PER[step.granularity])


def _shared(step: ShareWeights) -> Said:
    text = _("share {clusters} values", clusters=step.clusters)
    if step.scope == "all":
        text = _("{shared}, one codebook", shared=text)
    return Said(text, _("k-means, {init}", init=_(step.init)))


def _rest(step: QuantizeRest) -> Said:
    text = _("biases and norms in {bits} bit", bits=step.bits)
    if step.tensors != ("*",):
        text = f"{text} ({', '.join(step.tensors)})"
    if step.scales != "fp32":
        text = _("{rest}, scales in {format}", rest=text, format=step.scales)
    return Said(text, _("rest {bits} bit", bits=step.bits))
