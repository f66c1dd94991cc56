"""What shares a scale: a whole tensor, an output channel, or a group of a channel's inputs.

A scale, like a zero point, has shape () per tensor, (out,) per channel, (out, groups) per group.
"""

from typing import Literal

import torch
from torch import Tensor

Granularity = Literal["tensor", "channel", "group"]

GRANULARITIES: tuple[Granularity, ...] = ("tensor", "channel", "group")


def fitted_group(granularity: Granularity, group_size: int, columns: int) -> int | None:
    """The group size for rows of `columns` inputs, None where nothing is grouped.

    A group is at most a row: a larger one would only be padding.
    """
    return max(2, min(group_size, columns)) if granularity == "group" else None


def scale_rows(matrix: Tensor, granularity: Granularity, group_size: int | None) -> Tensor:
    """(out, in) → (scales, columns): what shares a scale in a row, padded with zeros."""
    if group_size is not None:
        padding = -matrix.shape[1] % group_size
        return torch.nn.functional.pad(matrix, (0, padding)).view(-1, group_size)
    return matrix.reshape(1, -1) if granularity == "tensor" else matrix


def scale_shape(
    shape: torch.Size, granularity: Granularity, group_size: int | None
) -> tuple[int, ...]:
    """The shape of the scale of a matrix of `shape` (out, in)."""
    if group_size is not None:
        return (shape[0], -(-shape[1] // group_size))
    return () if granularity == "tensor" else (shape[0],)


def spread(parameter: Tensor, shape: torch.Size, group_size: int | None) -> Tensor:
    """A scale or zero point, broadcast against a matrix of `shape` (out, in)."""
    if parameter.dim() == 0:
        return parameter
    if parameter.dim() == 1:
        return parameter[:, None]
    assert group_size is not None
    return parameter.repeat_interleave(group_size, dim=1)[:, : shape[1]]
