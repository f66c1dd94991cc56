"""Datasets as tensors: loaded once, shared by everybody, never written to.

scikit-learn's digits are embedded. The others are official files, found in $COMPRESS_DATA_DIR, else
in the user's cache, else downloaded there by `download` when asked to.
"""

import functools
from collections.abc import Callable

from compress_core.data.cifar import CIFAR_10, load_cifar_10
from compress_core.data.digits import load_digits
from compress_core.data.downloading import fetch_all
from compress_core.data.files import Files
from compress_core.data.finding import are_there, user_cache
from compress_core.data.idx import IDX_DATASETS, load_idx
from compress_core.dataset import DataError as DataError
from compress_core.dataset import Dataset as Dataset
from compress_core.dataset import stratified_indices as stratified_indices

FILES = {**IDX_DATASETS, CIFAR_10.name: CIFAR_10}  # of the datasets that are not embedded
LOADERS: dict[str, Callable[[str], Dataset]] = {
    "digits": load_digits,
    **{name: functools.partial(load_idx, name) for name in IDX_DATASETS},
    CIFAR_10.name: load_cifar_10,
}
DATASETS = tuple(LOADERS)


def load_dataset(name: str, split: str = "test") -> Dataset:
    """The `train` or `test` split of a dataset, as tensors; loaded once per process.

    Raises DataError when the name is unknown, or the files are missing, truncated or altered.
    """
    if name not in DATASETS:
        raise DataError(f"unknown dataset {name!r}; choose one of {', '.join(DATASETS)}")
    if split not in {"train", "test"}:
        raise DataError(f"unknown split {split!r}; choose train or test")
    return _load(name, split)


@functools.cache  # not on load_dataset: there ("mnist",) and ("mnist", "test") are two keys
def _load(name: str, split: str) -> Dataset:
    return LOADERS[name](split)


def is_available(name: str) -> bool:
    """Whether `load_dataset(name)` would find its files (it does not read them)."""
    return are_there(FILES[name]) if name in FILES else name in DATASETS


def download(name: str, progress: Callable[[str, float], None] | None = None) -> None:
    """Download one of FILES into the user's cache; `progress(file, fraction)` is told each step.

    Files that are there already are checked, not fetched again.
    Raises DataError when a file cannot be had or its checksum differs.
    """
    fetch_all(FILES[name], progress)
