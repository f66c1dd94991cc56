"""Resize and Upsample: every output element is a weighted sum of input elements along each axis.

Along one axis output i lies at the input coordinate that the coordinate mode says, and takes the
elements around it with the weights of the interpolation. Axes are handled one after another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, inf

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

COORDINATES = {
    "align_corners",
    "asymmetric",
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "tf_crop_and_resize",
    "tf_half_pixel_for_nn",
}


@dataclass(frozen=True)
class Sampling:
    """How an axis is sampled."""

    mode: str  # nearest, linear or cubic
    coordinates: str
    nearest: str
    cubic: float  # a of the cubic kernel
    antialias: bool
    exclude_outside: bool
    extrapolation: float
    policy: str
    axes: tuple[int, ...] | None


@dataclass(frozen=True)
class Axis:
    """One axis to resize: its sizes, output size / input size, and the region of tf_crop."""

    axis: int
    size: int
    wanted: int
    scale: float
    region: tuple[float, float] = (0.0, 1.0)


def resize(
    x: Tensor,
    region: Tensor | None = None,
    scales: Tensor | None = None,
    sizes: Tensor | None = None,
    *,
    sampling: Sampling,
) -> Tensor:
    """x with its axes longer or shorter, by factors or to sizes."""
    chosen = [axis % x.dim() for axis in (sampling.axes or range(x.dim()))]
    if sizes is not None and sizes.numel():
        plan = by_sizes(x, chosen, sizes_of(sizes), sampling.policy)
    elif scales is not None and scales.numel():
        plan = by_scales(x, chosen, numbers_of(scales))
    else:
        raise ValueError("Resize has neither scales nor sizes: give it one of the two")
    if sampling.coordinates == "tf_crop_and_resize" and region is not None:
        plan = with_regions(plan, numbers_of(region))
    wanted = {one.axis: one.wanted for one in plan}
    refuse_absurd([wanted.get(i, n) for i, n in enumerate(x.shape)], "Resize")
    return resample(x, plan, sampling)


def by_scales(x: Tensor, axes: Sequence[int], scales: Sequence[float]) -> list[Axis]:
    if wrong := [scale for scale in scales if not 0 < scale < inf]:
        raise ValueError(f"Resize has the scale {wrong[0]}: scales must be finite and above 0")
    pairs = list(zip(axes, scales, strict=True))
    sizes = [x.shape[a] if scale == 1 else floor(x.shape[a] * scale) for a, scale in pairs]
    return [
        Axis(axis, x.shape[axis], size, scale)
        for (axis, scale), size in zip(pairs, sizes, strict=True)
    ]


def by_sizes(x: Tensor, axes: Sequence[int], sizes: Sequence[int], policy: str) -> list[Axis]:
    factors = [size / x.shape[axis] for axis, size in zip(axes, sizes, strict=True)]
    if policy == "stretch":
        return [
            Axis(axis, x.shape[axis], size, factor)
            for axis, size, factor in zip(axes, sizes, factors, strict=True)
        ]
    factor = min(factors) if policy == "not_larger" else max(factors)
    lengths = [x.shape[axis] for axis in axes]
    return [
        Axis(axis, n, floor(n * factor + 0.5), factor)
        for axis, n in zip(axes, lengths, strict=True)
    ]


def with_regions(plan: Sequence[Axis], region: Sequence[float]) -> list[Axis]:
    half = len(region) // 2
    return [
        Axis(one.axis, one.size, one.wanted, one.scale, (region[i], region[half + i]))
        for i, one in enumerate(plan)
    ]


def resample(x: Tensor, plan: Sequence[Axis], sampling: Sampling) -> Tensor:
    moving = [one for one in plan if one.scale != 1 or one.wanted != one.size]
    if (mode := torch_mode(x, moving, sampling)) is not None:
        wanted = {one.axis: one.wanted for one in moving}
        corners = None if mode == "nearest" else sampling.coordinates == "align_corners"
        size = [wanted.get(i, x.shape[i]) for i in range(2, x.dim())]
        return functional.interpolate(x, size=size, mode=mode, align_corners=corners)
    computed = x if x.is_floating_point() else x.float()
    for one in moving:
        computed = resample_axis(computed, one, sampling)
    return computed.to(x.dtype)


def torch_mode(x: Tensor, moving: Sequence[Axis], sampling: Sampling) -> str | None:
    """The mode with which torch's own, faster interpolation gives the same; None if none does."""
    exact = all(one.wanted == one.size * one.scale and one.axis >= 2 for one in moving)
    if not moving or not exact or x.dim() not in {3, 4, 5} or not x.is_floating_point():
        return None
    if sampling.mode == "nearest":
        whole = all(one.wanted % one.size == 0 for one in moving)
        usual = sampling.coordinates == "asymmetric" and sampling.nearest == "floor"
        return "nearest" if whole and usual else None
    several = all(one.wanted > 1 for one in moving)
    halves = sampling.coordinates == "half_pixel" or (
        sampling.coordinates == "pytorch_half_pixel" and several
    )
    corners = sampling.coordinates == "align_corners" and several
    if sampling.antialias or sampling.exclude_outside or not (halves or corners):
        return None
    if sampling.mode == "linear":
        return {3: "linear", 4: "bilinear", 5: "trilinear"}[x.dim()]
    return "bicubic" if x.dim() == 4 and sampling.cubic == -0.75 else None


def resample_axis(x: Tensor, one: Axis, sampling: Sampling) -> Tensor:
    places = coordinates_of(one, sampling.coordinates)
    indices, weights = taps(places, one, sampling)
    indices = indices.clamp(0, one.size - 1)
    view = [-1 if i == one.axis else 1 for i in range(x.dim())]
    total = x.new_zeros(())
    for index, weight in zip(indices, weights, strict=True):
        total = total + x.index_select(one.axis, index) * weight.to(x.dtype).reshape(view)
    if sampling.coordinates != "tf_crop_and_resize":
        return total
    outside = ((places < 0) | (places > one.size - 1)).reshape(view)
    return torch.where(outside, torch.full_like(total, sampling.extrapolation), total)


def coordinates_of(one: Axis, mode: str) -> Tensor:
    """Where each output element lies in the input, in elements (float64)."""
    i = torch.arange(one.wanted, dtype=torch.float64)
    length = one.size * one.scale
    match mode:
        case "asymmetric":
            return i / one.scale
        case "align_corners":
            return i * (one.size - 1) / (length - 1) if length != 1 else i * 0
        case "tf_half_pixel_for_nn":
            return (i + 0.5) / one.scale
        case "tf_crop_and_resize":
            return _in_region(i, one)
        case "half_pixel_symmetric":
            offset = one.size / 2 * (1 - one.wanted / length)
            return offset + (i + 0.5) / one.scale - 0.5
        case "pytorch_half_pixel" if length <= 1:
            return i * 0
    return (i + 0.5) / one.scale - 0.5


def _in_region(i: Tensor, one: Axis) -> Tensor:
    start, end = one.region
    if one.wanted == 1:
        return i + 0.5 * (start + end) * (one.size - 1)
    step = (end - start) * (one.size - 1) / (one.wanted - 1)
    return start * (one.size - 1) + i * step


def taps(places: Tensor, one: Axis, sampling: Sampling) -> tuple[Tensor, Tensor]:
    """(k, out) input positions, maybe outside, and their weights."""
    if sampling.mode == "nearest":
        return nearest_of(places, sampling.nearest).unsqueeze(0), places.new_ones(1, len(places))
    # Antialiasing stretches the kernel where the axis becomes shorter.
    squeeze = min(one.scale, 1.0) if sampling.antialias else 1.0
    reach = (1 if sampling.mode == "linear" else 2) / squeeze
    around = torch.arange(1 - ceil(reach), ceil(reach) + 1).unsqueeze(1)
    indices = torch.floor(places).to(torch.int64) + around  # (k, out)
    distance = (indices - places).abs() * squeeze
    linear = sampling.mode == "linear"
    weights = (1 - distance).clamp(min=0) if linear else cubic_kernel(distance, sampling.cubic)
    if sampling.exclude_outside or sampling.antialias:
        if sampling.exclude_outside:
            weights = weights * ((indices >= 0) & (indices < one.size))
        weights = weights / weights.sum(0)
    return indices, weights


def nearest_of(places: Tensor, mode: str) -> Tensor:
    match mode:
        case "floor":
            return torch.floor(places).to(torch.int64)
        case "ceil":
            return torch.ceil(places).to(torch.int64)
        case "round_prefer_ceil":
            return torch.floor(places + 0.5).to(torch.int64)
    return torch.ceil(places - 0.5).to(torch.int64)


def cubic_kernel(distance: Tensor, a: float) -> Tensor:
    """Keys' kernel. Source: Keys 1981, "Cubic convolution interpolation", equation 4."""
    d = distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return torch.where(d <= 1, near, torch.where(d < 2, far, torch.zeros_like(d)))


def resize_by_scales(x: Tensor, scales: Tensor, *, sampling: Sampling) -> Tensor:
    return resize(x, None, scales, sampling=sampling)


def resize_fixed(x: Tensor, *, scales: tuple[float, ...], sampling: Sampling) -> Tensor:
    return resize(x, None, torch.tensor(scales), sampling=sampling)


def _read_sampling(read: Attributes) -> Sampling | None:
    mode = read.text("mode", "nearest")
    old = read.operator == "Upsample" or read.opset < 11
    coordinates = read.text("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    sampling = Sampling(
        mode=mode,
        coordinates=coordinates,
        nearest=read.text("nearest_mode", "floor" if old else "round_prefer_floor"),
        cubic=read.number("cubic_coeff_a", -0.75),
        antialias=read.flag("antialias"),
        exclude_outside=read.flag("exclude_outside"),
        extrapolation=read.number("extrapolation_value", 0.0),
        policy=read.text("keep_aspect_ratio_policy", "stretch"),
        axes=read.integers("axes"),
    )
    known = mode in {"nearest", "linear", "cubic"} and coordinates in COORDINATES
    return sampling if known else None


def _resize(read: Attributes) -> Operator | None:
    sampling = _read_sampling(read)
    scales = read.numbers("scales")
    if sampling is None:
        return None
    if scales is not None:  # before opset 9
        return single(resize_fixed, scales=scales, sampling=sampling)
    has_region = read.operator == "Resize" and read.opset >= 11
    return single(resize if has_region else resize_by_scales, sampling=sampling)


TABLE: dict[str, Builder] = {"Resize": _resize, "Upsample": _resize}
