"""Every command on a model of one's own, as somebody types it in their own folder."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file, save_file

from compress_core.__main__ import main
from compress_core.data import Dataset
from compress_core.original import Original
from compress_core.restoring import restore
from compress_core.trusted import VARIABLE

ROOT = Path(__file__).parents[2]
OWN = ROOT / "tests" / "own_code"
STEP = ("--step", "prune:sparsity=0.8")
Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(OWN)
    monkeypatch.syspath_prepend(OWN)
    monkeypatch.setenv(VARIABLE, "")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, digits_mlp: Original) -> list[str]:
    """The options that name a model, its weights and its data."""
    weights = tmp_path_factory.mktemp("own") / "w.safetensors"
    save_file(digits_mlp.module.state_dict(), weights)
    model = ["--model", "own_package.nets:build", "--weights", str(weights)]
    return [*model, "--data", "own_package.data:both"]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command that succeeds; returns its JSON."""

    def call(*arguments: object) -> Any:
        code = main([*map(str, arguments), "--json"])
        printed = capsys.readouterr()
        assert (code, printed.err) == (0, "")
        return json.loads(printed.out)

    return call


def test_measure_judges_it_as_the_same_reference_network(run: Run, own: list[str]) -> None:
    mine, theirs = run("measure", *own, *STEP), run("measure", "digits-mlp", *STEP)
    assert mine["model"] == "nets.build"
    assert (mine["accuracy"], mine["n"]) == (theirs["accuracy"], 600)
    assert mine["about_data"] == ["600 rows to measure on, 1,197 others to calibrate and train on"]


def test_a_stored_file_is_measured_with_its_network(
    run: Run, own: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "m.cx"
    written = run("compress", *own, *STEP, "--out", file)
    read = run("measure", file, *own)
    assert written["stored_bytes"] == read["stored_bytes"] == file.stat().st_size
    assert read["accuracy"] == written["accuracy"]


def test_a_stored_file_restores_into_own_code(run: Run, own: list[str], tmp_path: Path) -> None:
    from own_package.nets import build  # type: ignore[import-not-found]

    run("compress", *own, *STEP, "--out", tmp_path / "m.cx")
    run("decode", tmp_path / "m.cx", "--out", tmp_path / "dense.safetensors")
    network = build().eval()
    network.load_state_dict(load_file(tmp_path / "dense.safetensors"))
    image = torch.rand(2, 1, 8, 8)
    with torch.no_grad():
        assert torch.equal(restore(tmp_path / "m.cx", build())(image), network(image))


def test_its_graph_runs_in_onnxruntime(run: Run, own: list[str], tmp_path: Path) -> None:
    run("export-onnx", *own, *STEP, "--out", tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    (found,) = session.run(None, {session.get_inputs()[0].name: np.zeros((1, 1, 8, 8), np.float32)})
    assert found.shape == (1, 10)


def test_ledger_sweep_and_farthest_take_it(run: Run, own: list[str]) -> None:
    assert run("ledger", *own, *STEP)["model"] == "nets.build"
    assert len(run("sweep", *own, "--family", "prune", "--subset", 50)) > 3
    found = run("farthest", *own, *STEP, "--subset", 100, "--points", 5)
    assert found["model"] == "nets.build"


def test_a_step_that_trains_is_trained_by_a_worker(
    run: Run, own: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = (*STEP, "--step", "finetune:epochs=1")
    assert main(["measure", *own, *recipe]) == 2
    assert "is not trained yet" in capsys.readouterr().err
    trained = json.loads(run_apart("measure", *own, *recipe, "--train", "--json").stdout)
    assert trained["accuracy"] > run("measure", *own, *STEP)["accuracy"]
    assert run("measure", *own, *recipe)["accuracy"] == trained["accuracy"], "it is kept"


def run_apart(*arguments: str) -> subprocess.CompletedProcess[str]:
    """As in a terminal, in a folder of somebody's own."""
    return subprocess.run(
        [sys.executable, "-m", "compress_core", *arguments],
        cwd=OWN,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )


def test_without_data_agreement_on_generated_inputs_is_said_in_the_table(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["measure", "--model", "own_package.nets:build_with_example", *STEP]) == 0
    table = capsys.readouterr().out
    for words in ("agreement", "about the data", "the inputs are generated", "n = 500"):
        assert words in table


def test_data_of_a_file_come_with_what_was_found(
    run: Run, own: list[str], tmp_path: Path, digits: Dataset
) -> None:
    pixels = (digits.images * 16).byte().flatten(1).numpy()
    table = np.column_stack([digits.class_labels.numpy(), pixels])
    head = ",".join(["label", *(f"p{i}" for i in range(64))])
    np.savetxt(tmp_path / "d.csv", table, fmt="%d", delimiter=",", header=head, comments="")
    options = [*own[:4], "--data", tmp_path / "d.csv", "--input-shape", "1,8,8"]
    row = run("measure", *options, "--normalization", "16")
    assert (row["n"], row["accuracy"] > 0.95) == (480, True)
    assert "labels: the column 'label'" in row["about_data"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["measure"], "name a model: one of digits-cnn"),
        (["measure", "digits-cnn", "--model", "own_package.nets:tokens"], "are two models"),
        (["measure", "digits-cnn", "--weights", "w.pt"], "--weights belongs to a model of"),
        (["measure", "--model", "own_package.nets:broken"], "RuntimeError: no such layer"),
        (["sweep", "--model", "own_package.nets:tokens", "--all", "--out", "c.json"], "is none"),
        (
            ["measure", "--model", "own_package.nets:tokens", "--scheduler", "tcp://h:1"],
            "add --train",
        ),
    ],
)
def test_bad_input_is_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
