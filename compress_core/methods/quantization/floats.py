"""Low-bit floats: w ≈ scale · v, v the nearest number of a format of 16, 8 or 4 bits.

Their levels lie dense near zero, where most weights are; an affine code spaces them evenly.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from compress_core.methods.quantization.granularity import (
    GRANULARITIES,
    Granularity,
    fitted_group,
    scale_rows,
    scale_shape,
    spread,
)
from compress_core.methods.quantization.ranges import positive_scale
from compress_core.methods.step import ALL_LAYERS, check_choice, check_layers, check_whole
from compress_core.weights import as_matrix

FloatFormat = Literal["fp16", "bf16", "fp8_e4m3", "fp8_e5m2", "fp4_e2m1", "nf4"]

FORMAT_BITS: dict[FloatFormat, int] = {
    "fp16": 16,
    "bf16": 16,
    "fp8_e4m3": 8,
    "fp8_e5m2": 8,
    "fp4_e2m1": 4,
    "nf4": 4,
}
DTYPES: dict[FloatFormat, torch.dtype] = {
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "fp8_e4m3": torch.float8_e4m3fn,
    "fp8_e5m2": torch.float8_e5m2,
}
# code 8 is -0, which no weight gets: a zero is code 0
E2M1 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])
NF4 = torch.tensor(
    [
        -1.0,
        -0.6961928009986877,
        -0.5250730514526367,
        -0.39491748809814453,
        -0.28444138169288635,
        -0.18477343022823334,
        -0.09105003625154495,
        0.0,
        0.07958029955625534,
        0.16093020141124725,
        0.24611230194568634,
        0.33791524171829224,
        0.44070982933044434,
        0.5626170039176941,
        0.7229568362236023,
        1.0,
    ]
)


@dataclass(frozen=True)
class QuantizeFloat:
    """Weights as floats of 16, 8 or 4 bits, scaled so that max|w| is the format's largest number.

    format: "fp16" and "bf16" (never scaled, so that granularity means nothing to them);
      "fp8_e4m3", "fp8_e5m2", "fp4_e2m1" of the OCP; "nf4", the quantiles of a normal distribution.
    granularity: one float32 scale per tensor, output channel, or `group_size` inputs of a channel.
    Raises ValueError for other values. Source: Micikevicius et al. 2022, 2209.05433 (fp8); OCP
    Microscaling Formats 1.0 2023 §5.3.3 (e2m1); Dettmers et al. 2023, 2305.14314 §3, app. E (nf4).
    """

    kind: ClassVar[str] = "quantize"

    format: FloatFormat = "fp8_e4m3"
    granularity: Granularity = "channel"
    group_size: int = 32
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_choice("format", self.format, FORMAT_BITS)
        check_choice("granularity", self.granularity, GRANULARITIES)
        check_whole("group_size", self.group_size, low=2, high=2**31, remedy="32 is usual")
        check_layers(self.layers)


@dataclass(frozen=True, eq=False)
class FloatCoded:
    """Bit patterns of a float format and the scale that turns them back into weights.

    `codes` has the weight's shape (uint16 for 16 bits, else uint8; the index in its table for
    nf4); `scale` (float32) has shape () per tensor, (out,) per channel, (out, groups) per group.
    """

    codes: Tensor
    scale: Tensor
    format: FloatFormat
    group_size: int | None

    @property
    def bits(self) -> int:
        """Bits of a code."""
        return FORMAT_BITS[self.format]

    def dequantize(self) -> Tensor:
        """scale · v, float32, in the shape of the weight."""
        values = as_matrix(decode_float(self.codes, self.format))
        return (values * spread(self.scale, values.shape, self.group_size)).view(self.codes.shape)


def largest_value(float_format: FloatFormat) -> float:
    """The largest finite number of a format: 65504, 3.4e38, 448, 57344, 6, 1."""
    if float_format in DTYPES:
        return torch.finfo(DTYPES[float_format]).max
    return float((E2M1 if float_format == "fp4_e2m1" else NF4).max())


def encode_float(values: Tensor, float_format: FloatFormat) -> Tensor:
    """The codes of the nearest numbers: halves to even, overflow to the largest, no negative zero.

    values: float32 of any shape; returns uint16 or uint8 of the same shape.
    """
    if float_format == "nf4":
        return nearest_entry(values, NF4)
    if float_format == "fp4_e2m1":
        magnitude = nearest_entry(values.abs(), E2M1[:8])
        return torch.where((values < 0) & (magnitude > 0), magnitude + 8, magnitude)
    limit = largest_value(float_format)
    rounded = values.clamp(-limit, limit).to(DTYPES[float_format]).float()
    # -0 + 0 is +0: the same number, and one symbol less to code
    return (rounded + 0.0).to(DTYPES[float_format]).view(_code_type(float_format))


def decode_float(codes: Tensor, float_format: FloatFormat) -> Tensor:
    """The float32 numbers that codes stand for; inverse of `encode_float`."""
    if float_format in DTYPES:
        return codes.view(DTYPES[float_format]).float()
    table = E2M1 if float_format == "fp4_e2m1" else NF4
    return table.to(codes.device)[codes.int()]


def nearest_entry(values: Tensor, table: Tensor) -> Tensor:
    """The index of the nearest entry of an ascending table, uint8; of two the even one."""
    middles = ((table[1:] + table[:-1]) / 2).to(values.device)
    below = torch.bucketize(values, middles)  # a value on a middle goes down here …
    above = torch.bucketize(values, middles, right=True)  # … and up here
    return torch.where(below % 2 == 0, below, above).to(torch.uint8)


def quantize_float(weight: Tensor, step: QuantizeFloat) -> FloatCoded:
    """Round a weight (out, …) to a float format; codes keep its shape. The input is untouched."""
    matrix = as_matrix(weight)
    if FORMAT_BITS[step.format] == 16:
        return FloatCoded(encode_float(weight, step.format), torch.tensor(1.0), step.format, None)
    group_size = fitted_group(step.granularity, step.group_size, matrix.shape[1])
    rows = scale_rows(matrix, step.granularity, group_size)
    scale = positive_scale(rows.abs().amax(1) / largest_value(step.format))
    scale = scale.view(scale_shape(matrix.shape, step.granularity, group_size))
    codes = encode_float(matrix / spread(scale, matrix.shape, group_size), step.format)
    return FloatCoded(codes.view(weight.shape), scale, step.format, group_size)


def _code_type(float_format: FloatFormat) -> torch.dtype:
    return torch.uint16 if FORMAT_BITS[float_format] == 16 else torch.uint8
