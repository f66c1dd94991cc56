"""Parts of a tensor by position: slices, gathers and scatters."""

from collections.abc import Sequence

import torch
from torch import Tensor

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    plain,
    single,
    sizes_of,
    with_integers,
)

# ONNX's names of what happens where a position is written twice, and torch's.
REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def from_the_start(indices: Tensor, size: int) -> Tensor:
    """Indices as int64, those below zero counted from the end."""
    indices = indices.to(torch.int64)
    return torch.where(indices < 0, indices + size, indices)


def cut(
    x: Tensor,
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
) -> Tensor:
    """x[start:end:step] along each of the axes; steps may be negative."""
    axes = axes if axes is not None else range(len(starts))
    steps = steps if steps is not None else [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        x = _cut_axis(x, axis % x.dim(), slice(start, end, step))
    return x


def _cut_axis(x: Tensor, axis: int, part: slice) -> Tensor:
    if part.step > 0:
        return x[(slice(None),) * axis + (part,)]
    places = range(*part.indices(x.shape[axis]))  # torch slices forwards only
    return x.index_select(axis, torch.tensor(list(places), dtype=torch.int64))


def cut_by_inputs(
    x: Tensor,
    starts: Tensor,
    ends: Tensor,
    axes: Tensor | None = None,
    steps: Tensor | None = None,
) -> Tensor:
    optional = [None if one is None else sizes_of(one) for one in (axes, steps)]
    return cut(x, sizes_of(starts), sizes_of(ends), *optional)


def gather(x: Tensor, indices: Tensor, *, axis: int) -> Tensor:
    """x[…, indices, …]: the axis is replaced by the shape of the indices."""
    axis = axis % x.dim()
    places = from_the_start(indices, x.shape[axis])
    picked = x.index_select(axis, places.reshape(-1))
    return picked.reshape(x.shape[:axis] + indices.shape + x.shape[axis + 1 :])


def gather_elements(x: Tensor, indices: Tensor, *, axis: int) -> Tensor:
    return torch.gather(x, axis, from_the_start(indices, x.shape[axis]))


def gather_nd(x: Tensor, indices: Tensor, *, batch_axes: int) -> Tensor:
    """The last axis of the indices is a position in x, behind the first `batch_axes` axes."""
    depth = indices.shape[-1]
    batch, rest = x.shape[:batch_axes], x.shape[batch_axes + depth :]
    inner = x.shape[batch_axes : batch_axes + depth]
    flat = x.reshape(batch.numel(), inner.numel(), rest.numel())
    places = flat_positions(indices, inner).reshape(batch.numel(), -1)
    rows = torch.arange(batch.numel()).unsqueeze(1)
    return flat[rows, places].reshape(indices.shape[:-1] + rest)


def flat_positions(indices: Tensor, sizes: Sequence[int]) -> Tensor:
    """(…, depth) positions along axes of the given sizes → (…) positions in row-major order."""
    flat = torch.zeros(indices.shape[:-1], dtype=torch.int64)
    for axis, size in enumerate(sizes):
        flat = flat * size + from_the_start(indices[..., axis], size)
    return flat


def scatter_elements(
    x: Tensor, indices: Tensor, updates: Tensor, *, axis: int, reduction: str
) -> Tensor:
    places = from_the_start(indices, x.shape[axis])
    if reduction == "none":
        return x.scatter(axis, places, updates)
    return x.scatter_reduce(axis, places, updates, REDUCTIONS[reduction], include_self=True)


def scatter_nd(x: Tensor, indices: Tensor, updates: Tensor, *, reduction: str) -> Tensor:
    """x with `updates` written at the positions that the last axis of the indices names."""
    depth = indices.shape[-1]
    inner = x.shape[depth:].numel()
    places = flat_positions(indices, x.shape[:depth]).reshape(-1, 1).expand(-1, inner)
    flat = scatter_elements(
        x.reshape(-1, inner), places, updates.reshape(-1, inner), axis=0, reduction=reduction
    )
    return flat.reshape(x.shape)


def nonzero(x: Tensor) -> Tensor:
    """(rank, n): the positions of the elements that are not zero."""
    return torch.nonzero(x).T


def compress(x: Tensor, condition: Tensor, *, axis: int | None) -> Tensor:
    """The slices along an axis (without one, the elements) where the condition holds."""
    places = torch.nonzero(condition).reshape(-1)
    return x.reshape(-1)[places] if axis is None else x.index_select(axis, places)


def reverse_sequence(x: Tensor, lengths: Tensor, *, batch_axis: int, time_axis: int) -> Tensor:
    """Along the time axis the first `length` elements of each sequence, backwards."""
    time = torch.arange(x.shape[time_axis])
    back = lengths.reshape(-1, 1).to(torch.int64) - 1 - time  # (batch, time)
    places = torch.where(back >= 0, back, time)
    if batch_axis > time_axis:
        places = places.T
    view = [x.shape[i] if i in (batch_axis, time_axis) else 1 for i in range(x.dim())]
    return torch.gather(x, time_axis, places.reshape(view).expand(x.shape))


def _slice(read: Attributes) -> Operator:
    if read.opset >= 10:
        return single(cut_by_inputs)
    starts, ends = read.integers("starts"), read.integers("ends")
    return single(cut, starts=starts, ends=ends, axes=read.integers("axes"))


def _gather_nd(read: Attributes) -> Operator:
    return single(gather_nd, batch_axes=read.integer("batch_dims", 0))


def _scatter_elements(read: Attributes) -> Operator | None:
    axis, reduction = read.integer("axis", 0), read.text("reduction", "none")
    known = reduction in {"none", *REDUCTIONS}
    return single(scatter_elements, axis=axis, reduction=reduction) if known else None


def _scatter_nd(read: Attributes) -> Operator | None:
    reduction = read.text("reduction", "none")
    known = reduction in {"none", *REDUCTIONS}
    return single(scatter_nd, reduction=reduction) if known else None


def _compress(read: Attributes) -> Operator:
    return single(compress, axis=read.optional_integer("axis"))


TABLE: dict[str, Builder] = {
    "Compress": _compress,
    "Gather": with_integers(gather, axis=0),
    "GatherElements": with_integers(gather_elements, axis=0),
    "GatherND": _gather_nd,
    "NonZero": plain(nonzero),
    "ReverseSequence": with_integers(reverse_sequence, batch_axis=1, time_axis=0),
    "Scatter": _scatter_elements,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "Slice": _slice,
}
