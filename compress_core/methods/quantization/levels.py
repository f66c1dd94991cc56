"""Levels: the numbers that codes can stand for, for the weights that share one scale."""

from functools import cache

import torch
from torch import Tensor

from compress_core.methods.quantization.affine import Quantized
from compress_core.methods.quantization.binary import SignCoded
from compress_core.methods.quantization.floats import (
    FORMAT_BITS,
    FloatCoded,
    FloatFormat,
    decode_float,
)
from compress_core.methods.quantization.granularity import Granularity
from compress_core.methods.quantization.microscaling import MXCoded, magnitudes
from compress_core.methods.quantization.ranges import code_range

ScaledCodes = Quantized | FloatCoded | SignCoded | MXCoded
GRANULARITY_BY_DIM: tuple[Granularity, ...] = ("tensor", "channel", "group")


def granularity_of(coded: ScaledCodes) -> Granularity:
    """The granularity of these codes, which the shape of their scale tells."""
    return GRANULARITY_BY_DIM[coded.scale.dim()]


def channel_scale(coded: ScaledCodes, channel: int) -> float:
    """The scale of an output channel (of its first group), or the one of the whole tensor."""
    return float(_of_channel(coded.scale, channel))


def channel_levels(coded: ScaledCodes, channel: int) -> Tensor:
    """The numbers that a weight of an output channel (of its first group) may become.

    scale · (q - zero_point) for all q, scale · v for all finite v of a float format (of ± an
    element's magnitudes), or ±scale;
    (levels,) float32, ascending.
    """
    scale = _of_channel(coded.scale, channel)
    if isinstance(coded, SignCoded):
        return torch.tensor([-1.0, 1.0]) * scale
    if isinstance(coded, FloatCoded):
        return format_values(coded.format) * scale
    if isinstance(coded, MXCoded):
        positive = magnitudes(coded.format)
        return torch.cat([-positive[1:].flip(0), positive]) * scale
    q_min, q_max = code_range(coded.bits, coded.scheme)
    return (torch.arange(q_min, q_max + 1) - _of_channel(coded.zero_point, channel)) * scale


@cache
def format_values(float_format: FloatFormat) -> Tensor:
    """All finite numbers of a float format, ascending, zero once; (values,) float32."""
    bits = FORMAT_BITS[float_format]
    codes = torch.arange(2**bits, dtype=torch.int32).to(torch.uint16 if bits == 16 else torch.uint8)
    values = decode_float(codes, float_format)
    finite: Tensor = values[values.isfinite()].unique()
    return finite


def _of_channel(parameter: Tensor, channel: int) -> Tensor:
    return parameter if parameter.dim() == 0 else parameter[channel].ravel()[0]
