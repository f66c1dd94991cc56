"""Sequences of tensors and values that may be missing.

A sequence travels as a tuple of tensors in the place of a tensor, a missing value as None.
"""

from typing import Any

import torch
from torch import Tensor

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    number_of,
    plain,
    single,
    sizes_of,
)
from compress_core.models.importing.onnx.operators.shapes import identity

Tensors = Any  # a tuple of tensors: operators are said to give tensors


def construct(*inputs: Tensor) -> Tensors:
    return inputs


def element(sequence: Tensors, position: Tensor) -> Tensor:
    found: Tensor = sequence[number_of(position)]
    return found


def insert(sequence: Tensors, x: Tensor, position: Tensor | None = None) -> Tensors:
    at = len(sequence) if position is None else number_of(position)
    return (*sequence[:at], x, *sequence[at:])


def erase(sequence: Tensors, position: Tensor | None = None) -> Tensors:
    at = (-1 if position is None else number_of(position)) % len(sequence)
    return sequence[:at] + sequence[at + 1 :]


def length(sequence: Tensors) -> Tensor:
    return torch.tensor(len(sequence))


def concat(sequence: Tensors, *, axis: int, new: bool) -> Tensor:
    return torch.stack(sequence, axis) if new else torch.cat(sequence, axis)


def split(x: Tensor, given: Tensor | None = None, *, axis: int, keep: bool) -> Tensors:
    """Parts of the given sizes, or of one size, the last one maybe smaller; else single slices."""
    if given is None:
        parts = x.unbind(axis)
        return tuple(one.unsqueeze(axis) for one in parts) if keep else tuple(parts)
    wanted = sizes_of(given)
    return tuple(torch.split(x, wanted[0] if given.dim() == 0 else wanted, axis))


def has_element(x: Any = None) -> Tensor:
    return torch.tensor(x is not None)


def _concat(read: Attributes) -> Operator:
    return single(concat, axis=read.integer("axis", 0), new=read.flag("new_axis"))


def _split(read: Attributes) -> Operator:
    return single(split, axis=read.integer("axis", 0), keep=read.flag("keepdims", True))


def _empty(read: Attributes) -> Operator:
    read.ignore("dtype")
    return single(construct)


TABLE: dict[str, Builder] = {
    "ConcatFromSequence": _concat,
    "OptionalGetElement": plain(identity),
    "OptionalHasElement": plain(has_element),
    "SequenceAt": plain(element),
    "SequenceConstruct": plain(construct),
    "SequenceEmpty": _empty,
    "SequenceErase": plain(erase),
    "SequenceInsert": plain(insert),
    "SequenceLength": plain(length),
    "SplitToSequence": _split,
}
