"""Models that other people have trained: each opens, is compressed here, and runs there."""

import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from compress_core.compressed import compress
from compress_core.opening.opened import Opened
from compress_core.recipe import parse_recipe
from compress_core.restoring import read_stored
from compress_core.sources import find_original
from tests.opening.files import open_in_sandbox

FOLDER = Path(os.environ.get("COMPRESS_DATA_DIR", "absent")).parent / "models"
FILES = sorted(FOLDER.glob("*.onnx"))
RECIPES = ("prune:sparsity=0.5;quantize:bits=6",)


@pytest.mark.skipif(not FILES, reason="there is no folder `models` beside COMPRESS_DATA_DIR")
def test_there_are_models_to_open() -> None:
    assert len(FILES) >= 10


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_opens_agrees_is_compressed_and_runs(file: Path) -> None:
    opened = find_original(open_in_sandbox(file.read_bytes(), file.name))
    assert isinstance(opened, Opened)
    assert opened.facts.why_not_run == ""
    assert opened.elsewhere is not None
    for recipe in RECIPES:
        compressed = compress(opened, parse_recipe(recipe))
        decoded = read_stored(compressed.container)
        for key, weight in compressed.weights.items():
            assert torch.equal(decoded.weights[key].values, weight.values)
        raw = opened.elsewhere.exported(recipe, "onnx")
        onnx.checker.check_model(raw)
        session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
        assert [port.name for port in session.get_inputs()] == [p.name for p in opened.facts.inputs]
    assert np.isfinite(opened.elsewhere.answers(RECIPES[0], slice(0, 2)).numpy()).all()
