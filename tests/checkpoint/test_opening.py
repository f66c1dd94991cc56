"""A checkpoint is one file, or its shards; what does not fit together is refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from compress_core.checkpoint import Checkpoint, CheckpointError
from compress_core.checkpoint.reading import read_rows
from tests.checkpoint.conftest import normal


@pytest.fixture
def sharded(tmp_path: Path) -> Path:
    """A folder with two shards and their index."""
    save_file({"a.0.weight": normal(4, 3)}, tmp_path / "one.safetensors")
    save_file({"a.1.weight": normal(4, 3, seed=1)}, tmp_path / "two.safetensors")
    return index_of(tmp_path, {"a.0.weight": "one.safetensors", "a.1.weight": "two.safetensors"})


def index_of(folder: Path, places: dict[str, str]) -> Path:
    path = folder / "model.safetensors.index.json"
    path.write_text(json.dumps({"weight_map": places}))
    return folder


def test_the_folder_and_its_index_open_alike(sharded: Path) -> None:
    by_folder = Checkpoint.open(sharded)
    by_index = Checkpoint.open(sharded / "model.safetensors.index.json")
    assert by_folder.entries == by_index.entries
    assert list(by_folder.by_name) == ["a.0.weight", "a.1.weight"]
    assert torch.equal(read_rows(by_folder.entry("a.1.weight"), range(4)), normal(4, 3, seed=1))


def test_one_shard_opens_alone(sharded: Path) -> None:
    assert list(Checkpoint.open(sharded / "two.safetensors").by_name) == ["a.1.weight"]


@pytest.mark.parametrize("file", ["../one.safetensors", "/etc/passwd", "..", "x\\y.safetensors"])
def test_an_index_names_no_files_elsewhere(file: str, sharded: Path) -> None:
    index_of(sharded, {"a.0.weight": file})
    with pytest.raises(CheckpointError, match="without a path"):
        Checkpoint.open(sharded)


def test_an_index_that_names_a_tensor_in_the_wrong_file_is_refused(sharded: Path) -> None:
    index_of(sharded, {"a.0.weight": "two.safetensors", "a.1.weight": "one.safetensors"})
    with pytest.raises(CheckpointError, match="where it is not"):
        Checkpoint.open(sharded)


def test_a_missing_shard_is_named(sharded: Path) -> None:
    (sharded / "two.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"two\.safetensors"):
        Checkpoint.open(sharded)


def test_one_name_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        save_file({"a": normal(2, 2)}, tmp_path / f"{name}.safetensors")
    with pytest.raises(CheckpointError, match=r"one\.safetensors and in two\.safetensors"):
        Checkpoint.open(tmp_path)


@pytest.mark.parametrize("name", ["", "nothing.safetensors", "notes.txt"])
def test_what_is_no_checkpoint_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a checkpoint at all")
    with pytest.raises(CheckpointError):
        Checkpoint.open(tmp_path / name)


def test_an_unknown_tensor_is_refused_with_names_that_are_near(sharded: Path) -> None:
    with pytest.raises(CheckpointError, match=r"did you mean a\.0\.weight"):
        Checkpoint.open(sharded).entry("a.0")


def test_another_content_is_another_identity(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": normal(2, 2)}, path)
    before = Checkpoint.open(path).identity
    assert Checkpoint.open(path).identity == before
    save_file({"a": normal(2, 3)}, path)
    assert Checkpoint.open(path).identity != before


def test_a_file_that_shrinks_while_it_is_open_is_a_sentence(tmp_path: Path) -> None:
    """A mapped file would end the process here."""
    path = tmp_path / "a.safetensors"
    save_file({"a": normal(100, 100)}, path)
    entry = Checkpoint.open(path).entry("a")
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CheckpointError, match="changed while it was open"):
        read_rows(entry, range(100))
