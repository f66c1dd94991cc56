"""A stored file runs again: bit for bit what was evaluated, of any network of its architecture."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from compress_core import restore
from compress_core.compressed import Compressed, compress
from compress_core.data import Dataset
from compress_core.models.catalog import MODELS
from compress_core.original import Original, load_model
from compress_core.recipe import Recipe, parse_step
from compress_core.restoring import read_stored
from compress_core.restoring.fitting import RestoreError
from compress_core.storage.container import ContainerError
from tests.test_pairs import PAIRS, TEXTS, Network, images, network, recipe_of, refusal

__all__ = ["network"]  # a fixture


def untrained(build: Callable[[], nn.Module], seed: int = 99) -> nn.Module:
    """A network of other values, in training mode as a constructor leaves it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def assert_is_what_was_evaluated(found: nn.Module, compressed: Compressed, inputs: Tensor) -> None:
    state, expected = found.state_dict(), compressed.module.state_dict()
    assert list(state) == list(expected)
    for key, value in expected.items():
        assert state[key].dtype == value.dtype, key
        assert state[key].shape == value.shape, key
        assert state[key].numpy().tobytes() == value.contiguous().numpy().tobytes(), key
    assert not any(part.training for part in found.modules())
    with torch.inference_mode():
        assert torch.equal(found(inputs), compressed.module(inputs))


@pytest.mark.parametrize(
    "names", [(), *((name,) for name in TEXTS), *PAIRS], ids=lambda names: " + ".join(names)
)
def test_every_step_alone_and_beside_every_other_runs_again(
    network: Original, names: tuple[str, ...]
) -> None:
    if len(names) == 2 and refusal(*names):
        pytest.skip("the two are refused together")
    compressed = compress(network, recipe_of(*names))
    found = restore(compressed.container, untrained(Network))
    assert_is_what_was_evaluated(found, compressed, images())
