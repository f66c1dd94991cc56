"""Pools: the maximum, mean or norm of each window, and of the whole."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    multiple,
    plain,
    single,
    with_integers,
)
from compress_core.models.importing.onnx.operators.reductions import lowest_of
from compress_core.models.importing.onnx.operators.windows import (
    MEANS,
    Ends,
    Window,
    equal_ends,
    pad_spatial,
    read_window,
    sums,
)

MAXIMA = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}


def max_pool(x: Tensor, *, window: Window, kernel: tuple[int, ...]) -> Tensor:
    axes = len(kernel)
    if not x.is_floating_point():  # torch takes the maximum of windows of floats alone
        return max_pool(x.float(), window=window, kernel=kernel).to(x.dtype)
    ends = window.ends(x.shape[2:], kernel)
    small = all(2 * before <= k for (before, _), k in zip(ends, kernel, strict=True))
    if equal_ends(ends) and small and not window.ceil:
        padding = [before for before, _ in ends]
        return MAXIMA[axes](x, kernel, window.moves(axes), padding, window.spread(axes))
    padded = pad_spatial(x, _with_overhang(x, window, kernel), lowest_of(x.dtype))
    return MAXIMA[axes](padded, kernel, window.moves(axes), 0, window.spread(axes))


def _with_overhang(x: Tensor, window: Window, kernel: Sequence[int]) -> Ends:
    sizes = x.shape[2:]
    more = window.overhang(sizes, kernel)
    ends = window.ends(sizes, kernel)
    return [(before, after + extra) for (before, after), extra in zip(ends, more, strict=True)]


def max_pool_with_places(
    x: Tensor, *, window: Window, kernel: tuple[int, ...], by_columns: bool
) -> tuple[Tensor, Tensor]:
    """The maxima, and where each lies in the whole tensor, counted by rows or by columns."""
    axes = len(kernel)
    ends = _with_overhang(x, window, kernel)
    padded = pad_spatial(x.double(), ends, lowest_of(torch.float64))
    values, places = MAXIMA[axes](
        padded, kernel, window.moves(axes), 0, window.spread(axes), return_indices=True
    )
    flat = torch.zeros_like(places)
    positions = unravel(places, padded.shape[2:])
    order = range(axes)
    for axis in reversed(order) if by_columns else order:
        flat = flat * x.shape[2 + axis] + positions[axis] - ends[axis][0]
    images = torch.arange(x.shape[0] * x.shape[1]).reshape(*x.shape[:2], *[1] * axes)
    return values.to(x.dtype), flat + images * x.shape[2:].numel()


def unravel(places: Tensor, sizes: Sequence[int]) -> list[Tensor]:
    """Row-major positions → the position along each axis."""
    positions: list[Tensor] = []
    for size in reversed(sizes):
        positions.insert(0, places % size)
        places = torch.div(places, size, rounding_mode="floor")
    return positions


def average_pool(x: Tensor, *, window: Window, kernel: tuple[int, ...], count_pads: bool) -> Tensor:
    """The mean of each window; padding counts as elements where `count_pads` says so."""
    axes, sizes = len(kernel), x.shape[2:]
    ends = window.ends(sizes, kernel)
    small = all(2 * before <= k for (before, _), k in zip(ends, kernel, strict=True))
    whole = not window.ceil and all(one == 1 for one in window.spread(axes))
    if whole and small and equal_ends(ends):
        padding = [before for before, _ in ends]
        return MEANS[axes](x, kernel, window.moves(axes), padding, False, count_pads)
    counted = torch.ones(1, 1, *sizes, dtype=x.dtype)
    counted = pad_spatial(counted, ends, float(count_pads))
    beyond = [(0, extra) for extra in window.overhang(sizes, kernel)]
    total = sums(pad_spatial(pad_spatial(x, ends), beyond), window, kernel)
    return total / sums(pad_spatial(counted, beyond), window, kernel)


def lp_pool(x: Tensor, *, window: Window, kernel: tuple[int, ...], p: int) -> Tensor:
    """(Σ |x|ᵖ)^(1/p) of each window."""
    padded = pad_spatial(x.abs() ** p, _with_overhang(x, window, kernel))
    return sums(padded, window, kernel) ** (1 / p)


def _spatial(x: Tensor) -> tuple[int, ...]:
    return tuple(range(2, x.dim()))


def global_average(x: Tensor) -> Tensor:
    return x.mean(_spatial(x), keepdim=True)


def global_maximum(x: Tensor) -> Tensor:
    return torch.amax(x, _spatial(x), keepdim=True)


def global_norm(x: Tensor, *, p: int) -> Tensor:
    return (x.abs() ** p).sum(_spatial(x), keepdim=True) ** (1 / p)


def _max_pool(read: Attributes) -> Operator | None:
    window, kernel = read_window(read), read.integers("kernel_shape")
    by_columns = read.flag("storage_order")
    if kernel is None or window is None:
        return None
    if len(read.outputs) < 2:
        return single(max_pool, window=window, kernel=kernel)
    return multiple(max_pool_with_places, window=window, kernel=kernel, by_columns=by_columns)


def _average_pool(read: Attributes) -> Operator | None:
    window, kernel = read_window(read), read.integers("kernel_shape")
    count_pads = read.flag("count_include_pad")
    if kernel is None or window is None:
        return None
    return single(average_pool, window=window, kernel=kernel, count_pads=count_pads)


def _lp_pool(read: Attributes) -> Operator | None:
    window, kernel = read_window(read), read.integers("kernel_shape")
    p = read.integer("p", 2)
    if kernel is None or window is None:
        return None
    return single(lp_pool, window=window, kernel=kernel, p=p)


TABLE: dict[str, Builder] = {
    "AveragePool": _average_pool,
    "GlobalAveragePool": plain(global_average),
    "GlobalLpPool": with_integers(global_norm, p=2),
    "GlobalMaxPool": plain(global_maximum),
    "LpPool": _lp_pool,
    "MaxPool": _max_pool,
}
