"""The README's code runs as it stands."""

import re
from pathlib import Path
from typing import Any

import pytest

from compress_core import Dataset
from compress_core.data import is_available

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)


def run(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(block, names)
    return names


def test_own_data_take_ten_lines(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = [block for block in BLOCKS if "Dataset.of" in block]
    names = run(block)
    report = names["report"]
    assert len(block.strip().splitlines()) <= 10
    assert isinstance(names["test"], Dataset)
    assert (report.score.metric, report.score.n) == ("accuracy", 100)
    assert report.size.sparsity == pytest.approx(0.5, abs=0.01)
    assert "metric='accuracy'" in capsys.readouterr().out


def test_a_reference_network_takes_ten_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_available("mnist"):
        pytest.skip("mnist is not on this machine: set COMPRESS_DATA_DIR")
    monkeypatch.chdir(tmp_path)
    (block,) = [block for block in BLOCKS if "lenet" in block]
    names = run(block)
    stored = names["compressed"].module.state_dict()
    assert all(bool((stored[key] == value).all()) for key, value in names["weights"].items())


def test_a_training_takes_eight_lines(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = [block for block in BLOCKS if "train_steps" in block]
    assert len(block.strip().splitlines()) <= 8
    compressed = run(block)["compressed"]
    assert compressed.acts[-1].step.kind == "train"
    assert str(compressed.stored_bytes) in capsys.readouterr().out
