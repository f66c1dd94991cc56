"""scikit-learn's digits: 1,797 grey images of 8 x 8, embedded in that package."""

import gzip
import importlib.metadata
from pathlib import Path

import numpy as np
import torch

from compress_core.dataset import Dataset, stratified_indices

TEST_SIZE = 600
DIGIT_NAMES = tuple("0123456789")


def load_digits(split: str) -> Dataset:
    """The `train` (1,197) or `test` (600) images (n, 1, 8, 8), a fixed stratified split."""
    # scikit-learn's own file, read without the second that importing scikit-learn takes
    package = importlib.metadata.distribution("scikit-learn")
    path = Path(str(package.locate_file("sklearn/datasets/data/digits.csv.gz")))
    with gzip.open(path, "rt") as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.float32)  # (1797, 64 pixels and a label)
    labels = rows[:, -1].astype(np.int64)
    test = stratified_indices(labels, TEST_SIZE, seed=0)
    picked = test if split == "test" else np.setdiff1d(np.arange(len(labels)), test)
    images = rows[picked, :-1].reshape(-1, 1, 8, 8) / 16  # 0 … 16 in the file
    return Dataset(
        "digits",
        split,
        torch.from_numpy(images),
        torch.from_numpy(labels[picked]),
        DIGIT_NAMES,
    )
