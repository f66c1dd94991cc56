"""Codes and what they stand for: x ≈ scale · (q − zero_point).

Codes are integers. Where a gradient has to pass through they stay floats with whole values, and
rounding passes it straight through: networks with quantized layers inside can be trained.
"""

import onnx
import torch
from torch import Tensor

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    plain,
    several,
    single,
)
from compress_core.models.importing.onnx.operators.convolution import (
    as_integers,
    convolve_integers,
    windowed,
)
from compress_core.models.importing.onnx.operators.matrices import multiply_integers
from compress_core.models.importing.onnx.operators.types import (
    FLOAT8,
    FOUR_BITS,
    TORCH_TYPES,
    cast,
)
from compress_core.models.importing.onnx.operators.windows import Window


def round_straight_through(x: Tensor) -> Tensor:
    """x rounded, halves to the even number; its gradient is that of x.

    Source: Bengio, Léonard and Courville 2013, arXiv 1308.3432, section 4.
    """
    rounded = torch.round(x)
    return x + (rounded - x).detach() if x.requires_grad else rounded


def along(values: Tensor, x: Tensor, axis: int, block: int) -> Tensor:
    """Scales or zero points in a shape that x is divided by: of the whole, an axis, or blocks."""
    if values.dim() == 0 or values.numel() == 1:
        return values.reshape(())
    axis = axis % x.dim()
    if block:
        return values.repeat_interleave(block, axis).narrow(axis, 0, x.shape[axis])
    return values.reshape([-1 if i == axis else 1 for i in range(x.dim())])


def code_range(kind: torch.dtype, four_bits: int | None) -> tuple[int, int]:
    if four_bits is not None:
        return FOUR_BITS[four_bits][:2]
    return torch.iinfo(kind).min, torch.iinfo(kind).max


def quantize(
    x: Tensor,
    scale: Tensor,
    zero_point: Tensor | None = None,
    *,
    axis: int,
    block: int,
    kind: torch.dtype,
    four_bits: int | None,
    saturate: bool,
) -> Tensor:
    """clamp(round(x / scale) + zero_point), halves to the even number."""
    kind = kind if zero_point is None else zero_point.dtype
    ratio = x / along(scale, x, axis, block).to(x.dtype)
    if kind in FLOAT8:
        return cast(ratio, to=kind, saturate=saturate)
    codes = round_straight_through(ratio.float())
    if zero_point is not None:
        codes = codes + along(zero_point, x, axis, block).float()
    return as_integers(codes.clamp(*code_range(kind, four_bits)), kind)


def dequantize(
    x: Tensor,
    scale: Tensor,
    zero_point: Tensor | None = None,
    *,
    axis: int,
    block: int,
    kind: torch.dtype | None,
) -> Tensor:
    """scale · (x − zero_point)."""
    whole = torch.float32 if x.is_floating_point() else torch.int32
    codes = x.to(whole)
    if zero_point is not None:
        codes = codes - along(zero_point, x, axis, block).to(whole)
    return (codes.to(scale.dtype) * along(scale, x, axis, block)).to(kind or scale.dtype)


def quantize_dynamically(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Codes of 8 bits, scale and zero point for the range of x together with zero."""
    low, high = x.min().clamp(max=0), x.max().clamp(min=0)
    scale = (high - low) / 255
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    zero_point = torch.round((-low / scale).clamp(0, 255)).detach()
    codes = (round_straight_through(x / scale) + zero_point).clamp(0, 255)
    return as_integers(codes, torch.uint8), scale, zero_point.to(torch.uint8)


def requantize(
    sums: Tensor, x_scale: Tensor, weight_scale: Tensor, y_scale: Tensor, y_zero_point: Tensor
) -> Tensor:
    """Sums of products of codes as codes of another scale."""
    factor = x_scale.double() * weight_scale.double() / y_scale.double()
    codes = round_straight_through(sums * factor) + y_zero_point
    limits = code_range(y_zero_point.dtype, None)
    return as_integers(codes.clamp(*limits), y_zero_point.dtype)


def convolve_codes(*inputs: Tensor, window: Window, groups: int) -> Tensor:
    """A convolution whose input, weight and output are codes.

    The inputs in ONNX's order: x, its scale and zero point; the weight, its scale and zero point;
    the output's scale and zero point; and maybe the bias as int32.
    """
    x, x_scale, x_zeros, weight, weight_scale, weight_zeros, y_scale, y_zero_point = inputs[:8]
    sums = convolve_integers(x, weight, x_zeros, weight_zeros, window=window, groups=groups)
    per_channel = [-1] + [1] * (x.dim() - 2)
    for bias in inputs[8:]:
        sums = sums + bias.reshape(per_channel)
    return requantize(sums, x_scale, weight_scale.reshape(per_channel), y_scale, y_zero_point)


def multiply_codes(
    a: Tensor,
    a_scale: Tensor,
    a_zero_point: Tensor,
    b: Tensor,
    b_scale: Tensor,
    b_zero_point: Tensor,
    y_scale: Tensor,
    y_zero_point: Tensor,
) -> Tensor:
    """A product of matrices of codes."""
    sums = multiply_integers(a, b, a_zero_point, b_zero_point)
    rows = a_scale.unsqueeze(-1) if a_scale.numel() > 1 and a_scale.dim() == 1 else a_scale
    return requantize(sums, rows, b_scale, y_scale, y_zero_point)


def _quantize(read: Attributes) -> Operator | None:
    axis, block = read.integer("axis", 1), read.integer("block_size", 0)
    saturate = read.flag("saturate", True)
    wanted = read.integer("output_dtype", 0) or onnx.TensorProto.UINT8
    four_bits = wanted if wanted in FOUR_BITS else None
    if read.integer("precision", 0) not in {0, onnx.TensorProto.FLOAT}:
        return None
    kind = TORCH_TYPES.get(wanted) if four_bits is None else FOUR_BITS[four_bits][2]
    if kind is None:
        return None
    return single(
        quantize,
        axis=axis,
        block=block,
        kind=kind,
        four_bits=four_bits,
        saturate=saturate,
    )


def _dequantize(read: Attributes) -> Operator | None:
    axis, block = read.integer("axis", 1), read.integer("block_size", 0)
    wanted = read.integer("output_dtype", 0)
    if wanted and wanted not in TORCH_TYPES:
        return None
    return single(dequantize, axis=axis, block=block, kind=TORCH_TYPES.get(wanted))


TABLE: dict[str, Builder] = {
    "DequantizeLinear": _dequantize,
    "DynamicQuantizeLinear": several(quantize_dynamically),
    "QLinearConv": windowed(convolve_codes),
    "QLinearMatMul": plain(multiply_codes),
    "QuantizeLinear": _quantize,
}
