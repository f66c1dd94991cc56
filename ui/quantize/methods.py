"""The methods of the quantize page: their steps, and what controls and picture show of a step."""

from dataclasses import dataclass

from compress_core.methods.quantization import (
    BITS,
    FORMAT_BITS,
    MX_FORMATS,
    Binarize,
    Quantize,
    QuantizeFloat,
    QuantizeGPTQ,
    QuantizeMX,
    Ternarize,
)
from compress_core.steps import ROWS, AnyStep
from ui.language import N_

WeightStep = Quantize | QuantizeGPTQ | QuantizeFloat | QuantizeMX | Ternarize | Binarize
AFFINE = r"w \approx \text{scale} \cdot (q - \text{zero\_point})"
SCOPES = (N_("all"), N_("one"))
GRANULARITIES = (N_("channel"), N_("tensor"), N_("group"))
SCHEMES = (N_("symmetric"), N_("asymmetric"))
CLIPPINGS = (N_("min_max"), N_("percentile"), N_("mse"))
FLOAT = 32  # the choice that means: not quantized; as a format,
FP32 = "fp32"
FORMATS = (*sorted(FORMAT_BITS, key=lambda name: FORMAT_BITS[name]), FP32)
UNSCALED = tuple(name for name, bits in FORMAT_BITS.items() if bits == 16)
MX_FORMAT_NAMES = (*sorted(MX_FORMATS, key=lambda name: MX_FORMATS[name].bits), FP32)
FORMATS_OF = {"float": FORMATS, "microscaling": MX_FORMAT_NAMES}  # methods that have formats
FORMAT_OF_BITS = {8: "fp8_e4m3", 16: "fp16"}  # others: nf4
MX_FORMAT_OF_BITS = {6: "mxfp6_e2m3", 8: "mxfp8_e4m3", 16: "mxfp8_e4m3"}  # others: mxfp4
FEWEST = 4  # bits of a method that is chosen where nothing is quantized yet
MOST_DELTA = 0.99
LEAST_PERCENTILE = 50.0  # of |w| that the controls clip at


@dataclass(frozen=True)
class Quantizer:
    """The type of its step, its formula, and a caption on what one sees in the picture; `_`
    translates the caption and the name."""

    step: type[WeightStep]
    formula: str
    caption: str


QUANTIZERS = {
    N_("affine"): Quantizer(
        Quantize,
        AFFINE,
        N_("Drag an end of the range to clip there: the step then keeps that percentile of |w|."),
    ),
    "GPTQ": Quantizer(
        QuantizeGPTQ,
        AFFINE,
        N_(
            "While you drag, rounding to the nearest is shown (≈) in place of the error feedback. "
            "The feedback moves single weights further, so that the layer's outputs move less on "
            "the inputs of the original network: judge it by the accuracy, not by the SQNR."
        ),
    ),
    N_("float"): Quantizer(
        QuantizeFloat,
        r"w \approx \text{scale} \cdot v, \quad v \text{ a number of the format}",
        N_(
            "A float's levels lie dense near zero, where most weights are. The scale puts the "
            "format's largest number on the largest |w|; 16 bits need none."
        ),
    ),
    N_("microscaling"): Quantizer(
        QuantizeMX,
        r"w \approx \text{scale of the block} \cdot v, \quad v \text{ an element of the format}",
        N_(
            "Each block of a row has a scale of one byte: a power of two, for nvfp4 an fp8 number. "
            "One large weight coarsens only its block."
        ),
    ),
    N_("ternary"): Quantizer(
        Ternarize,
        r"w \approx \alpha \cdot \{-1, 0, 1\}, \quad 0 \text{ where } |w| \le \Delta",
        N_("Weights in the shaded band become 0, all others ±α; α is the scale."),
    ),
    N_("binary"): Quantizer(
        Binarize,
        r"w \approx \alpha \cdot \operatorname{sign}(w), \quad \alpha = \text{mean } |w|",
        N_(
            "Each weight keeps only its sign; α is the scale. No level is zero, so a pruned layer "
            "cannot be binarized."
        ),
    ),
}
assert {method.step for method in QUANTIZERS.values()} == {
    row.type for row in ROWS if row.kind == "quantize"
}, "a step that quantizes has no method on the page, or the reverse"


def sharing_of(step: AnyStep) -> Quantize:
    """The affine step with the same levels, or else with the weights that share a scale."""
    match step:
        case Quantize():
            return step
        case QuantizeGPTQ():
            return step.affine
        case QuantizeFloat() if FORMAT_BITS[step.format] == 16:
            return Quantize(granularity="tensor")
        case QuantizeFloat():
            return Quantize(granularity=step.granularity, group_size=step.group_size)
        case QuantizeMX():
            return Quantize(granularity="group", group_size=MX_FORMATS[step.format].block)
    return Quantize()


def bits_of(step: AnyStep | None) -> int:
    """Nominal bits of a weight, 32 where no step quantizes it."""
    match step:
        case Quantize() | QuantizeGPTQ():
            return step.bits
        case QuantizeFloat():
            return FORMAT_BITS[step.format]
        case QuantizeMX():
            return MX_FORMATS[step.format].bits
        case Ternarize():
            return 2
        case Binarize():
            return 1
    return FLOAT


def is_affine(step: AnyStep | None) -> bool:
    """Whether its levels are evenly spaced over a range that can be clipped."""
    return isinstance(step, Quantize | QuantizeGPTQ)


def bit_choices(method: str) -> list[int]:
    """The bits that a method can have, and 32."""
    return {"ternary": [2, FLOAT], "binary": [1, FLOAT]}.get(method, [*BITS, FLOAT])


def format_of_bits(method: str, bits: int) -> str:
    """The format of a method with these bits, or one of its smallest."""
    if method == "microscaling":
        return MX_FORMAT_OF_BITS.get(bits, "mxfp4")
    return FORMAT_OF_BITS.get(bits, "nf4")


def format_words(name: str) -> str:
    """A format as people write it: fp8 e4m3."""
    return name.replace("_", " ")
