"""Datasets: fixed splits, shared tensors, and wrong files refused by name."""

import gzip
import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pooch
import pytest
import torch
from sklearn.datasets import load_digits

from compress_core import data
from compress_core.data import (
    IDX_DATASETS,
    TEST_IMAGES,
    TEST_LABELS,
    DataError,
    Dataset,
    download,
    is_available,
    load_dataset,
    read_idx,
    stratified_indices,
)


def write_idx(path: Path, array: np.ndarray) -> str:
    """Write a gzipped idx file; returns the sha256 of its content."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape)
    raw = header + array.astype(np.uint8).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(raw))
    return hashlib.sha256(raw).hexdigest()


@pytest.fixture
def no_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A machine without any dataset; returns its COMPRESS_DATA_DIR."""
    monkeypatch.setenv("COMPRESS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(data, "user_cache", lambda: tmp_path / "cache")
    data._load.cache_clear()
    yield tmp_path / "data"
    data._load.cache_clear()


def test_digits_are_scikit_learns(digits: Dataset) -> None:
    everything = load_digits()
    train = load_dataset("digits", "train")
    assert (len(digits), len(train)) == (600, 1197)
    images = torch.cat([digits.images, train.images]) * 16
    ours = sorted(image.flatten().tolist() for image in images)
    assert ours == sorted(everything.images.reshape(-1, 64).tolist())


def test_images_are_fractions_with_a_channel(digits: Dataset) -> None:
    assert digits.images.shape == (600, 1, 8, 8)
    assert digits.images.dtype == torch.float32
    assert (digits.images.min(), digits.images.max()) == (0, 1)
    assert digits.labels.dtype == torch.int64


def test_no_test_digit_is_trained_on(digits: Dataset) -> None:
    def keys(split: Dataset) -> set[bytes]:
        return {image.numpy().tobytes() for image in split.images}

    assert not keys(digits) & keys(load_dataset("digits", "train"))


def test_the_split_is_stratified(digits: Dataset) -> None:
    shares = np.bincount(load_digits().target) * 600 / 1797
    assert np.abs(digits.labels.bincount().numpy() - shares).max() < 1


def test_the_split_is_fixed(digits: Dataset) -> None:
    digest = hashlib.sha256(digits.images.numpy().tobytes()).hexdigest()
    assert digest == "3731213fccf606cd3d762f7c576f49b09b00599df64a9c7a45d11e7e7ca3259d"


def test_a_dataset_is_in_memory_once() -> None:
    assert load_dataset("digits") is load_dataset("digits", "test")
    assert load_dataset("digits") is load_dataset("digits", split="test")


def test_a_subset_is_balanced_and_repeatable(digits: Dataset) -> None:
    subset = digits.subset(100)
    assert len(subset) == 100
    assert subset.labels.bincount().tolist() == pytest.approx([10] * 10, abs=1)
    assert torch.equal(subset.images, digits.subset(100).images)
    assert not torch.equal(subset.images, digits.subset(100, seed=1).images)


def test_a_subset_as_large_as_the_set_is_the_set(digits: Dataset) -> None:
    assert digits.subset(600) is digits


@pytest.mark.parametrize("size", [1, 7, 50, 99])
def test_stratified_indices_are_sorted_and_unique(size: int) -> None:
    indices = stratified_indices(np.arange(100) % 3, size, seed=0)
    assert len(indices) == size
    assert (np.diff(indices) > 0).all()


def test_an_unknown_dataset_is_refused() -> None:
    with pytest.raises(DataError, match="unknown dataset 'cifar'; choose one of digits, mnist"):
        load_dataset("cifar")


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(DataError, match="unknown split 'validation'; choose train or test"):
        load_dataset("digits", "validation")


def test_an_idx_file_comes_back(tmp_path: Path) -> None:
    array = np.arange(24).reshape(2, 3, 4)
    digest = write_idx(tmp_path / "x.gz", array)
    assert np.array_equal(read_idx(tmp_path / "x.gz", digest), array)


def test_a_truncated_file_is_refused_by_name(tmp_path: Path) -> None:
    digest = write_idx(tmp_path / "x.gz", np.arange(1000) % 251)
    (tmp_path / "x.gz").write_bytes((tmp_path / "x.gz").read_bytes()[:-20])
    with pytest.raises(DataError, match=r"x\.gz is damaged or truncated .*place the file anew"):
        read_idx(tmp_path / "x.gz", digest)


def test_a_file_that_is_not_gzipped_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match=r"x\.gz is damaged or truncated"):
        read_idx(tmp_path / "x.gz", "0" * 64)


def test_another_file_is_refused_by_its_checksum(tmp_path: Path) -> None:
    digest = write_idx(tmp_path / "x.gz", np.zeros(5))
    with pytest.raises(DataError, match=rf"not the official file: .*{digest[:12]}.*expected 0000"):
        read_idx(tmp_path / "x.gz", "0" * 64)


def test_a_missing_dataset_says_what_from_where_how_big_and_where_to(no_files: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_dataset("mnist")
    expected = (
        "MNIST: t10k-images-idx3-ubyte.gz is not on this machine",
        "12 MB, from https://ossci-datasets.s3.amazonaws.com/mnist/",
        "python -m compress_core data mnist",
        "$COMPRESS_DATA_DIR/mnist",
        str(no_files.parent / "cache" / "mnist"),
    )
    assert [part for part in expected if part not in str(caught.value)] == []


def test_a_missing_dataset_is_found_once_it_is_placed(no_files: Path) -> None:
    assert not is_available("mnist")
    for stem in IDX_DATASETS["mnist"].sha256:
        write_idx(no_files / "mnist" / f"{stem}.gz", np.zeros(1))
    assert is_available("mnist")


def test_digits_are_always_there_and_unknown_sets_never() -> None:
    assert is_available("digits")
    assert not is_available("cifar")


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


def test_a_download_asks_for_each_file_by_its_checksum(
    no_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[dict[str, Any]] = []

    def retrieve(url: str, **rest: Any) -> None:
        calls.append({"url": url, **rest})
        Path(rest["path"], rest["fname"]).write_bytes(url.encode())

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    download("fashion-mnist")
    files = IDX_DATASETS["fashion-mnist"]
    assert [call["url"] for call in calls] == [
        f"{files.base_url}{stem}.gz" for stem in files.gzip_md5
    ]
    assert {call["known_hash"] for call in calls} == {
        f"md5:{digest}" for digest in files.gzip_md5.values()
    }
    cache = no_files.parent / "cache" / "fashion-mnist"
    assert {path.name: path.read_text() for path in cache.iterdir()} == {
        f"{stem}.gz": f"{files.base_url}{stem}.gz" for stem in files.gzip_md5
    }


def test_a_file_that_is_there_is_checked_and_one_that_is_another_is_fetched_through_its_link(
    no_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, stems = no_files.parent / "cache" / "mnist", list(IDX_DATASETS["mnist"].gzip_md5)
    cache.mkdir(parents=True)
    for stem in stems:
        (cache / f"{stem}.gz").write_bytes(b"right")
    (cache / "elsewhere").write_bytes(b"wrong")
    (cache / f"{stems[0]}.gz").unlink()
    (cache / f"{stems[0]}.gz").symlink_to("elsewhere")
    for stem in stems:
        digest = hashlib.md5(b"right").hexdigest()
        monkeypatch.setitem(IDX_DATASETS["mnist"].gzip_md5, stem, digest)
    fetched: list[str] = []

    def retrieve(_url: str, *, path: str, fname: str, **_rest: Any) -> None:
        fetched.append(fname)
        Path(path, fname).write_bytes(b"right")

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    download("mnist")
    assert fetched == [f"{stems[0]}.gz"]
    assert (cache / f"{stems[0]}.gz").is_symlink()
    assert (cache / "elsewhere").read_bytes() == b"right"


@pytest.mark.usefixtures("no_files")
def test_a_download_reports_the_fraction_of_each_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def retrieve(_url: str, *, downloader: Any, path: str, fname: str, **_rest: Any) -> None:
        Path(path, fname).write_bytes(b"")
        bar = downloader.progressbar
        bar.total = 200
        bar.update(50)
        bar.update(100)
        bar.close()

    reported: list[tuple[str, float]] = []
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    download("mnist", lambda *step: reported.append(step))
    assert [step for step in reported if step[0] == TEST_LABELS] == [
        (TEST_LABELS, 0.25),
        (TEST_LABELS, 0.75),
        (TEST_LABELS, 1.0),
    ]


@pytest.mark.usefixtures("no_files")
@pytest.mark.parametrize("error", [OSError("no route to host"), ValueError("hash differs")])
def test_a_failed_download_says_how_to_place_the_files(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def retrieve(*_args: Any, **_rest: Any) -> None:
        raise error

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(DataError, match=rf"could not be downloaded \({error}\); .*or place"):
        download("mnist")
