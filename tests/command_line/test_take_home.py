"""`take-home`: all files in a folder, and the numbers of each."""

import json
from pathlib import Path

import pytest

from compress_core import load_dataset, load_model
from compress_core.__main__ import main
from compress_core.compressed import compress
from compress_core.leaving.exports import EXPORTS
from compress_core.measurement.report import measure
from compress_core.recipe import from_json, parse_recipe

STEPS = ("--step", "prune:sparsity=0.9", "--step", "quantize:bits=3")


def test_every_file_is_written_with_the_bytes_that_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["take-home", "digits-mlp", *STEPS, "--out", str(tmp_path / "new"), "--json"]
    assert main([*call, "--subset", "200"]) == 0
    told = json.loads(capsys.readouterr().out)
    recipe = parse_recipe("prune:sparsity=0.9;quantize:bits=3")
    assert from_json(told["recipe"]) == recipe
    assert len(told["files"]) == len(list((tmp_path / "new").iterdir())) == len(EXPORTS)
    assert all(row["file_bytes"] == Path(row["out"]).stat().st_size for row in told["files"])
    report = measure(compress(load_model("digits-mlp"), recipe), load_dataset("digits").subset(200))
    assert told["files"][1]["score"]["value"] == report.score.value


def test_the_table_says_what_is_not_there_and_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["take-home", "digits-mlp", "--out", str(tmp_path), "--subset", "20"]) == 0
    printed = capsys.readouterr().out
    assert "ONNX int8, calibrated" in printed
    assert "the recipe has no codes" in printed
    assert not (tmp_path / "digits-mlp.onnx").exists()


def test_a_file_in_the_place_of_the_folder_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("")
    assert main(["take-home", "digits-mlp", "--out", str(tmp_path / "taken")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
