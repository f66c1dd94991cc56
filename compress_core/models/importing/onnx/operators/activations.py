"""Activation functions, softmax among them."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    plain,
    single,
    with_numbers,
)


def prelu(x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, x * slope, x)


def elu(x: Tensor, *, alpha: float) -> Tensor:
    return functional.elu(x, alpha)


def selu(x: Tensor, *, alpha: float, gamma: float) -> Tensor:
    """γ · elu(x, α): torch knows it with one pair of constants alone."""
    return gamma * functional.elu(x, alpha)


def celu(x: Tensor, *, alpha: float) -> Tensor:
    return functional.celu(x, alpha)


def leaky_relu(x: Tensor, *, alpha: float) -> Tensor:
    return functional.leaky_relu(x, alpha)


def thresholded_relu(x: Tensor, *, alpha: float) -> Tensor:
    return torch.where(x > alpha, x, torch.zeros_like(x))


def hard_sigmoid(x: Tensor, *, alpha: float, beta: float) -> Tensor:
    return torch.clamp(alpha * x + beta, 0, 1)


def softplus(x: Tensor) -> Tensor:
    """log(1 + eˣ), for large |x| too."""
    return functional.relu(x) + torch.log1p(torch.exp(-x.abs()))


def gelu(x: Tensor, *, approximate: str) -> Tensor:
    return functional.gelu(x, approximate=approximate)


def swish(x: Tensor, *, alpha: float) -> Tensor:
    return x * torch.sigmoid(alpha * x)


def shrink(x: Tensor, *, bias: float, threshold: float) -> Tensor:
    """x moved by `bias` towards zero outside ±threshold, zero inside."""
    zero = torch.zeros_like(x)
    outside = torch.where(x > threshold, x - bias, zero)
    return torch.where(x < -threshold, x + bias, outside)


def softmax(x: Tensor, *, axis: int, log: bool) -> Tensor:
    return functional.log_softmax(x, axis) if log else functional.softmax(x, axis)


def hardmax(x: Tensor, *, axis: int) -> Tensor:
    """One at the first of the largest elements along the axis, zero elsewhere."""
    first = torch.argmax(x, axis, keepdim=True)
    return torch.zeros_like(x).scatter(axis, first, 1)


def flattened(x: Tensor, *, inner: Callable[[Tensor], Tensor], axis: int) -> Tensor:
    """The function over all axes from `axis` on, as before opset 13."""
    axis = axis % max(x.dim(), 1)
    return inner(x.flatten(axis)).reshape(x.shape)


def _over_axis(read: Attributes, function: Callable[..., Tensor]) -> Operator:
    if read.opset >= 13:
        return single(function, axis=read.integer("axis", -1))
    return single(flattened, inner=partial(function, axis=-1), axis=read.integer("axis", 1))


def _softmax(read: Attributes) -> Operator:
    return _over_axis(read, partial(softmax, log=read.operator == "LogSoftmax"))


def _hardmax(read: Attributes) -> Operator:
    return _over_axis(read, hardmax)


def _shrink(read: Attributes) -> Operator:
    return single(shrink, bias=read.number("bias", 0.0), threshold=read.number("lambd", 0.5))


def _gelu(read: Attributes) -> Operator | None:
    approximate = read.text("approximate", "none")
    return single(gelu, approximate=approximate) if approximate in {"none", "tanh"} else None


TABLE: dict[str, Builder] = {
    "Celu": with_numbers(celu, alpha=1.0),
    "Elu": with_numbers(elu, alpha=1.0),
    "Gelu": _gelu,
    "HardSigmoid": with_numbers(hard_sigmoid, alpha=0.2, beta=0.5),
    "HardSwish": plain(functional.hardswish),
    "Hardmax": _hardmax,
    "LeakyRelu": with_numbers(leaky_relu, alpha=0.01),
    "LogSoftmax": _softmax,
    "Mish": plain(functional.mish),
    "PRelu": plain(prelu),
    "Relu": plain(torch.relu),
    "Selu": with_numbers(selu, alpha=1.67326319217681884765625, gamma=1.05070102214813232421875),
    "Shrink": _shrink,
    "Sigmoid": plain(torch.sigmoid),
    "Softmax": _softmax,
    "Softplus": plain(softplus),
    "Softsign": plain(functional.softsign),
    "Swish": with_numbers(swish, alpha=1.0),
    "ThresholdedRelu": with_numbers(thresholded_relu, alpha=1.0),
}
