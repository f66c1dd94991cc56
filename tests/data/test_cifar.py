"""CIFAR-10 from its official binary batches."""

import gzip
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from compress_core.data import DataError, is_available, load_dataset
from compress_core.data.cifar import CIFAR_10, TEST_BATCH, TRAIN_BATCHES, load_cifar_10, read_batch
from tests.data.official import cifar_batch

LABELS = np.arange(10_000) % 10


def place(path: Path, raw: bytes) -> str:
    """Write a batch, gzipped by its name; returns the sha256 of its content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(raw, 1) if path.suffix == ".gz" else raw)
    return hashlib.sha256(raw).hexdigest()


@pytest.mark.parametrize("name", ["test_batch.bin", "test_batch.bin.gz"])
def test_a_record_is_a_label_and_three_planes(tmp_path: Path, name: str) -> None:
    digest = place(tmp_path / name, cifar_batch(LABELS))
    pixels, labels = read_batch(tmp_path / name, digest)
    assert (labels == LABELS).all()
    plane, row, column = 1, 2, 3
    assert pixels[5, plane, row, column] == (5 + 1024 * plane + 32 * row + column) % 256


def test_the_training_batches_are_in_order(monkeypatch: pytest.MonkeyPatch, no_files: Path) -> None:
    for i, name in enumerate(TRAIN_BATCHES):
        raw = cifar_batch(np.full(10_000, i))
        monkeypatch.setitem(CIFAR_10.sha256, name, place(no_files / CIFAR_10.folder / name, raw))
    loaded = load_cifar_10("train")
    assert loaded.images.shape == (50_000, 3, 32, 32)
    assert torch.equal(loaded.labels, torch.arange(5).repeat_interleave(10_000))


def test_a_batch_of_another_length_is_refused_by_name(tmp_path: Path) -> None:
    digest = place(tmp_path / "test_batch.bin", cifar_batch(LABELS[:-1]))
    rule = r"test_batch\.bin has 30,726,927 bytes .* 10,000 x 3,073; place the file anew"
    with pytest.raises(DataError, match=rule):
        read_batch(tmp_path / "test_batch.bin", digest)


def test_a_label_that_is_no_class_is_refused_by_name(tmp_path: Path) -> None:
    digest = place(tmp_path / "test_batch.bin", cifar_batch(LABELS + 1))
    with pytest.raises(DataError, match=r"test_batch\.bin has a label 10, .* 0 to 9"):
        read_batch(tmp_path / "test_batch.bin", digest)


@pytest.mark.parametrize("content", [cifar_batch(LABELS)[:-1], cifar_batch(LABELS)], ids=len)
def test_a_batch_that_is_truncated_or_altered_is_refused_by_name(
    no_files: Path, content: bytes
) -> None:
    place(no_files / CIFAR_10.folder / TEST_BATCH, content)
    with pytest.raises(DataError, match=r"test_batch\.bin is not the official file"):
        load_dataset("cifar-10")


@pytest.mark.usefixtures("no_files")
def test_a_missing_batch_is_named_with_its_remedies() -> None:
    rule = (
        r"CIFAR-10: test_batch\.bin is not on this machine; download it \(170 MB, .*data cifar-10`"
    )
    with pytest.raises(DataError, match=rule):
        load_dataset("cifar-10")


@pytest.mark.skipif(not is_available("cifar-10"), reason="CIFAR-10 is not here")
def test_the_official_test_images_are_read() -> None:
    loaded = load_dataset("cifar-10")
    assert loaded.images.shape == (10_000, 3, 32, 32)
    assert (loaded.images.min(), loaded.images.max()) == (0, 1)
    assert loaded.labels.bincount().tolist() == [1000] * 10
    assert loaded.class_names[int(loaded.labels[0])] == "cat"  # then two ships and an airplane
    assert loaded.labels[:4].tolist() == [3, 8, 8, 0]
