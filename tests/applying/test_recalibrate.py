"""Norm recalibration as a step: after all that changes weights, on training images alone."""

import pytest
import torch
from torch import Tensor, nn

from compress_core.compressed import compress
from compress_core.data import Dataset
from compress_core.methods.folding import FoldBatchNorm
from compress_core.methods.pruning import Prune
from compress_core.methods.recalibration import RecalibrateNorms
from compress_core.original import Original
from compress_core.storage.container import decode

STEP = RecalibrateNorms(samples=40)


def images() -> Tensor:
    return torch.rand(40, 2, 6, 6, generator=torch.Generator().manual_seed(2))


@pytest.fixture(scope="module")
def normed() -> Original:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(
            nn.Conv2d(2, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(128, 4)
        )
    data = Dataset("noise", "train", images(), torch.arange(40) % 4, tuple("abcd"))
    return Original(module.eval(), (2, 6, 6), calibration=data)


@pytest.mark.parametrize("recipe", [(Prune(0.8), STEP), (STEP, Prune(0.8))])
def test_the_statistics_are_those_of_the_pruned_network(
    normed: Original, recipe: tuple[Prune, RecalibrateNorms]
) -> None:
    module = compress(normed, recipe).module
    inputs = module[0](images())
    torch.testing.assert_close(module[1].running_mean, inputs.mean((0, 2, 3)))
    torch.testing.assert_close(module[1].running_var, inputs.var((0, 2, 3)))


def test_the_file_decodes_to_the_measured_statistics(normed: Original) -> None:
    compressed = compress(normed, (Prune(0.8), STEP))
    state, found = compressed.module.state_dict(), decode(compressed.container).state_dict
    assert all(torch.equal(found[key], state[key]) for key in state)


def test_without_it_and_in_the_original_the_statistics_stay(normed: Original) -> None:
    compress(normed, (Prune(0.8), STEP)).module(images())
    without = compress(normed, (Prune(0.8),)).module
    assert torch.equal(without[1].running_mean, torch.zeros(8))
    assert torch.equal(normed.module[1].running_mean, torch.zeros(8))


def test_folded_norms_are_gone_and_the_step_is_refused(normed: Original) -> None:
    with pytest.raises(ValueError, match=r"recalibrate_norms: no layer .*without batch norms"):
        compress(normed, (FoldBatchNorm(), STEP))


def test_the_test_split_is_never_looked_at(normed: Original) -> None:
    data = Dataset("noise", "test", images(), torch.arange(40) % 4, tuple("abcd"))
    bare = Original(normed.module, (2, 6, 6), calibration=data)
    with pytest.raises(ValueError, match="test split of noise would flatter"):
        compress(bare, (STEP,))
