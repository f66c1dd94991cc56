"""Where training computes: on a GPU where torch sees one. All that is kept lies in main memory."""

from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

from compress_core.weights import Profile

Value = TypeVar("Value")
HOME = torch.device("cpu")


def training_device() -> torch.device:
    """The device of the students that are made from now on."""
    return torch.device("cuda") if torch.cuda.is_available() else HOME


class Mover:
    """Carries tensors from one device to another, also those in tuples and dataclasses; one tensor
    in two places stays one. Between a device and itself everything comes back as it is."""

    def __init__(self, source: torch.device, target: torch.device) -> None:
        self._target, self._is_idle = target, source == target
        self._moved: dict[int, tuple[Tensor, Tensor]] = {}  # with the original, whose id it is

    def __call__(self, value: Value) -> Value:
        return value if self._is_idle else cast(Value, self._move(value))

    def _move(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            if id(value) not in self._moved:
                self._moved[id(value)] = value, value.to(self._target)
            return self._moved[id(value)][1]
        if isinstance(value, Profile):
            return Profile(self._move(value.weight))
        if isinstance(value, tuple):
            return tuple(map(self._move, value))
        if is_dataclass(value) and not isinstance(value, type):
            parts = {field.name: self._move(getattr(value, field.name)) for field in fields(value)}
            return replace(value, **parts)
        return value
