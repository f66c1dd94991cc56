"""The script does again what the screen shows: it is executed, and its numbers compared."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import save_file

from compress_core.compressed import compress
from compress_core.data import load_dataset
from compress_core.leaving.script import OwnModel, file_name, python_script
from compress_core.measurement.report import measure
from compress_core.original import Original, load_model
from compress_core.recipe import parse_recipe
from compress_core.storage.container import decode
from compress_core.trained import FOLDER_VARIABLE
from compress_core.training.recovering import train_steps
from tests.opening.files import small_network

ROOT = Path(__file__).parents[2]
OWN = """
import torch
from compress_core import Dataset

def make():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 4))

def load():
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(80, 3, 2, 2, generator=generator), torch.arange(80) % 4
    return Dataset.of(x[:40], y[:40], split="train"), Dataset.of(x[40:], y[40:])
"""


def run(script: str, folder: Path) -> str:
    """What the script prints, started in `folder`, where nothing is trained yet."""
    (folder / "again.py").write_text(script)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}", FOLDER_VARIABLE: str(folder / "trained")}
    done = subprocess.run(
        [sys.executable, "again.py"], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("model", "recipe", "images"),
    [
        ("digits-cnn", "prune:sparsity=0.9;quantize:bits=4,layers=fc*|conv1", None),
        ("digits-mlp", "", 200),
        ("digits-cnn", "quantize:bits=8;quantize_activations:samples=64", 100),
    ],
)
def test_it_gives_the_accuracy_the_bytes_and_the_file(
    model: str, recipe: str, images: int | None, tmp_path: Path
) -> None:
    compressed = compress(load_model(model), parse_recipe(recipe))
    data = load_dataset("digits")
    report = measure(compressed, data.subset(images) if images else data)
    script = python_script(model, parse_recipe(recipe), images=images)
    expected = f"accuracy {report.accuracy.accuracy} {compressed.stored_bytes}\n"
    assert run(script, tmp_path) == expected
    assert (tmp_path / f"{model}.cx").read_bytes() == compressed.container


def test_it_trains_what_the_recipe_trains(tmp_path: Path) -> None:
    recipe = parse_recipe("prune:sparsity=0.95;finetune:epochs=1")
    compressed = train_steps(load_model("digits-mlp"), recipe)
    report = measure(compressed, load_dataset("digits"))
    expected = f"accuracy {report.accuracy.accuracy} {compressed.stored_bytes}\n"
    assert run(python_script("digits-mlp", recipe), tmp_path) == expected


def test_it_builds_a_network_of_other_people(tmp_path: Path) -> None:
    (tmp_path / "theirs.py").write_text(OWN)
    theirs: dict[str, object] = {}
    exec(OWN, theirs)
    network, (train, test) = theirs["make"](), theirs["load"]()  # type: ignore[operator]
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    original = Original(network.eval(), (3, 2, 2), name="theirs.make", calibration=train)
    recipe = parse_recipe("quantize:bits=3;correct_bias")
    compressed = compress(original, recipe)
    own = OwnModel("theirs:make", "w.safetensors", "theirs:load")
    score = measure(compressed, test).score
    expected = f"{score.metric} {score.value} {compressed.stored_bytes}\n"
    assert run(python_script("theirs.make", recipe, own=own), tmp_path) == expected
    assert (tmp_path / "theirs.make.cx").read_bytes() == compressed.container


def test_it_opens_an_onnx_file(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(small_network())
    script = python_script("net", parse_recipe("quantize:bits=3"), own=OwnModel("net.onnx"))
    metric, value, stored = run(script, tmp_path).split()
    raw = (tmp_path / "net.cx").read_bytes()
    assert (metric, int(stored), decode(raw).model) == ("agreement", len(raw), "net")
    assert 0 < float(value) <= 1


def test_it_has_about_ten_lines() -> None:
    script = python_script("mnist-lenet-5", parse_recipe("prune:sparsity=0.9;quantize:bits=5"))
    assert 8 <= len([line for line in script.splitlines() if line]) <= 12


def test_a_name_cannot_break_out_of_its_quotes() -> None:
    name = 'x"); import os; os.abort(); ("\n\\\''
    script = python_script(name, (), own=OwnModel(name))
    assert not [node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Import)]
    assert name in [n.value for n in ast.walk(ast.parse(script)) if isinstance(n, ast.Constant)]


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown model 'their net'"):
        python_script("their net", ())


@pytest.mark.parametrize(
    ("name", "file"), [("a/../b c", "a-..-b-c"), ("…", "model"), ("x" * 99, "x" * 60)]
)
def test_a_file_is_called_after_the_network_as_far_as_any_system_takes(
    name: str, file: str
) -> None:
    assert file_name(name) == file
