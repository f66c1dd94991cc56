"""Values of an image between its pixels, at the places that a grid names."""

from torch import Tensor
from torch.nn import functional

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    refuse_absurd,
    single,
    sizes_of,
)

# ONNX's names, of opset 16 and of 20, and torch's.
MODES = {
    "bicubic": "bicubic",
    "bilinear": "bilinear",
    "cubic": "bicubic",
    "linear": "bilinear",
    "nearest": "nearest",
}


def grid_sample(x: Tensor, grid: Tensor, *, mode: str, padding: str, corners: bool) -> Tensor:
    """x (B, C, H, W) at the places (B, h, w, 2) of the grid, from −1 to 1; volumes alike."""
    return functional.grid_sample(x, grid, mode, padding, corners)


def affine_grid(theta: Tensor, size: Tensor, *, corners: bool) -> Tensor:
    sizes = sizes_of(size)
    refuse_absurd(sizes, "AffineGrid")
    return functional.affine_grid(theta, sizes, corners)


def _grid_sample(read: Attributes) -> Operator | None:
    mode = MODES.get(read.text("mode", "linear"))
    padding, corners = read.text("padding_mode", "zeros"), read.flag("align_corners")
    if mode is None or padding not in {"border", "reflection", "zeros"}:
        return None
    return single(grid_sample, mode=mode, padding=padding, corners=corners)


def _affine_grid(read: Attributes) -> Operator:
    return single(affine_grid, corners=read.flag("align_corners"))


TABLE: dict[str, Builder] = {"AffineGrid": _affine_grid, "GridSample": _grid_sample}
