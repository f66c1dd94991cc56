"""Arithmetic, element by element: one, two or many tensors, broadcast to one shape."""

from collections.abc import Callable
from functools import partial, reduce

import torch
from torch import Tensor

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    plain,
    single,
)
from compress_core.models.importing.onnx.operators.types import STORED_ONLY


def through_int64(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The function for every integer type: torch computes nothing in uint16, uint32 and uint64."""
    return partial(_through_int64, function)


def _through_int64(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    stored = inputs[0].dtype
    if not any(one.dtype in STORED_ONLY for one in inputs):
        return function(*inputs)
    wide = (one.to(torch.int64) if one.dtype in STORED_ONLY else one for one in inputs)
    result = function(*wide)
    return result.to(stored) if result.dtype == torch.int64 else result


def divide(a: Tensor, b: Tensor) -> Tensor:
    """a / b; integers are cut towards zero."""
    if a.is_floating_point():
        return a / b
    # The processor stops the process that divides the least integer by −1.
    turned = (b == -1) & (b < 0)  # torch takes 255 for −1 in uint8
    return torch.where(
        turned, torch.neg(a), torch.div(a, b.masked_fill(turned, 1), rounding_mode="trunc")
    )


def power(base: Tensor, exponent: Tensor) -> Tensor:
    """base ** exponent, in the type of the base."""
    return torch.pow(base, exponent).to(base.dtype)


def maximum(*inputs: Tensor) -> Tensor:
    return reduce(torch.maximum, inputs)


def minimum(*inputs: Tensor) -> Tensor:
    return reduce(torch.minimum, inputs)


def total(*inputs: Tensor) -> Tensor:
    return reduce(torch.add, inputs)


def mean(*inputs: Tensor) -> Tensor:
    return total(*inputs) / len(inputs)


def clip(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """x between low and high; where low > high, high."""
    if x.dtype in STORED_ONLY:
        bounds = (None if one is None else one.to(torch.int64) for one in (low, high))
        return clip(x.to(torch.int64), *bounds).to(x.dtype)
    return x if low is None and high is None else torch.clamp(x, min=low, max=high)


def clip_between(x: Tensor, *, low: float | None, high: float | None) -> Tensor:
    return x if low is None and high is None else torch.clamp(x, min=low, max=high)


def _mod(read: Attributes) -> Operator:
    """The remainder with the sign of the divisor, or with C's (`fmod`) that of the dividend."""
    return single(through_int64(torch.fmod if read.flag("fmod") else torch.remainder))


def _clip(read: Attributes) -> Operator:
    if read.opset >= 11:
        return single(clip)
    low, high = read.optional_number("min"), read.optional_number("max")
    return single(clip_between, low=low, high=high)


def _bit_shift(read: Attributes) -> Operator | None:
    shifts = {"LEFT": torch.bitwise_left_shift, "RIGHT": torch.bitwise_right_shift}
    shift = shifts.get(read.text("direction", ""))
    return None if shift is None else single(through_int64(shift))


TABLE: dict[str, Builder] = {
    "Abs": plain(through_int64(torch.abs)),
    "Acos": plain(torch.acos),
    "Acosh": plain(torch.acosh),
    "Add": plain(through_int64(torch.add)),
    "Asin": plain(torch.asin),
    "Asinh": plain(torch.asinh),
    "Atan": plain(torch.atan),
    "Atanh": plain(torch.atanh),
    "BitShift": _bit_shift,
    "BitwiseAnd": plain(torch.bitwise_and),
    "BitwiseNot": plain(through_int64(torch.bitwise_not)),
    "BitwiseOr": plain(torch.bitwise_or),
    "BitwiseXor": plain(torch.bitwise_xor),
    "Ceil": plain(torch.ceil),
    "Clip": _clip,
    "Cos": plain(torch.cos),
    "Cosh": plain(torch.cosh),
    "Div": plain(through_int64(divide)),
    "Erf": plain(torch.erf),
    "Exp": plain(torch.exp),
    "Floor": plain(torch.floor),
    "Log": plain(torch.log),
    "Max": plain(through_int64(maximum)),
    "Mean": plain(mean),
    "Min": plain(through_int64(minimum)),
    "Mod": _mod,
    "Mul": plain(through_int64(torch.mul)),
    "Neg": plain(torch.neg),
    "Pow": plain(through_int64(power)),
    "Reciprocal": plain(torch.reciprocal),
    "Round": plain(torch.round),
    "Sign": plain(through_int64(torch.sign)),
    "Sin": plain(torch.sin),
    "Sinh": plain(torch.sinh),
    "Sqrt": plain(torch.sqrt),
    "Sub": plain(through_int64(torch.sub)),
    "Sum": plain(total),
    "Tan": plain(torch.tan),
    "Tanh": plain(torch.tanh),
}
