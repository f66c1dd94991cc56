"""Datasets: loaded once, and unknown ones refused."""

import pytest

from compress_core.data import DataError, load_dataset


def test_a_dataset_is_in_memory_once() -> None:
    assert load_dataset("digits") is load_dataset("digits", "test")
    assert load_dataset("digits") is load_dataset("digits", split="test")


def test_an_unknown_dataset_is_refused() -> None:
    with pytest.raises(DataError, match="unknown dataset 'cifar'; choose one of digits, mnist"):
        load_dataset("cifar")


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(DataError, match="unknown split 'validation'; choose train or test"):
        load_dataset("digits", "validation")
