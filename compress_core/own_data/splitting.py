"""Calibration and test stay apart: no row that is measured on has been looked at before."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from compress_core.dataset import DataError, Dataset, is_classes, stratified_indices
from compress_core.inputs import each, take_rows


class TooFewRows(DataError):  # noqa: N818  # it says what there is
    """There are not two different rows, or a share of them is none."""


class Apart(NamedTuple):
    """The two splits, which share no input; `dropped` rows of one were in the other, too."""

    calibration: Dataset
    test: Dataset
    dropped: int = 0


def split_apart(data: Dataset, calibration: float = 0.2, seed: int = 0) -> Apart:
    """A share of the rows to calibrate on, and the others to measure on; classes have the same
    shares in both, to within a row.

    Rows are told apart by their content: a row that occurs twice goes to one side with both.
    Raises TooFewRows where the share leaves none on one side, DataError for another share.
    """
    if not 0 < calibration < 1:
        raise DataError(f"calibration={calibration} is no share; give one between 0 and 1")
    first, group = _groups(data)
    size = round(calibration * len(first))
    if not 0 < size < len(first):
        raise TooFewRows(
            f"{data.name} has {len(first):,} different rows, and a share of {calibration:g} for "
            "calibration leaves none on one side; pass more rows"
        )
    chosen = np.zeros(len(first), bool)
    chosen[stratified_indices(_classes(data)[first], size, seed)] = True
    kept = chosen[group]
    return Apart(_take(data, kept, "train"), _take(data, ~kept, "test"))


def keep_apart(training: Dataset, test: Dataset) -> Apart:
    """A file's own splits; rows of the training split that are in the test split, too, are left
    out of it. Raises DataError where that leaves none."""
    tested = set(_keys(test))
    kept = np.array([key not in tested for key in _keys(training)])
    if not kept.any():
        raise DataError(
            f"all {len(training):,} rows of the training split of {training.name} are in its test "
            "split, too; pass rows that are in one of them"
        )
    return Apart(_take(training, kept, "train"), replace(test, split="test"), int((~kept).sum()))


def _groups(data: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The first row (k,) of each content, and the content's number of each row (n,)."""
    numbers: dict[bytes, int] = {}
    group = np.array([numbers.setdefault(key, len(numbers)) for key in _keys(data)])
    return np.unique(group, return_index=True)[1], group


def _keys(data: Dataset) -> Sequence[bytes]:
    """What tells the inputs of a row from others."""
    columns = [_bytes_of_rows(tensor) for tensor in each(data.inputs)]
    return [
        hashlib.blake2b(b"".join(row), digest_size=16).digest()
        for row in zip(*columns, strict=True)
    ]


def _bytes_of_rows(tensor: Tensor) -> Sequence[bytes]:
    return [row.tobytes() for row in tensor.contiguous().numpy()]


def _classes(data: Dataset) -> np.ndarray:
    if is_classes(data.labels):
        return data.class_labels.numpy()
    return np.zeros(len(data), np.int64)


def _take(data: Dataset, kept: np.ndarray, split: str) -> Dataset:
    rows = torch.from_numpy(np.flatnonzero(kept))
    labels = None if data.labels is None else data.labels[rows]
    return Dataset(data.name, split, take_rows(data.inputs, rows), labels, data.class_names)
