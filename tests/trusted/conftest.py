"""Somebody's own folder with networks and loaders, as the working directory."""

from pathlib import Path

import pytest
from safetensors.torch import save_file

from compress_core.original import Original
from compress_core.trusted import VARIABLE

OWN = Path(__file__).parents[1] / "own_code"


@pytest.fixture
def own_folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Whatever is announced there is forgotten after the test."""
    monkeypatch.chdir(OWN)
    monkeypatch.syspath_prepend(OWN)
    monkeypatch.setenv(VARIABLE, "")
    return OWN


@pytest.fixture
def weights(tmp_path: Path, digits_mlp: Original) -> Path:
    """Those of the shipped digits-mlp, which own_package's Perceptron takes."""
    save_file(digits_mlp.module.state_dict(), tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors"
