"""Elements put around a tensor, or cut off its ends."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    numbers_of,
    refuse_absurd,
    single,
    sizes_of,
)


def pad(
    x: Tensor,
    given: Tensor | None = None,
    fill: Tensor | None = None,
    axes: Tensor | None = None,
    *,
    pads: Sequence[int],
    value: float,
    mode: str,
) -> Tensor:
    """x with elements before and after each axis; negative numbers cut elements off."""
    amounts = list(pads) if given is None else sizes_of(given)
    chosen = range(x.dim()) if axes is None else sizes_of(axes)
    half = len(amounts) // 2
    ends = {axis % x.dim(): (amounts[i], amounts[half + i]) for i, axis in enumerate(chosen)}
    refuse_absurd([n + sum(ends.get(i, (0, 0))) for i, n in enumerate(x.shape)], "Pad")
    if mode == "constant":
        return pad_constant(x, ends, value if fill is None else numbers_of(fill)[0])
    for axis, (before, after) in ends.items():
        x = x.index_select(axis, mirrored_positions(x.shape[axis], before, after, mode))
    return x


def pad_constant(x: Tensor, ends: dict[int, tuple[int, int]], value: float) -> Tensor:
    backwards = [one for axis in reversed(range(x.dim())) for one in ends.get(axis, (0, 0))]
    return functional.pad(x, backwards, value=value)  # torch counts from the last axis


def mirrored_positions(size: int, before: int, after: int, mode: str) -> Tensor:
    """Which element stands at each position of the padded axis."""
    places = torch.arange(-before, size + after)
    if mode == "edge":
        return places.clamp(0, size - 1)
    if mode == "wrap":
        return places % size
    period = max(2 * (size - 1), 1)  # reflect: there and back without repeating the ends
    places = places % period
    return torch.minimum(places, period - places).clamp(0, size - 1)


def centre_crop_pad(x: Tensor, target: Tensor, *, axes: Sequence[int] | None) -> Tensor:
    """The middle of x, or x in the middle of zeros, so that the axes have the target's sizes."""
    chosen = [axis % x.dim() for axis in (axes if axes is not None else range(x.dim()))]
    sizes = dict(zip(chosen, sizes_of(target), strict=True))
    refuse_absurd([sizes.get(i, n) for i, n in enumerate(x.shape)], "CenterCropPad")
    return pad_constant(x, {a: _around(x.shape[a], size) for a, size in sizes.items()}, 0.0)


def _around(size: int, wanted: int) -> tuple[int, int]:
    missing = wanted - size
    before = missing // 2 if missing > 0 else -((-missing) // 2)
    return before, missing - before


def _pad(read: Attributes) -> Operator | None:
    mode = read.text("mode", "constant")
    pads, value = read.integers("pads") or (), read.number("value", 0.0)
    known = mode in {"constant", "edge", "reflect", "wrap"}
    return single(pad, pads=pads, value=value, mode=mode) if known else None


def _centre_crop_pad(read: Attributes) -> Operator:
    return single(centre_crop_pad, axes=read.integers("axes"))


TABLE: dict[str, Builder] = {"CenterCropPad": _centre_crop_pad, "Pad": _pad}
