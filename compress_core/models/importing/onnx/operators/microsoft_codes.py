"""Operators of com.microsoft on codes: dequantized, computed in floats, and quantized again."""

from collections.abc import Callable, Sequence
from functools import partial
from math import ceil
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from compress_core.models.importing.onnx.operators import pooling, quantization, reductions
from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    plain,
    single,
    with_integers,
)
from compress_core.models.importing.onnx.operators.convolution import as_integers
from compress_core.models.importing.onnx.operators.matrices import multiply_integers
from compress_core.models.importing.onnx.operators.windows import read_window


def dequantized(codes: Tensor, scale: Tensor, zero_point: Tensor | None) -> Tensor:
    return quantization.dequantize(codes, scale, zero_point, axis=-1, block=0, kind=None)


def quantized(x: Tensor, scale: Tensor, zero_point: Tensor | None, like: Tensor) -> Tensor:
    """x as codes; without a zero point of the type of `like`."""
    zeros = torch.zeros((), dtype=like.dtype) if zero_point is None else zero_point
    codes = quantization.round_straight_through(x / scale) + zeros
    low, high = quantization.code_range(zeros.dtype, None)
    return as_integers(codes.clamp(low, high), zeros.dtype)


def on_codes(
    x: Tensor,
    scale: Tensor,
    zero_point: Tensor | None,
    y_scale: Tensor,
    y_zero_point: Tensor | None = None,
    *,
    function: Callable[[Tensor], Tensor],
) -> Tensor:
    y = function(dequantized(x, scale, zero_point))
    return quantized(y, y_scale, y_zero_point, x)


def on_two_codes(*inputs: Any, function: Callable[..., Tensor]) -> Tensor:
    """In ONNX's order: codes, scale and zero point of both, then scale and zero point of y."""
    y = function(dequantized(*inputs[:3]), dequantized(*inputs[3:6]))
    scale, zero_point = (*inputs[6:], None)[:2]
    return quantized(y, scale, zero_point, inputs[0])


def concat_codes(scale: Tensor, zero_point: Tensor, *inputs: Tensor, axis: int) -> Tensor:
    """Parts, each with scale and zero point of its own, in one scale."""
    parts = [dequantized(*inputs[i : i + 3]) for i in range(0, len(inputs), 3)]
    return quantized(torch.cat(parts, axis), scale, zero_point, zero_point)


def mean_over(x: Tensor, *, axes: Sequence[int] | None, keep: bool) -> Tensor:
    return reductions.mean_over(x, sorted(a % x.dim() for a in axes or range(x.dim())), keep)


def multiply_to_float(
    a: Tensor,
    b: Tensor,
    a_scale: Tensor,
    b_scale: Tensor,
    a_zero_point: Tensor | None = None,
    b_zero_point: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """A product of matrices of codes as floats."""
    y = multiply_integers(a, b, a_zero_point, b_zero_point).to(a_scale.dtype) * a_scale * b_scale
    return y if bias is None else y + bias


def multiply_dynamically(
    a: Tensor,
    b: Tensor,
    b_scale: Tensor,
    b_zero_point: Tensor | None = None,
    bias: Tensor | None = None,
) -> Tensor:
    """A in floats, quantized for the range that it has, times codes."""
    codes, scale, zero_point = quantization.quantize_dynamically(a)
    return multiply_to_float(codes, b, scale, b_scale, zero_point, b_zero_point, bias)


def multiply_packed(
    a: Tensor,
    packed: Tensor,
    scales: Tensor,
    *more: Tensor | None,
    sizes: tuple[int, int],
    bits: int,
    block: int,
) -> Tensor:
    """A (…, k) times a weight (n, k) whose codes are packed; `sizes` = (n, k).

    What may be left out: zero points, an order of the columns (never given here), bias.
    """
    zero_points, _, bias = (*more, *[None] * 3)[:3]
    weight = unpacked_weight(packed, scales, zero_points, sizes, bits, block)
    return functional.linear(a, weight.to(a.dtype), bias)


def unpacked_weight(
    packed: Tensor,
    scales: Tensor,
    zero_points: Tensor | None,
    sizes: tuple[int, int],
    bits: int,
    block: int,
) -> Tensor:
    """scale · (q − zero point) of each block along k, as (n, k)."""
    n, k = sizes
    blocks = ceil(k / block)
    codes = unpack(packed.reshape(n, blocks, -1), bits).to(scales.dtype)
    zeros = 2 ** (bits - 1) if zero_points is None else zeros_of(zero_points, n, blocks, bits)
    weight = (codes - zeros) * scales.reshape(n, blocks, 1)
    return weight.reshape(n, -1)[:, :k]


def zeros_of(zero_points: Tensor, n: int, blocks: int, bits: int) -> Tensor:
    """One zero point a block, packed like the codes, or floats."""
    if zero_points.dtype != torch.uint8:
        return zero_points.reshape(n, blocks, 1)
    return unpack(zero_points.reshape(n, -1), bits)[:, :blocks].unsqueeze(-1)


def unpack(packed: Tensor, bits: int) -> Tensor:
    """Codes of 2, 4 or 8 bits out of bytes, the lowest bits first."""
    shifts = torch.arange(0, 8, bits, dtype=torch.uint8)
    codes = (packed.unsqueeze(-1) >> shifts) & (2**bits - 1)
    return torch.flatten(codes, -2)


def _pool(read: Attributes) -> Operator | None:
    window, kernel = read_window(read), read.integers("kernel_shape")
    count_pads = read.flag("count_include_pad")
    if kernel is None or window is None or read.flag("channels_last"):
        return None
    pool = partial(pooling.average_pool, window=window, kernel=kernel, count_pads=count_pads)
    return single(on_codes, function=pool)


def _global_average(read: Attributes) -> Operator | None:
    if read.flag("channels_last"):
        return None
    return single(on_codes, function=pooling.global_average)


def _convolve_codes(read: Attributes) -> Operator | None:
    return None if read.flag("channels_last") else quantization.TABLE["QLinearConv"](read)


def _leaky_relu(read: Attributes) -> Operator:
    alpha = read.number("alpha", 0.01)
    return single(on_codes, function=partial(functional.leaky_relu, negative_slope=alpha))


def _softmax(read: Attributes) -> Operator | None:
    axis, opset = read.integer("axis", -1), read.integer("opset", 13)
    function = partial(functional.softmax, dim=axis)
    return single(on_codes, function=function) if opset >= 13 else None


def _mean(read: Attributes) -> Operator:
    axes, keep = read.integers("axes"), read.flag("keepdims", True)
    return single(on_codes, function=partial(mean_over, axes=axes, keep=keep))


def _multiply_packed(read: Attributes) -> Operator | None:
    bits, block = read.integer("bits", 4), read.integer("block_size", 32)
    sizes = (read.integer("N", 0), read.integer("K", 0))
    read.ignore("accuracy_level")  # how coarsely it may be computed
    if bits not in {2, 4, 8} or read.gives(4):
        return None
    return single(multiply_packed, sizes=sizes, bits=bits, block=block)


TABLE: dict[str, Builder] = {
    "DequantizeLinear": quantization.TABLE["DequantizeLinear"],
    "DynamicQuantizeMatMul": plain(multiply_dynamically),
    "MatMulIntegerToFloat": plain(multiply_to_float),
    "MatMulNBits": _multiply_packed,
    "QLinearAdd": plain(partial(on_two_codes, function=torch.add)),
    "QLinearAveragePool": _pool,
    "QLinearConcat": with_integers(concat_codes, axis=1),
    "QLinearConv": _convolve_codes,
    "QLinearGlobalAveragePool": _global_average,
    "QLinearLeakyRelu": _leaky_relu,
    "QLinearMul": plain(partial(on_two_codes, function=torch.mul)),
    "QLinearReduceMean": _mean,
    "QLinearSigmoid": plain(partial(on_codes, function=torch.sigmoid)),
    "QLinearSoftmax": _softmax,
    "QuantizeLinear": quantization.TABLE["QuantizeLinear"],
}
