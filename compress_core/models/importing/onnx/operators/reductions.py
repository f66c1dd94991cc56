"""Reductions over axes: sums, means, norms, extremes and where they lie."""

from collections.abc import Callable, Sequence
from functools import reduce

import torch
from torch import Tensor

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    multiple,
    number_of,
    single,
    sizes_of,
)
from compress_core.models.importing.onnx.operators.types import STORED_ONLY

Reduction = Callable[[Tensor, Sequence[int], bool], Tensor]


def sum_over(x: Tensor, axes: Sequence[int], keep: bool) -> Tensor:
    return x.sum(tuple(axes), keepdim=keep, dtype=x.dtype) if axes else x


def mean_over(x: Tensor, axes: Sequence[int], keep: bool) -> Tensor:
    """The mean; of integers cut towards zero."""
    if x.is_floating_point():
        return x.mean(tuple(axes), keepdim=keep) if axes else x
    count = reduce(lambda n, axis: n * x.shape[axis], axes, 1)
    wide = x.sum(tuple(axes), keepdim=keep) if axes else x
    return torch.div(wide, count, rounding_mode="trunc").to(x.dtype)


def product_over(x: Tensor, axes: Sequence[int], keep: bool) -> Tensor:
    for axis in axes:
        x = x.prod(axis, keepdim=True, dtype=x.dtype)
    return x if keep else _drop(x, axes)


def _drop(x: Tensor, axes: Sequence[int]) -> Tensor:
    return x.reshape([n for i, n in enumerate(x.shape) if i not in axes])


def largest_over(x: Tensor, axes: Sequence[int], keep: bool) -> Tensor:
    if any(x.shape[axis] == 0 for axis in axes):
        return _constant_over(x, axes, keep, lowest_of(x.dtype))
    return torch.amax(x, tuple(axes), keep) if axes else x


def smallest_over(x: Tensor, axes: Sequence[int], keep: bool) -> Tensor:
    if any(x.shape[axis] == 0 for axis in axes):
        return _constant_over(x, axes, keep, highest_of(x.dtype))
    return torch.amin(x, tuple(axes), keep) if axes else x


def _constant_over(x: Tensor, axes: Sequence[int], keep: bool, value: float) -> Tensor:
    sizes = [1 if i in axes else n for i, n in enumerate(x.shape)]
    result = torch.full(sizes, value, dtype=x.dtype)
    return result if keep else _drop(result, axes)


def lowest_of(kind: torch.dtype) -> float:
    """What a maximum over nothing is."""
    if kind == torch.bool:
        return False
    return -torch.inf if kind.is_floating_point else torch.iinfo(kind).min


def highest_of(kind: torch.dtype) -> float:
    """What a minimum over nothing is."""
    if kind == torch.bool:
        return True
    return torch.inf if kind.is_floating_point else torch.iinfo(kind).max


def l1_over(x: Tensor, axes: Sequence[int], keep: bool) -> Tensor:
    return sum_over(x.abs(), axes, keep)


def l2_over(x: Tensor, axes: Sequence[int], keep: bool) -> Tensor:
    return sum_over(x * x, axes, keep).sqrt().to(x.dtype)


def squares_over(x: Tensor, axes: Sequence[int], keep: bool) -> Tensor:
    return sum_over(x * x, axes, keep)


def log_sum_over(x: Tensor, axes: Sequence[int], keep: bool) -> Tensor:
    return sum_over(x, axes, keep).log().to(x.dtype)


def log_sum_exp_over(x: Tensor, axes: Sequence[int], keep: bool) -> Tensor:
    wide = x if x.is_floating_point() else x.double()
    return torch.logsumexp(wide, tuple(axes), keep).to(x.dtype) if axes else x


def reduce_over(
    x: Tensor,
    given: Tensor | None = None,
    *,
    reduction: Reduction,
    axes: Sequence[int] | None,
    keep: bool,
    empty_is_none: bool,
) -> Tensor:
    """The reduction over the axes of the attribute or of the second input; over all if none."""
    chosen = sizes_of(given) if given is not None else list(axes or ())
    if not chosen and empty_is_none:
        return reduction(x, (), keep)
    return reduction(x, sorted({axis % x.dim() for axis in chosen} or range(x.dim())), keep)


def extreme_position(x: Tensor, *, least: bool, axis: int, keep: bool, last: bool) -> Tensor:
    """Where the largest (or smallest) element along the axis lies: the first or the last one."""
    find = torch.argmin if least else torch.argmax
    if not last:
        return find(x, axis, keepdim=keep)
    return x.shape[axis] - 1 - find(x.flip(axis), axis, keepdim=keep)


def cumulate(x: Tensor, at: Tensor, *, product: bool, exclusive: bool, backwards: bool) -> Tensor:
    """Running sum (or product) along an axis; `exclusive` leaves each element's own value out."""
    axis = number_of(at)
    x = x.flip(axis) if backwards else x
    if exclusive:
        first = torch.full_like(x.narrow(axis, 0, min(1, x.shape[axis])), int(product))
        x = torch.cat([first, x.narrow(axis, 0, max(x.shape[axis] - 1, 0))], axis)
    run = torch.cumprod if product else torch.cumsum
    result = run(x, axis, dtype=x.dtype)
    return result.flip(axis) if backwards else result


def top_k(
    x: Tensor, count: Tensor | None = None, *, k: int, axis: int, largest: bool
) -> tuple[Tensor, Tensor]:
    """The k largest (or smallest) along an axis and where they lie; of equals the first ones."""
    k = k if count is None else number_of(count)
    # torch.topk leaves open which of equal elements comes first; a stable sort does not.
    wide = x.to(torch.int64) if x.dtype in STORED_ONLY else x
    values, places = torch.sort(wide, dim=axis, descending=largest, stable=True)
    return values.narrow(axis, 0, k).to(x.dtype), places.narrow(axis, 0, k)


REDUCTIONS: dict[str, Reduction] = {
    "ReduceL1": l1_over,
    "ReduceL2": l2_over,
    "ReduceLogSum": log_sum_over,
    "ReduceLogSumExp": log_sum_exp_over,
    "ReduceMax": largest_over,
    "ReduceMean": mean_over,
    "ReduceMin": smallest_over,
    "ReduceProd": product_over,
    "ReduceSum": sum_over,
    "ReduceSumSquare": squares_over,
}


def _reduce(read: Attributes) -> Operator:
    return single(
        reduce_over,
        reduction=REDUCTIONS[read.operator],
        axes=read.integers("axes"),
        keep=read.flag("keepdims", True),
        empty_is_none=read.flag("noop_with_empty_axes"),
    )


def _extreme_position(read: Attributes) -> Operator:
    return single(
        extreme_position,
        least=read.operator == "ArgMin",
        axis=read.integer("axis", 0),
        keep=read.flag("keepdims", True),
        last=read.flag("select_last_index"),
    )


def _cumulate(read: Attributes) -> Operator:
    exclusive, backwards = read.flag("exclusive"), read.flag("reverse")
    product = read.operator == "CumProd"
    return single(cumulate, product=product, exclusive=exclusive, backwards=backwards)


def _top_k(read: Attributes) -> Operator:
    read.ignore("sorted")  # sorted results are allowed where no order is asked for
    k, axis = read.integer("k", 1), read.integer("axis", -1)
    return multiple(top_k, k=k, axis=axis, largest=read.flag("largest", True))


TABLE: dict[str, Builder] = {
    "ArgMax": _extreme_position,
    "ArgMin": _extreme_position,
    "CumProd": _cumulate,
    "CumSum": _cumulate,
    "TopK": _top_k,
    **dict.fromkeys(REDUCTIONS, _reduce),
}
