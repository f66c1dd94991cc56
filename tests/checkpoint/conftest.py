"""Small checkpoints on disk, in all types; and profiles that go to a folder of the test."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from compress_core.checkpoint import Checkpoint
from compress_core.checkpoint.profiles import FOLDER_VARIABLE

Write = Callable[[dict[str, Tensor]], Checkpoint]


@pytest.fixture(autouse=True)
def own_profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "profiles"
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write tensors to a file and open it."""

    def written(tensors: dict[str, Tensor]) -> Checkpoint:
        path = tmp_path / "model.safetensors"
        save_file(tensors, path)
        return Checkpoint.open(path)

    return written


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Weights as a layer has them, each output channel with a scale of its own."""
    generator = torch.Generator().manual_seed(seed)
    scales = torch.rand(shape[0], *[1] * (len(shape) - 1), generator=generator) + 0.5
    return torch.randn(shape, generator=generator) * 0.02 * scales
