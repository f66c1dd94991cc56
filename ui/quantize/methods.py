"""The methods of the quantize page: their steps, and what controls and pictures show of a step."""

from compress_core import Quantize
from compress_core.methods.quantization import (
    BITS,
    FORMAT_BITS,
    Binarize,
    QuantizeFloat,
    QuantizeGPTQ,
    Ternarize,
)
from compress_core.steps import AnyStep

WeightStep = Quantize | QuantizeGPTQ | QuantizeFloat | Ternarize | Binarize
STEPS: dict[str, type[WeightStep]] = {
    "affine": Quantize,
    "GPTQ": QuantizeGPTQ,
    "float": QuantizeFloat,
    "ternary": Ternarize,
    "binary": Binarize,
}
METHODS = tuple(STEPS)
SCOPES = ("all", "one")
GRANULARITIES = ("channel", "tensor", "group")
SCHEMES = ("symmetric", "asymmetric")
CLIPPINGS = ("min_max", "percentile", "mse")
FLOAT = 32  # the choice that means: not quantized; as a format,
FP32 = "fp32"
FORMATS = (*sorted(FORMAT_BITS, key=lambda name: FORMAT_BITS[name]), FP32)
UNSCALED = tuple(name for name, bits in FORMAT_BITS.items() if bits == 16)
FORMAT_OF_BITS = {8: "fp8_e4m3", 16: "fp16"}  # others: nf4
FEWEST = 4  # bits of a method that is chosen where nothing is quantized yet
MOST_DELTA = 0.99
LEAST_PERCENTILE = 50.0  # of |w| that the controls clip at


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
    return Quantize()


def bits_of(step: AnyStep | None) -> int:
    """Nominal bits of a weight, 32 where no step quantizes it."""
    match step:
        case Quantize() | QuantizeGPTQ():
            return step.bits
        case QuantizeFloat():
            return FORMAT_BITS[step.format]
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


def format_words(name: str) -> str:
    """A float format as people write it: fp8 e4m3."""
    return name.replace("_", " ")
