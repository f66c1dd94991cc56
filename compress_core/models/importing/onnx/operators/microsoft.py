"""Operators of com.microsoft that fuse several of ONNX's, in floats."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from compress_core.models.importing.onnx.operators import activations, shapes
from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    multiple,
    number_of,
    plain,
    single,
    with_numbers,
)
from compress_core.models.importing.onnx.operators.convolution import convolve
from compress_core.models.importing.onnx.operators.matrices import gemm
from compress_core.models.importing.onnx.operators.normalization import layer_norm, rms_norm
from compress_core.models.importing.onnx.operators.windows import Window, read_window

FUSED: dict[str, Callable[[Tensor], Tensor]] = {
    "": shapes.identity,
    "Relu": torch.relu,
    "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh,
}


def multiply(a: Tensor, b: Tensor, *, alpha: float, transposed: tuple[bool, bool]) -> Tensor:
    """α · A B, of matrices whose last two axes may be swapped first."""
    left, right = (
        x.transpose(-1, -2) if turned and x.dim() > 1 else x
        for x, turned in zip((a, b), transposed, strict=True)
    )
    product = left @ right
    return product if alpha == 1 else alpha * product


def bias_gelu(x: Tensor, bias: Tensor) -> Tensor:
    return functional.gelu(x + bias)


def fast_gelu(x: Tensor, bias: Tensor | None = None) -> Tensor:
    return functional.gelu(x if bias is None else x + bias, approximate="tanh")


def bias_add(x: Tensor, bias: Tensor, skip: Tensor) -> Tensor:
    return x + bias + skip


def expand_dims(x: Tensor, axis: Tensor) -> Tensor:
    return x.unsqueeze(number_of(axis))


def skip_norm(
    x: Tensor,
    skip: Tensor,
    scale: Tensor,
    shift: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    epsilon: float,
) -> tuple[Tensor | None, ...]:
    """The layer norm of x + skip + bias, and (as the fourth output) that sum."""
    total = x + skip if bias is None else x + skip + bias
    return layer_norm(total, scale, shift, axis=-1, epsilon=epsilon), None, None, total


def skip_rms_norm(
    x: Tensor, skip: Tensor, scale: Tensor, bias: Tensor | None = None, *, epsilon: float
) -> tuple[Tensor | None, ...]:
    total = x + skip if bias is None else x + skip + bias
    return rms_norm(total, scale, axis=-1, epsilon=epsilon), None, None, total


def convolve_and_activate(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    skip: Tensor | None = None,
    *,
    window: Window,
    groups: int,
    activation: Callable[[Tensor], Tensor],
) -> Tensor:
    y = convolve(x, weight, bias, window=window, groups=groups)
    return activation(y if skip is None else y + skip)


def gemm_and_activate(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    alpha: float,
    beta: float,
    transposed: tuple[bool, bool],
    activation: Callable[[Tensor], Tensor],
) -> Tensor:
    return activation(gemm(a, b, c, alpha=alpha, beta=beta, transposed=transposed))


def _multiply(read: Attributes) -> Operator | None:
    if read.flag("transBatchA") or read.flag("transBatchB"):
        return None
    transposed = (read.flag("transA"), read.flag("transB"))
    return single(multiply, alpha=read.number("alpha", 1.0), transposed=transposed)


def _skip_norm(read: Attributes) -> Operator | None:
    """Mean and deviation, outputs for training alone, are not computed here."""
    simplified = read.operator == "SkipSimplifiedLayerNormalization"
    epsilon = read.number("epsilon", 1e-12)
    if any(read.outputs[1:3]):
        return None
    return multiple(skip_rms_norm if simplified else skip_norm, epsilon=epsilon)


def _convolve(read: Attributes) -> Operator | None:
    window, groups = read_window(read), read.integer("group", 1)
    activation = FUSED.get(read.text("activation", ""))
    if activation is None or window is None:
        return None
    return single(convolve_and_activate, window=window, groups=groups, activation=activation)


def _gemm(read: Attributes) -> Operator | None:
    activation = FUSED.get(read.text("activation", ""))
    alpha, beta = read.number("alpha", 1.0), read.number("beta", 1.0)
    transposed = (read.flag("transA"), read.flag("transB"))
    if activation is None:
        return None
    return single(
        gemm_and_activate, alpha=alpha, beta=beta, transposed=transposed, activation=activation
    )


TABLE: dict[str, Builder] = {
    "BiasAdd": plain(bias_add),
    "BiasGelu": plain(bias_gelu),
    "ExpandDims": plain(expand_dims),
    "FastGelu": plain(fast_gelu),
    "FusedConv": _convolve,
    "FusedGemm": _gemm,
    "FusedMatMul": _multiply,
    "Gelu": plain(functional.gelu),
    "Inverse": plain(torch.linalg.inv),
    "QuickGelu": with_numbers(activations.swish, alpha=1.702),
    "SkipLayerNormalization": _skip_norm,
    "SkipSimplifiedLayerNormalization": _skip_norm,
    "TransposeMatMul": _multiply,
}
