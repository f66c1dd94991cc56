"""The digits: scikit-learn's, in a fixed split, and subsets of them."""

import hashlib

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from compress_core.data import Dataset, load_dataset, stratified_indices


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
