"""A copy with channels-last weights measures the same answers, or is not taken."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from compress_core.data import Dataset
from compress_core.measurement.accuracy import predict
from compress_core.measurement.faster import faster_copy
from compress_core.original import Original

IMAGES = torch.rand(70, 3, 6, 6, generator=torch.Generator().manual_seed(0))


class Net(nn.Module):
    """A convolution, and what is made of its output."""

    def __init__(self, read: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(128, 5)
        self.read = read
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.read(self.conv(x).relu()))
        return out


class Counting(Net):
    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x) * self.calls


def test_the_copy_is_laid_out_channels_last_and_answers_alike(
    digits_cnn: Original, digits: Dataset
) -> None:
    fast = faster_copy(digits_cnn.module, digits.images)
    assert fast is not None
    assert fast.conv2.weight.is_contiguous(memory_format=torch.channels_last)  # type: ignore
    assert digits_cnn.module.conv2.weight.is_contiguous()  # type: ignore[union-attr, operator]
    with torch.inference_mode():
        expected = digits_cnn.module(digits.images)
    torch.testing.assert_close(predict(digits_cnn.module, digits.images), expected)


@pytest.mark.parametrize(
    "network",
    [
        Net(lambda h: h.view(h.size(0), -1)),  # fails on another layout
        Net(lambda h: h.as_strided((len(h), 128), (128, 1))),  # silently reads another order
        Counting(lambda h: h.flatten(1)),  # answers otherwise the second time
    ],
    ids=["view", "strides", "counter"],
)
def test_a_network_that_would_see_the_layout_is_run_as_it_is(network: Net) -> None:
    assert faster_copy(network.eval(), IMAGES) is None
    assert not network.calls.any()
    with torch.inference_mode():
        expected = network(IMAGES)
    network.calls.zero_()
    torch.testing.assert_close(predict(network, IMAGES), expected)


@pytest.mark.parametrize("network", [nn.Sequential(nn.Flatten(), nn.Linear(108, 2))])
def test_without_convolutions_nothing_is_copied(network: nn.Module) -> None:
    assert faster_copy(network.eval(), IMAGES) is None


def test_few_images_are_not_worth_a_copy(digits_cnn: Original, digits: Dataset) -> None:
    assert faster_copy(digits_cnn.module, digits.images[:10]) is None
