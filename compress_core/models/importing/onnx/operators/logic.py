"""Comparisons and truth values."""

import torch
from torch import Tensor

from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    plain,
    single,
)
from compress_core.models.importing.onnx.operators.elementwise import through_int64


def is_infinite(x: Tensor, *, negative: bool, positive: bool) -> Tensor:
    infinite = torch.isinf(x.float())
    return infinite & (((x < 0) & negative) | ((x > 0) & positive))


def is_nan(x: Tensor) -> Tensor:
    return torch.isnan(x.float())


def where(condition: Tensor, then: Tensor, otherwise: Tensor) -> Tensor:
    return torch.where(condition, then, otherwise)


def _is_infinite(read: Attributes) -> Operator:
    negative, positive = read.flag("detect_negative", True), read.flag("detect_positive", True)
    return single(is_infinite, negative=negative, positive=positive)


TABLE: dict[str, Builder] = {
    "And": plain(torch.logical_and),
    "Equal": plain(through_int64(torch.eq)),
    "Greater": plain(through_int64(torch.gt)),
    "GreaterOrEqual": plain(through_int64(torch.ge)),
    "IsInf": _is_infinite,
    "IsNaN": plain(is_nan),
    "Less": plain(through_int64(torch.lt)),
    "LessOrEqual": plain(through_int64(torch.le)),
    "Not": plain(torch.logical_not),
    "Or": plain(torch.logical_or),
    "Where": plain(where),
    "Xor": plain(torch.logical_xor),
}
