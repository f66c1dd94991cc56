"""Windows that slide over the spatial axes: of convolutions and of pools."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor
from torch.nn import functional

from compress_core.models.importing.onnx.operators.attributes import Attributes

AUTO_PADS = {"NOTSET", "SAME_LOWER", "SAME_UPPER", "VALID"}
Ends = list[tuple[int, int]]  # what is put before and after each spatial axis


@dataclass(frozen=True)
class Window:
    """How a window moves; None where the node leaves the usual value."""

    strides: tuple[int, ...] | None
    dilations: tuple[int, ...] | None
    pads: tuple[int, ...] | None
    auto_pad: str
    ceil: bool = False

    def moves(self, axes: int) -> tuple[int, ...]:
        return self.strides or (1,) * axes

    def spread(self, axes: int) -> tuple[int, ...]:
        return self.dilations or (1,) * axes

    def reach(self, kernel: Sequence[int]) -> list[int]:
        """How many elements the window spans along each axis."""
        return [(k - 1) * d + 1 for k, d in zip(kernel, self.spread(len(kernel)), strict=True)]

    def ends(self, sizes: Sequence[int], kernel: Sequence[int]) -> Ends:
        """What is put before and after each axis of an input of these sizes."""
        if self.auto_pad == "NOTSET":
            pads = self.pads or (0,) * (2 * len(sizes))
            return list(zip(pads[: len(sizes)], pads[len(sizes) :], strict=True))
        if self.auto_pad == "VALID":
            return [(0, 0)] * len(sizes)
        lower = self.auto_pad == "SAME_LOWER"
        steps = zip(sizes, self.reach(kernel), self.moves(len(sizes)), strict=True)
        return [halves(max((-(-n // s) - 1) * s + r - n, 0), lower) for n, r, s in steps]

    def overhang(self, sizes: Sequence[int], kernel: Sequence[int]) -> list[int]:
        """With `ceil`, how far the last window of each axis reaches beyond the padded input."""
        if not self.ceil:
            return [0] * len(sizes)
        steps = zip(
            sizes,
            self.ends(sizes, kernel),
            self.reach(kernel),
            self.moves(len(sizes)),
            strict=True,
        )
        return [_overhang(a + n + b, b, reach, move) for n, (a, b), reach, move in steps]


def _overhang(length: int, after: int, reach: int, move: int) -> int:
    """`length` with the padding, of which `after` elements lie behind the input."""
    beyond = -(length - reach) % move
    begins = length + beyond - reach
    return 0 if begins >= length - after else beyond  # no window begins behind the input


def halves(amount: int, lower: bool) -> tuple[int, int]:
    """The amount before and after an axis; where it is odd, the larger half is first if `lower`."""
    small, large = amount // 2, amount - amount // 2
    return (large, small) if lower else (small, large)


def equal_ends(ends: Ends) -> bool:
    return all(before == after for before, after in ends)


def pad_spatial(x: Tensor, ends: Ends, value: float = 0.0) -> Tensor:
    """x (B, C, …) with the value before and after its spatial axes; negative ends cut off."""
    if not any(before or after for before, after in ends):
        return x
    return functional.pad(x, [one for pair in reversed(ends) for one in pair], value=value)


def read_window(read: Attributes) -> Window | None:
    """How the node's window moves; None along more axes than the three that torch knows."""
    given = [read.integers(name) for name in ("kernel_shape", "strides", "dilations")]
    if not all(1 <= len(one) <= 3 for one in given if one is not None):
        return None
    auto_pad = read.text("auto_pad", "") or "NOTSET"
    if auto_pad not in AUTO_PADS:
        return None
    return Window(
        strides=read.integers("strides"),
        dilations=read.integers("dilations"),
        pads=read.integers("pads"),
        auto_pad=auto_pad,
        ceil=read.flag("ceil_mode"),
    )


def sums(x: Tensor, window: Window, kernel: Sequence[int]) -> Tensor:
    """The sum of x (B, C, …) over each window, x being padded already."""
    axes = len(kernel)
    if all(step == 1 for step in window.spread(axes)):
        return MEANS[axes](x, tuple(kernel), window.moves(axes)) * prod(kernel)
    ones = torch.ones(1, 1, *kernel, dtype=x.dtype)  # torch's means have no dilation
    apart = x.reshape(-1, 1, *x.shape[2:])  # every channel by itself
    result = CONVOLUTIONS[axes](apart, ones, None, window.moves(axes), 0, window.spread(axes))
    return result.reshape(*x.shape[:2], *result.shape[2:])


MEANS = {1: functional.avg_pool1d, 2: functional.avg_pool2d, 3: functional.avg_pool3d}
CONVOLUTIONS = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
