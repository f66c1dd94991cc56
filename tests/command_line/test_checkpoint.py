"""`python -m compress_core checkpoint`: groups, one tensor, and all of them at bits."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from compress_core.__main__ import main
from compress_core.checkpoint import Checkpoint, bit_steps, of_whole, sweep_bits, weigh_tensor
from compress_core.checkpoint.profiles import FOLDER_VARIABLE
from compress_core.command_line.parser import BAD_INPUT
from compress_core.events import Silent
from compress_core.recipe import parse_recipe
from tests.checkpoint.conftest import normal


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "profiles"))
    file = tmp_path / "model.safetensors"
    tensors = {f"h.{i}.weight": normal(32, 48, seed=i).bfloat16() for i in range(2)}
    save_file({**tensors, "norm": torch.ones(48)}, file)
    return file


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["checkpoint", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_groups_are_listed(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, str(path))
    assert found["bytes"] == 2 * 32 * 48 * 2 + 48 * 4
    rows = {row["tensors"]: row for row in found["groups"]}
    assert rows["h.*.weight"]["count"] == 2
    assert rows["h.*.weight"]["shape"] == [32, 48]
    assert main(["checkpoint", str(path)]) == 0
    assert "h.*.weight" in capsys.readouterr().out


def test_a_tensor_is_weighed_after_steps(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, str(path), "--tensor", "h.1.weight", "--step", "quantize:bits=4")
    steps = parse_recipe("quantize:bits=4")
    weighed = weigh_tensor(Checkpoint.open(path).entry("h.1.weight"), steps, pytest.fail)
    assert found["stored_bytes"] == weighed.stored_bytes
    assert found["sqnr_db"] == pytest.approx(weighed.sqnr_db)
    assert {line["name"]: line["bytes"] for line in found["ledger"]}["as it came"] == 3072
    assert main(["checkpoint", str(path), "--tensor", "h.1.weight"]) == 0
    assert "Stored as" in capsys.readouterr().out


def test_a_norm_has_numbers_and_takes_no_step(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer(capsys, str(path), "--tensor", "norm")["largest"] == 1
    assert main(["checkpoint", str(path), "--tensor", "norm", "--step", "ternarize"]) == BAD_INPUT
    assert "no step acts on it" in capsys.readouterr().err


def test_all_tensors_are_swept(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, checkpoint = answer(capsys, str(path), "--sweep"), Checkpoint.open(path)
    whole = of_whole(sweep_bits(checkpoint, bit_steps(), Silent()), checkpoint)
    assert [row["stored_bytes"] for row in found["whole"]] == [row.stored_bytes for row in whole]
    assert main(["checkpoint", str(path), "--sweep"]) == 0
    assert "quantize:bits=3" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--step", "quantize"], "--tensor NAME, or on all"),
        (["--sweep", "--tensor", "norm"], "leave out"),
        (["--tensor", "nothing"], "has no tensor 'nothing'"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], said: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["checkpoint", str(path), *arguments]) == BAD_INPUT
    assert said in capsys.readouterr().err


def test_a_file_that_is_none_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.safetensors").write_bytes(b"nothing")
    assert main(["checkpoint", str(tmp_path)]) == BAD_INPUT
    assert capsys.readouterr().err.count("\n") == 1
