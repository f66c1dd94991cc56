"""Shapes: what changes how elements are arranged, and what asks for a shape."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    multiple,
    number_of,
    plain,
    refuse_absurd,
    single,
    sizes_of,
    with_integers,
)


def identity(x: Tensor) -> Tensor:
    return x


def reshape(x: Tensor, target: Tensor, *, zero_is_zero: bool) -> Tensor:
    """x in another shape: -1 is what remains, 0 the size that x has there, or none at all."""
    wanted = sizes_of(target)
    if zero_is_zero:
        return x.reshape(wanted)
    return x.reshape([x.shape[i] if size == 0 else size for i, size in enumerate(wanted)])


def flatten(x: Tensor, *, axis: int) -> Tensor:
    """A matrix: the axes before `axis` are its rows, the others its columns."""
    axis = axis + x.dim() if axis < 0 else axis
    columns = torch.Size(x.shape[axis:]).numel()
    return x.reshape(torch.Size(x.shape[:axis]).numel(), columns)


def transpose(x: Tensor, *, order: Sequence[int] | None) -> Tensor:
    return x.permute(tuple(order) if order is not None else tuple(reversed(range(x.dim()))))


def squeeze(x: Tensor, given: Tensor | None = None, *, axes: Sequence[int] | None) -> Tensor:
    chosen = sizes_of(given) if given is not None else axes
    if chosen is None:
        return x.squeeze()
    gone = {axis % x.dim() for axis in chosen}
    if wrong := [axis for axis in gone if x.shape[axis] != 1]:
        raise ValueError(
            f"Squeeze removes axis {wrong[0]} of the shape {list(x.shape)}: only axes of size 1 "
            f"can be removed"
        )
    return x.reshape([n for i, n in enumerate(x.shape) if i not in gone])


def unsqueeze(x: Tensor, given: Tensor | None = None, *, axes: Sequence[int] | None) -> Tensor:
    chosen = sizes_of(given) if given is not None else list(axes or ())
    rank = x.dim() + len(chosen)
    for axis in sorted(axis % rank for axis in chosen):
        x = x.unsqueeze(axis)
    return x


def expand(x: Tensor, target: Tensor) -> Tensor:
    """x repeated along the axes of size 1 that the target has longer."""
    sizes = torch.broadcast_shapes(x.shape, torch.Size(sizes_of(target)))
    refuse_absurd(sizes, "Expand")
    return x.expand(sizes)


def tile(x: Tensor, repeats: Tensor) -> Tensor:
    times = sizes_of(repeats)
    refuse_absurd([n * k for n, k in zip(x.shape, times, strict=True)], "Tile")
    return x.repeat(times)


def concat(*inputs: Tensor, axis: int) -> Tensor:
    return torch.cat(inputs, axis)


def split(
    x: Tensor, given: Tensor | None = None, *, axis: int, sizes: Sequence[int] | None, parts: int
) -> tuple[Tensor, ...]:
    """Parts of the given sizes; without sizes as many equal ones, the last one maybe smaller."""
    chosen = sizes_of(given) if given is not None else sizes
    if chosen is not None:
        return torch.split(x, list(chosen), axis)
    size = -(-x.shape[axis] // parts)
    ends = [min(i * size, x.shape[axis]) for i in range(parts + 1)]
    return torch.split(x, [b - a for a, b in pairwise(ends)], axis)


def shape(x: Tensor, *, start: int, end: int | None) -> Tensor:
    return torch.tensor(x.shape[start:end], dtype=torch.int64)


def size(x: Tensor) -> Tensor:
    return torch.tensor(x.numel(), dtype=torch.int64)


def depth_to_space(x: Tensor, *, block: int, columns_first: bool) -> Tensor:
    """(B, C·b², H, W) → (B, C, H·b, W·b)."""
    count, depth, height, width = x.shape
    channels = depth // block**2
    if columns_first:
        parts = x.reshape(count, channels, block, block, height, width)
        moved = parts.permute(0, 1, 4, 2, 5, 3)
    else:
        parts = x.reshape(count, block, block, channels, height, width)
        moved = parts.permute(0, 3, 4, 1, 5, 2)
    return moved.reshape(count, channels, height * block, width * block)


def space_to_depth(x: Tensor, *, block: int) -> Tensor:
    """(B, C, H·b, W·b) → (B, C·b², H, W)."""
    count, channels, height, width = x.shape
    parts = x.reshape(count, channels, height // block, block, width // block, block)
    moved = parts.permute(0, 3, 5, 1, 2, 4)
    return moved.reshape(count, channels * block**2, height // block, width // block)


def triangle(x: Tensor, diagonal: Tensor | None = None, *, upper: bool) -> Tensor:
    k = 0 if diagonal is None else number_of(diagonal)
    return torch.triu(x, k) if upper else torch.tril(x, k)


def _reshape(read: Attributes) -> Operator:
    return single(reshape, zero_is_zero=read.flag("allowzero"))


def _transpose(read: Attributes) -> Operator:
    return single(transpose, order=read.integers("perm"))


def _squeeze(read: Attributes) -> Operator:
    return single(squeeze, axes=read.integers("axes"))


def _unsqueeze(read: Attributes) -> Operator:
    return single(unsqueeze, axes=read.integers("axes"))


def _split(read: Attributes) -> Operator | None:
    axis, parts = read.integer("axis", 0), read.integer("num_outputs", len(read.outputs))
    if parts != len(read.outputs):
        return None
    return multiple(split, axis=axis, sizes=read.integers("split"), parts=parts)


def _shape(read: Attributes) -> Operator:
    return single(shape, start=read.integer("start", 0), end=read.optional_integer("end"))


def _depth_to_space(read: Attributes) -> Operator:
    block = read.integer("blocksize", 1)
    return single(depth_to_space, block=block, columns_first=read.text("mode", "DCR") == "CRD")


def _space_to_depth(read: Attributes) -> Operator | None:
    block = read.integer("blocksize", 1)
    return single(space_to_depth, block=block) if read.text("mode", "DCR") == "DCR" else None


def _triangle(read: Attributes) -> Operator:
    return single(triangle, upper=read.flag("upper", True))


TABLE: dict[str, Builder] = {
    "Concat": with_integers(concat, axis=1),
    "DepthToSpace": _depth_to_space,
    "Expand": plain(expand),
    "Flatten": with_integers(flatten, axis=1),
    "Identity": plain(identity),
    "Reshape": _reshape,
    "Shape": _shape,
    "Size": plain(size),
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Squeeze": _squeeze,
    "Tile": plain(tile),
    "Transpose": _transpose,
    "Trilu": _triangle,
    "Unsqueeze": _unsqueeze,
}
