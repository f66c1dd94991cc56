"""Loaders of one's own."""

from torch import Tensor

from compress_core.data import Dataset, load_dataset


def test_rows() -> tuple[Tensor, Tensor]:
    data = load_dataset("digits")
    assert data.labels is not None
    return data.images, data.labels


def both() -> tuple[Dataset, Dataset]:
    return load_dataset("digits", "train"), load_dataset("digits")


def broken() -> Dataset:
    raise OSError("the disk is not mounted")
