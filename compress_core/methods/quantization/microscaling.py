"""Microscaling: blocks of a channel's inputs share a scale of one byte, their elements are small.

A scale of one byte is cheap enough for few weights: a large one coarsens only its own block.
"""

from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Literal

import torch
from torch import Tensor

from compress_core.methods.quantization.floats import decode_float, encode_float, nearest_entry
from compress_core.methods.quantization.granularity import scale_rows, spread
from compress_core.methods.quantization.ranges import positive_scale
from compress_core.methods.step import ALL_LAYERS, check_choice, check_layers
from compress_core.weights import as_matrix

MXFormat = Literal[
    "mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e2m3", "mxfp6_e3m2", "mxfp4", "mxint8", "nvfp4"
]


@dataclass(frozen=True)
class Element:
    """A number of a block: sign, exponent, and `mantissa` bits of fraction.

    `finite`: how many codes without a sign are numbers; those above are infinity and NaN.
    """

    bits: int
    mantissa: int
    bias: int
    finite: int
    block: int = 32


MX_FORMATS: dict[MXFormat, Element] = {
    "mxfp8_e4m3": Element(8, 3, 7, 127),
    "mxfp8_e5m2": Element(8, 2, 15, 124),
    "mxfp6_e2m3": Element(6, 3, 1, 32),
    "mxfp6_e3m2": Element(6, 2, 3, 32),
    "mxfp4": Element(4, 1, 1, 8),
    "mxint8": Element(8, 7, 0, 128),  # no exponent: multiples of 2⁻⁶, in two's complement
    "nvfp4": Element(4, 1, 1, 8, block=16),
}
SCALE_BIAS = 127  # of E8M0: byte b is 2^(b − 127), 255 is NaN
NOT_A_SCALE = 255


@dataclass(frozen=True)
class QuantizeMX:
    """Weights in blocks along the inputs of an output channel, each with a scale of one byte.

    format: "mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e2m3", "mxfp6_e3m2", "mxfp4" (e2m1) and "mxint8"
      share a power of two (E8M0) in blocks of 32; "nvfp4" has e2m1 in blocks of 16, whose scale is
      an fp8 e4m3 number times one float32 of the tensor.
    Raises ValueError for other values. Source: OCP Microscaling Formats 1.0 2023 §5, §6.3;
    Rouhani et al. 2023, 2310.10537; NVIDIA 2025, 2509.25149 app. C (nvfp4).
    """

    kind: ClassVar[str] = "quantize"

    format: MXFormat = "mxfp4"
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_choice("format", self.format, MX_FORMATS)
        check_layers(self.layers)


@dataclass(frozen=True, eq=False)
class MXCoded:
    """Codes of the elements (uint8, the weight's shape) and of the blocks' scales.

    `scale_codes` (uint8, (out, blocks)) are E8M0, for nvfp4 e4m3; `tensor_scale` (float32, ())
    multiplies all of them, and is 1 for every other format.
    """

    codes: Tensor
    scale_codes: Tensor
    tensor_scale: Tensor
    format: MXFormat

    @property
    def bits(self) -> int:
        """Bits of a code."""
        return MX_FORMATS[self.format].bits

    @property
    def group_size(self) -> int:
        """How many inputs of a channel share a scale."""
        return MX_FORMATS[self.format].block

    @property
    def scale(self) -> Tensor:
        """The scale of each block, float32, (out, blocks)."""
        if self.format == "nvfp4":
            return decode_float(self.scale_codes, "fp8_e4m3") * self.tensor_scale
        return power_of_two(self.scale_codes)

    def dequantize(self) -> Tensor:
        """scale · element, float32, in the shape of the weight."""
        values = as_matrix(decode_element(self.codes, self.format))
        return (values * spread(self.scale, values.shape, self.group_size)).view(self.codes.shape)


@cache
def magnitudes(mx_format: MXFormat) -> Tensor:
    """The numbers of an element without a sign, ascending: entry c is that of code c; float32."""
    element = MX_FORMATS[mx_format]
    codes = torch.arange(element.finite)
    exponent, fraction = codes >> element.mantissa, codes % 2**element.mantissa
    whole = fraction / 2**element.mantissa + (exponent > 0)
    return torch.ldexp(whole, exponent.clamp(min=1) - element.bias)


def largest_exponent(mx_format: MXFormat) -> int:
    """The exponent of an element's largest number: 8, 15, 2, 4, 2, 0, 2."""
    return int(torch.frexp(magnitudes(mx_format)[-1]).exponent) - 1


def encode_element(values: Tensor, mx_format: MXFormat) -> Tensor:
    """The codes of the nearest elements, uint8: halves to even, overflow to the largest, no −0."""
    found = nearest_entry(values.abs(), magnitudes(mx_format))
    half = 2 ** (MX_FORMATS[mx_format].bits - 1)
    # of a byte, 256 − code: uint8 wraps
    negative = 0 - found if mx_format == "mxint8" else found + half
    return torch.where((values < 0) & (found > 0), negative, found)


def decode_element(codes: Tensor, mx_format: MXFormat) -> Tensor:
    """The float32 numbers that codes stand for, NaN for codes that are no number."""
    return element_values(mx_format).to(codes.device)[codes.int()]


@cache
def element_values(mx_format: MXFormat) -> Tensor:
    """The number of each code, (2^bits,) float32."""
    half = 2 ** (MX_FORMATS[mx_format].bits - 1)
    positive = torch.full((half,), torch.nan)
    positive[: len(magnitudes(mx_format))] = magnitudes(mx_format)
    if mx_format == "mxint8":
        return torch.cat([positive, torch.tensor([-2.0]), -positive[1:].flip(0)])
    return torch.cat([positive, -positive])


def power_of_two(scale_codes: Tensor) -> Tensor:
    """E8M0 as float32: 2^(b − 127), the byte being the exponent of a float32."""
    bits = scale_codes.int() << 23
    return torch.where(scale_codes == 0, 1 << 22, bits).view(torch.float32)


def tensor_scale_for(largest: Tensor, mx_format: MXFormat) -> Tensor:
    """The float32 scale of a tensor whose largest magnitude is `largest`, ()."""
    if mx_format != "nvfp4":
        return torch.tensor(1.0)
    # then the block of the largest weight has the largest scale, 448, and the weight is 6
    return positive_scale(largest / (448 * 6))


def quantize_mx(weight: Tensor, step: QuantizeMX, tensor_scale: Tensor | None = None) -> MXCoded:
    """Round a weight (out, …) to a format; codes keep its shape. The input is untouched.

    tensor_scale: of a tensor that `weight` is a part of; None: of the weight itself.
    """
    matrix, block = as_matrix(weight), MX_FORMATS[step.format].block
    largest = scale_rows(matrix, "group", block).abs().amax(1).view(matrix.shape[0], -1)
    if tensor_scale is None:
        tensor_scale = tensor_scale_for(largest.max(), step.format)
    scale_codes = _encode_scales(largest, tensor_scale, step.format)
    coded = MXCoded(torch.zeros_like(scale_codes), scale_codes, tensor_scale, step.format)
    codes = encode_element(matrix / spread(coded.scale, matrix.shape, block), step.format)
    return MXCoded(codes.view(weight.shape), scale_codes, tensor_scale, step.format)


def _encode_scales(largest: Tensor, tensor_scale: Tensor, mx_format: MXFormat) -> Tensor:
    """The scales of blocks with these largest magnitudes; of zeros the smallest there is."""
    if mx_format == "nvfp4":
        return encode_float(largest / 6 / tensor_scale, "fp8_e4m3").clamp(min=1)  # 0 is no scale
    exponent = torch.frexp(largest).exponent - 1 - largest_exponent(mx_format)
    codes = (exponent + SCALE_BIAS).clamp(0, NOT_A_SCALE - 1)
    return torch.where(largest > 0, codes, 0).to(torch.uint8)
