"""The methods of the quantize page: the step of each, its formula, and what its picture shows."""

from dataclasses import dataclass

from compress_core.methods.quantization import (
    Binarize,
    Quantize,
    QuantizeFloat,
    QuantizeGPTQ,
    Ternarize,
)
from compress_core.steps import ROWS

WeightStep = Quantize | QuantizeGPTQ | QuantizeFloat | Ternarize | Binarize
AFFINE = r"w \approx \text{scale} \cdot (q - \text{zero\_point})"


@dataclass(frozen=True)
class Quantizer:
    """The type of its step, its formula, and a caption on what one sees in the picture."""

    step: type[WeightStep]
    formula: str
    caption: str


QUANTIZERS = {
    "affine": Quantizer(
        Quantize,
        AFFINE,
        "Drag an end of the range to clip there: the step then keeps that percentile of |w|.",
    ),
    "GPTQ": Quantizer(
        QuantizeGPTQ,
        AFFINE,
        "While you drag, rounding to the nearest stands in (≈) for the error feedback, which moves "
        "single weights further so that the layer's outputs move less, for the inputs of the "
        "original network: judge it by the accuracy, not by the SQNR.",
    ),
    "float": Quantizer(
        QuantizeFloat,
        r"w \approx \text{scale} \cdot v, \quad v \text{ a number of the format}",
        "A float's levels lie dense near zero, where most weights are. The scale puts the format's "
        "largest number on the largest |w|; 16 bits need none.",
    ),
    "ternary": Quantizer(
        Ternarize,
        r"w \approx \alpha \cdot \{-1, 0, 1\}, \quad 0 \text{ where } |w| \le \Delta",
        "Weights in the shaded band become 0, all others ±α; α is the scale.",
    ),
    "binary": Quantizer(
        Binarize,
        r"w \approx \alpha \cdot \operatorname{sign}(w), \quad \alpha = \text{mean } |w|",
        "Each weight keeps only its sign; α is the scale. No level is zero, so a pruned layer "
        "cannot be binarized.",
    ),
}
assert {method.step for method in QUANTIZERS.values()} == {
    row.type for row in ROWS if row.kind == "quantize"
}, "a step that quantizes has no method on the page, or the reverse"
