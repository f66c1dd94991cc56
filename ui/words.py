"""Numbers and steps in words: percent, bytes and counts exist only from here on."""

import re

from compress_core.measurement.accuracy import Accuracy
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
    Ternarize,
)
from compress_core.methods.recalibration import RecalibrateNorms
from compress_core.methods.step import ALL_LAYERS
from compress_core.methods.structured import PruneStructured
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.recipe import Recipe, format_step, parse_step
from compress_core.steps import AnyStep

SEPARATOR = ";"


IMPORTANCE_WORDS = {
    "l1": "by L1 norm",
    "l2": "by L2 norm",
    "taylor": "by effect on the loss (Taylor)",
    "mean": "by mean output",
    "std": "by spread of the output",
    "apoz": "by zeros in the output",
    "random": "at random",
}


def percent(fraction: float, digits: int = 1) -> str:
    return f"{100 * fraction:.{digits}f} %"


def interval(low: float, high: float) -> str:
    return f"{percent(low)} … {percent(high)}"


def accuracy(found: Accuracy | None) -> str:
    """With half the width of its interval: "97.3 % ± 1.3"."""
    if found is None:
        return "not measured"
    half = (found.accuracy_high - found.accuracy_low) / 2
    return f"{percent(found.accuracy)} ± {100 * half:.1f}"


def change(before: float, after: float) -> str:
    """A signed difference, and its percentage: "−1,200 (−40.0 %)"."""
    relative = f" ({100 * (after / before - 1):+.1f} %)" if before else ""
    return f"{after - before:+,.0f}{relative}" if after != before else "same"


def signed(difference: float, digits: int, unit: str = "") -> str:
    """A difference with its sign, or "same" where it is none."""
    return f"{difference:+.{digits}f}{unit}" if round(difference, digits) else "same"


def ratio(value: float) -> str:
    """Two digits, but three near 1, where a header decides."""
    return f"{value:.3f}×" if 0.99 < value < 1.01 else f"{value:.2f}×"


def byte_size(count: float) -> str:
    """Decimal units, as files are sold: 41.2 KB is 41,200 bytes."""
    if count < 1000:
        return f"{count:.0f} B"
    return f"{count / 1000:.1f} KB" if count < 1e6 else f"{count / 1e6:.2f} MB"


def count(number: float) -> str:
    """2,293,000 as 2.29 M."""
    if number < 10_000:
        return f"{number:,.0f}"
    return f"{number / 1e3:.1f} K" if number < 1e6 else f"{number / 1e6:.2f} M"


def shape(sizes: tuple[int, ...]) -> str:
    return " × ".join(map(str, sizes))


def describe(step: AnyStep) -> str:
    """A step in a few words: "prune 90 % of all weights, smallest first"."""
    everywhere = step.layers == ALL_LAYERS
    where = "" if everywhere else f" in {', '.join(step.layers)}"
    return f"{_action(step, everywhere=everywhere)}{where}"


def describe_recipe(recipe: Recipe) -> str:
    return " → ".join(map(describe, recipe)) or "original"


def _action(step: AnyStep, *, everywhere: bool) -> str:
    match step.kind:
        case "prune":
            return _pruning(step, everywhere=everywhere)
        case "quantize":
            return _quantization(step)
        case "factorize":
            return _factorization(step)
        case _:
            return _others(step)


def _pruning(step: AnyStep, *, everywhere: bool) -> str:
    match step:
        case RandomPrune():
            return f"prune {percent(step.sparsity)} at random"
        case PruneNM():
            return f"prune to {step.n}:{step.m}"
        case PruneTaylor():
            return f"prune {_share(step, everywhere)} by effect on the loss (Taylor)"
        case PruneWanda():
            return f"prune {_share(step, everywhere)} by weight and input (Wanda)"
        case Prune(sparsity=float() as sparsity):
            scope = "globally" if step.scope == "global" else "of each layer"
            return f"prune {percent(sparsity)}" + (f" {scope}" if everywhere else "")
        case Prune(threshold=float() as threshold):
            return f"prune |w| ≤ {threshold:.4g}"
        case Prune():
            return f"prune |w| ≤ {step.sigmas:g} σ"
    raise TypeError(f"{step} has no words")


def _share(step: PruneTaylor | PruneWanda, everywhere: bool) -> str:
    """Of all layers together, of each layer or row; of a few layers the share alone."""
    scope = "globally" if step.scope == "global" else f"of each {step.scope}"
    return percent(step.sparsity) + (f" {scope}" if everywhere else "")


def _factorization(step: AnyStep) -> str:
    assert isinstance(step, Factorize)
    form = "" if step.form == "channel" else f" ({step.form})"
    seen = " by what the data need" if step.whiten else ""
    match step:
        case Factorize(rank=int() as rank):
            return f"factorize{form} to rank {rank}{seen}"
        case Factorize(energy=float() as energy):
            return f"factorize{form}{seen}, {percent(energy)} energy"
        case Factorize(budget=float() as budget):
            return f"factorize{form} to {percent(budget)} of the weights{seen}"
        case _:
            return f"factorize{form} at break-even{seen}"


def _quantization(step: AnyStep) -> str:
    match step:
        case QuantizeFloat():
            name = step.format.replace("_", " ")
            return f"round to {name}" + ("" if "16" in name else f", {_per(step)}")
        case Binarize():
            return "binarize to ±α"
        case Ternarize():
            return f"ternarize, zeros up to {step.delta:g} · mean |w|"
        case Quantize() | QuantizeGPTQ():
            rounding = " with error feedback (GPTQ)" if isinstance(step, QuantizeGPTQ) else ""
            text = f"quantize to {step.bits} bit{rounding}, {step.scheme}, {_per(step)}"
            if step.clipping == "min_max":
                return text
            clipped = "least error" if step.clipping == "mse" else f"{step.percentile:g} %"
            return f"{text}, clipped at {clipped}"
    raise TypeError(f"{step} has no words")


def _per(step: Quantize | QuantizeGPTQ | QuantizeFloat) -> str:
    shared = f"group of {step.group_size}" if step.granularity == "group" else step.granularity
    return f"per {shared}"


def _others(step: AnyStep) -> str:
    match step:
        case FoldBatchNorm():
            return "fold batch norms"
        case PruneStructured():
            by = IMPORTANCE_WORDS[step.importance]
            return f"remove {percent(step.pruning_ratio)} of the channels {by}"
        case ShareWeights():
            together = ", one codebook" if step.scope == "all" else ""
            return f"share {step.clusters} values{together}"
        case CorrectBias():
            return "correct the biases"
        case RecalibrateNorms():
            return f"recalibrate the norms on {step.samples} images"
        case QuantizeActivations():
            return f"inputs in {step.bits} bit, {step.mode}"
    raise TypeError(f"{step} has no words")


def escape_markdown(text: str) -> str:
    """Somebody's own words where Streamlit would read markdown."""
    return re.sub(r"([\\`*_{}\[\]()<>#+.!|~:$-])", r"\\\1", text)


def recipe_text(recipe: Recipe) -> str:
    """A recipe as one line: its steps' text forms joined by `;`."""
    return SEPARATOR.join(format_step(step) for step in recipe)


def read_recipe(text: str) -> Recipe:
    """The recipe in such a line. Raises ValueError where a step cannot be read."""
    return tuple(parse_step(part) for part in text.split(SEPARATOR) if part.strip())
