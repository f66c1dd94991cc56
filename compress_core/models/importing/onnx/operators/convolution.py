"""Convolutions, transposed ones too."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    refuse_absurd,
    single,
)
from compress_core.models.importing.onnx.operators.windows import (
    CONVOLUTIONS,
    Ends,
    Window,
    equal_ends,
    halves,
    pad_spatial,
    read_window,
)

TRANSPOSED = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, *, window: Window, groups: int
) -> Tensor:
    """x (B, C, …) with weight (out, C / groups, …)."""
    kernel = weight.shape[2:]
    axes = len(kernel)
    ends = window.ends(x.shape[2:], kernel)
    if equal_ends(ends):
        padding = [before for before, _ in ends]
    else:
        x, padding = pad_spatial(x, ends), [0] * axes
    return CONVOLUTIONS[axes](
        x, weight, bias, window.moves(axes), padding, window.spread(axes), groups
    )


def convolve_transposed(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    window: Window,
    groups: int,
    extra: Sequence[int] | None,
    sizes: Sequence[int] | None,
) -> Tensor:
    """x (B, C, …) with weight (C, out / groups, …); `extra` is ONNX's output_padding."""
    kernel = weight.shape[2:]
    axes = len(kernel)
    moves, spread = window.moves(axes), window.spread(axes)
    longer = tuple(extra or (0,) * axes)
    ends = cut_ends(x.shape[2:], kernel, window, longer, sizes)
    longest = [n * move for n, move in zip(x.shape[2:], moves, strict=True)]
    refuse_absurd([x.shape[0], weight.shape[1] * groups, *longest], "ConvTranspose")
    transposed = TRANSPOSED[axes]
    if equal_ends(ends) and all(before >= 0 for before, _ in ends) and not any(longer):
        padding = [before for before, _ in ends]
        return transposed(x, weight, bias, moves, padding, 0, groups, spread)
    whole = transposed(x, weight, None, moves, 0, 0, groups, spread)
    kept = [(-before, more - after) for (before, after), more in zip(ends, longer, strict=True)]
    whole = pad_spatial(whole, kept)
    return whole if bias is None else whole + bias.reshape(-1, *[1] * axes)


def cut_ends(
    inputs: Sequence[int],
    kernel: Sequence[int],
    window: Window,
    longer: Sequence[int],
    sizes: Sequence[int] | None,
) -> Ends:
    """What is cut off before and after each axis of the whole transposed convolution."""
    moves = window.moves(len(kernel))
    same = window.auto_pad in {"SAME_UPPER", "SAME_LOWER"}
    if sizes is None and not same:
        return window.ends(inputs, kernel)
    wanted = sizes or [n * move for n, move in zip(inputs, moves, strict=True)]
    wholes = [
        (n - 1) * move + reach + more
        for n, move, reach, more in zip(inputs, moves, window.reach(kernel), longer, strict=True)
    ]
    lower = window.auto_pad != "SAME_UPPER"
    return [halves(whole - size, lower) for whole, size in zip(wholes, wanted, strict=True)]


def exact_type(terms: int) -> torch.dtype:
    """The float type in which sums of so many products of 8-bit numbers are exact."""
    return torch.float32 if terms * 2**16 <= 2**24 else torch.float64


def as_integers(x: Tensor, kind: torch.dtype) -> Tensor:
    """Whole numbers in an integer type, or as they are where a gradient has to pass through."""
    return x if x.requires_grad else x.to(kind)


def convolve_integers(
    x: Tensor,
    weight: Tensor,
    x_zero_point: Tensor | None = None,
    weight_zero_point: Tensor | None = None,
    *,
    window: Window,
    groups: int,
) -> Tensor:
    """The convolution of 8-bit integers, in int32, exact."""
    kind = exact_type(weight[0].numel())
    zeros = 0 if x_zero_point is None else x_zero_point.to(kind)
    left, right = x.to(kind) - zeros, weight.to(kind)
    if weight_zero_point is not None:
        right = right - weight_zero_point.to(kind).reshape(-1, *[1] * (weight.dim() - 1))
    return as_integers(convolve(left, right, window=window, groups=groups), torch.int32)


def windowed(function: Callable[..., Tensor]) -> Builder:
    """The builder of a convolution with a window and groups, and no more attributes."""
    return partial(_windowed, function)


def _windowed(function: Callable[..., Tensor], read: Attributes) -> Operator | None:
    window, groups = read_window(read), read.integer("group", 1)
    return single(function, window=window, groups=groups) if window else None


def _convolve_transposed(read: Attributes) -> Operator | None:
    window, groups = read_window(read), read.integer("group", 1)
    extra, sizes = read.integers("output_padding"), read.integers("output_shape")
    if window is None:
        return None
    return single(convolve_transposed, window=window, groups=groups, extra=extra, sizes=sizes)


TABLE: dict[str, Builder] = {
    "Conv": windowed(convolve),
    "ConvInteger": windowed(convolve_integers),
    "ConvTranspose": _convolve_transposed,
}
