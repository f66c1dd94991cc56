"""Norm recalibration: torch's own update of batch norms is the oracle."""

import copy
import re

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from compress_core.methods.recalibration import (
    RecalibrateNorms,
    norms_with_statistics,
    recalibrated,
)


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(2, 4, 3),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.Conv2d(4, 3, 3),
            nn.BatchNorm2d(3, affine=False),
        ).eval()


def images(count: int = 24) -> Tensor:
    return torch.randn(count, 2, 7, 7, generator=torch.Generator().manual_seed(1))


def test_the_statistics_are_those_that_torch_measures() -> None:
    module, batches = network(), list(images().split(8))
    expected = copy.deepcopy(module)
    update_bn(batches, expected)
    found = recalibrated(module, batches)
    assert found.keys() == {f"{n}.{s}" for n in (1, 4) for s in ("running_mean", "running_var")}
    for key, value in found.items():
        torch.testing.assert_close(value, expected.state_dict()[key])


def test_of_one_batch_the_first_norm_takes_its_inputs_mean_and_variance() -> None:
    module = network()
    inputs = module[0](images())
    found = recalibrated(module, [images()])
    torch.testing.assert_close(found["1.running_mean"], inputs.mean((0, 2, 3)))
    torch.testing.assert_close(found["1.running_var"], inputs.var((0, 2, 3)))


def test_the_network_is_untouched() -> None:
    module = network()
    before = copy.deepcopy(module.state_dict())
    recalibrated(module, [images()])
    assert not any(part.training for part in module.modules())
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())


def test_dropout_stays_silent() -> None:
    module = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm2d(2)).eval()
    found = recalibrated(module, [images()])
    torch.testing.assert_close(found["1.running_mean"], images().mean((0, 2, 3)))


def test_norms_without_statistics_have_nothing_to_measure() -> None:
    module = nn.Sequential(nn.BatchNorm2d(2, track_running_stats=False), nn.BatchNorm2d(2)).eval()
    assert list(norms_with_statistics(module)) == ["1"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"samples": 1}, ["samples=1", "at least 2", "256"]),
        ({"samples": 2.5}, ["samples=2.5", "whole number"]),
        ({"seed": -1}, ["seed=-1", "at least 0"]),
        ({"layers": ("conv1",)}, ["layers=('conv1',)", "all norms", "leave layers out"]),
    ],
)
def test_a_bad_setting_is_refused(settings: dict[str, object], words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        RecalibrateNorms(**settings)  # type: ignore[arg-type]
