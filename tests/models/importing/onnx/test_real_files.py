"""Networks that others trained and wrote, where they are at hand."""

import copy
import os
from pathlib import Path

import onnx
import pytest

from compress_core.compressed import compress
from compress_core.graph import to_onnx
from compress_core.models.importing.onnx import (
    compare_with_onnxruntime,
    import_onnx,
    seeded_inputs,
)
from compress_core.original import Original
from compress_core.recipe import parse_recipe

FOLDER = Path(os.environ.get("COMPRESS_DATA_DIR", "nowhere")).parent / "models"
FILES = sorted(FOLDER.glob("*.onnx"))
RECIPES = (
    "",
    "prune:sparsity=0.5",
    "quantize:bits=8",
    "quantize:bits=4,granularity=channel",
    "share:clusters=16",
    "factorize:energy=0.9",
)
DRIFT = 1e-3  # of an output's range: sums in another order, behind a fourth root in one of them
pytestmark = pytest.mark.skipif(not FILES, reason="no models lie beside COMPRESS_DATA_DIR")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_real_file_agrees_with_onnxruntime(path: Path) -> None:
    raw = path.read_bytes()
    network = import_onnx(raw)
    assert compare_with_onnxruntime(raw, network).agrees
    assert not network.foreign


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_leaves_runs_and_agrees_with_the_compressed_network(path: Path) -> None:
    network = import_onnx(path.read_bytes())
    examples = seeded_inputs(network, 0)
    original = Original(network, example=examples, name=path.stem)
    for recipe in RECIPES:
        compressed = compress(original, parse_recipe(recipe))
        left = to_onnx(compressed)
        onnx.checker.check_model(onnx.load_model_from_string(left))
        run = copy.deepcopy(compressed.module)
        agreement = compare_with_onnxruntime(left, run, inputs=examples)  # type: ignore[arg-type]
        assert all(o.fraction <= DRIFT or o.difference <= 1e-6 for o in agreement.outputs), recipe
