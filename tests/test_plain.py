"""A part is plain where it computes what its class does."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from compress_core.plain import is_plain, why_not_plain


class Named(nn.Linear):
    """A subclass that changes nothing of what runs."""


class Normed(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight / self.weight.norm(), self.bias)


class Wrapped(nn.Linear):
    def __call__(self, x: Tensor) -> Tensor:
        return super().__call__(2 * x)


def patched() -> nn.Module:
    layer = nn.Linear(2, 2)
    layer.forward = lambda x: x
    return layer


def hooked() -> nn.Module:
    layer = nn.Linear(2, 2)
    layer.register_forward_pre_hook(lambda *_: None)
    return layer


def masked() -> nn.Module:
    layer = nn.Linear(2, 2)
    prune.identity(layer, "weight")
    layer._forward_pre_hooks.clear()
    return layer


@pytest.mark.parametrize("layer", [nn.Linear(2, 2), Named(2, 2)], ids=["class", "subclass"])
def test_a_part_that_runs_as_its_class_is_plain(layer: nn.Module) -> None:
    assert is_plain(layer, nn.Linear, nn.Conv2d)


def test_a_part_of_another_class_is_not() -> None:
    assert not is_plain(nn.ReLU(), nn.Linear)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Normed(2, 2), "a Normed with a forward of its own"),
        (lambda: Wrapped(2, 2), "a Wrapped with a __call__ of its own"),
        (patched, "a Linear with a forward of its own"),
        (hooked, "hooks run before or after it"),
        (masked, "its weight is computed on each pass"),
        (lambda: parametrizations.weight_norm(nn.Linear(2, 2)), "computed on each pass"),
    ],
)
def test_a_part_that_may_run_otherwise_is_not_plain(
    make: Callable[[], nn.Module], words: str
) -> None:
    layer = make()
    assert not is_plain(layer, nn.Linear)
    assert words in str(why_not_plain(layer, nn.Linear))


def test_a_batch_norm_without_parameters_is_plain() -> None:
    assert is_plain(nn.BatchNorm2d(3, affine=False), nn.BatchNorm2d)
    assert torch.is_tensor(nn.BatchNorm2d(3, affine=False).running_mean)
