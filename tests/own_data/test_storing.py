"""A dataset through a file: nothing is lost, and a file of somebody else's is refused."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from compress_core.dataset import DataError, Dataset
from compress_core.own_data import read_dataset, write_dataset

IMAGES = torch.arange(24, dtype=torch.uint8).reshape(2, 3, 2, 2)
DATASETS = (
    Dataset.of(IMAGES, [1, 0], class_names=("Schneeeule ❄", "a<b>"), split="train", name="owls"),
    Dataset.of(torch.rand(3, 4), torch.rand(3)),
    Dataset.of((torch.rand(2, 4), torch.zeros(2, 3).long())),
    Dataset.of((torch.rand(2, 4),)),
)


@pytest.mark.parametrize("data", DATASETS)
def test_a_dataset_comes_back_as_it_was(tmp_path: Path, data: Dataset) -> None:
    write_dataset(data, tmp_path / "d.safetensors")
    found = read_dataset(tmp_path / "d.safetensors")
    assert (found.name, found.split, found.class_names) == (
        data.name,
        data.split,
        data.class_names,
    )
    assert _same(found.inputs, data.inputs)
    assert _same(found.labels, data.labels)


def _same(one: object, other: object) -> bool:
    if isinstance(one, tuple) and isinstance(other, tuple):
        return all(map(_same, one, other))
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    return one is other is None


def test_the_same_dataset_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_dataset(DATASETS[0], tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


ABOUT = {"version": 1, "name": "n", "split": "test", "class_names": [], "is_tuple": False}


@pytest.mark.parametrize(
    ("about", "names"),
    [
        ({}, ("x0",)),
        ({**ABOUT, "version": 2}, ("x0",)),
        ({**ABOUT, "class_names": [1]}, ("x0",)),
        ({**ABOUT, "split": "all"}, ("x0",)),
        ({**ABOUT, "is_tuple": 1}, ("x0",)),
        ({**ABOUT, "more": 1}, ("x0",)),
        (ABOUT, ("y",)),
        (ABOUT, ("x1",)),
        (ABOUT, ("x0", "weight")),
    ],
)
def test_other_content_is_refused(
    tmp_path: Path, about: dict[str, object], names: tuple[str, ...]
) -> None:
    tensors = {name: torch.zeros(2) for name in names}
    save_file(tensors, tmp_path / "d", {"dataset": json.dumps(about)})
    with pytest.raises(DataError, match="holds no dataset of ours"):
        read_dataset(tmp_path / "d")


@pytest.mark.parametrize("raw", [b"", b"\xff" * 8, b"\x02\0\0\0\0\0\0\0{}", b"\x01" * 100])
def test_no_safetensors_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "d").write_bytes(raw)
    with pytest.raises(DataError, match="holds no dataset of ours"):
        read_dataset(tmp_path / "d")


@pytest.mark.parametrize("cut", [1, 7, 30, 200])
def test_a_file_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    write_dataset(DATASETS[0], tmp_path / "d")
    raw = (tmp_path / "d").read_bytes()
    (tmp_path / "d").write_bytes(raw[:-cut])
    with pytest.raises(DataError):
        read_dataset(tmp_path / "d")
