"""MNIST and Fashion-MNIST from their idx files."""

from pathlib import Path

import numpy as np
import pytest

from compress_core.data import DataError, is_available, load_dataset
from compress_core.data.idx import IDX_DATASETS, TEST_IMAGES, TEST_LABELS, read_idx
from tests.data.official import write_idx


def test_an_idx_file_comes_back(tmp_path: Path) -> None:
    array = np.arange(24).reshape(2, 3, 4)
    digest = write_idx(tmp_path / "x.gz", array)
    assert np.array_equal(read_idx(tmp_path / "x.gz", digest), array)


def test_files_of_the_wrong_shape_are_refused(
    monkeypatch: pytest.MonkeyPatch, no_files: Path
) -> None:
    files = IDX_DATASETS["mnist"]
    arrays = {TEST_IMAGES: np.zeros((3, 28, 28)), TEST_LABELS: np.zeros(3)}
    for stem, array in arrays.items():
        digest = write_idx(no_files / "mnist" / f"{stem}.gz", array)
        monkeypatch.setitem(files.sha256, stem, digest)
    with pytest.raises(DataError, match=r"MNIST test: images \(3, 28, 28\) .*expected \(10000"):
        load_dataset("mnist")


@pytest.mark.parametrize("name", IDX_DATASETS)
@pytest.mark.parametrize(("split", "count"), [("train", 60_000), ("test", 10_000)])
def test_the_official_files_are_read(name: str, split: str, count: int) -> None:
    if not is_available(name):
        pytest.skip(f"{name} is not on this machine: set COMPRESS_DATA_DIR")
    loaded = load_dataset(name, split)
    assert loaded.images.shape == (count, 1, 28, 28)
    assert (loaded.images.min(), loaded.images.max()) == (0, 1)
    classes = loaded.labels.bincount()
    assert len(classes) == len(loaded.class_names) == 10
    assert name == "mnist" or classes.tolist() == [count // 10] * 10  # Fashion's are equal
