"""Datasets as tensors: loaded once, shared by everybody, never written to.

scikit-learn's digits are embedded. MNIST and Fashion-MNIST are the official idx files, found in
$COMPRESS_DATA_DIR, else in the user's cache, else downloaded there by `download` when asked to.
"""

import functools
import gzip
import hashlib
import importlib.metadata
import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from compress_core.dataset import DataError as DataError
from compress_core.dataset import Dataset as Dataset
from compress_core.dataset import stratified_indices as stratified_indices
from compress_core.writing import write_file

DIGITS_TEST_SIZE = 600


@dataclass(frozen=True)
class IdxFiles:
    """Where an idx dataset comes from; sha256 of the decompressed bytes, by file name."""

    folder: str
    title: str
    base_url: str
    download_bytes: int
    gzip_md5: dict[str, str]
    sha256: dict[str, str]
    class_names: tuple[str, ...]


TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
DIGIT_NAMES = tuple("0123456789")

IDX_DATASETS = {
    "mnist": IdxFiles(
        folder="mnist",
        title="MNIST",
        base_url="https://ossci-datasets.s3.amazonaws.com/mnist/",
        download_bytes=11_594_722,
        gzip_md5={
            TRAIN_IMAGES: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            TRAIN_LABELS: "d53e105ee54ea40749a09fcbcd1e9432",
            TEST_IMAGES: "9fb629c4189551a2d022fa330f9573f3",
            TEST_LABELS: "ec29112dd5afa0611ce80d1b7f02629c",
        },
        sha256={
            TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        class_names=DIGIT_NAMES,
    ),
    "fashion-mnist": IdxFiles(
        folder="fashion-mnist",
        title="Fashion-MNIST",
        base_url="http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        download_bytes=30_878_645,
        gzip_md5={
            TRAIN_IMAGES: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            TRAIN_LABELS: "25c81989df183df01b3e8a0aad5dffbe",
            TEST_IMAGES: "bef4ecab320f06d8554ea6380940ec79",
            TEST_LABELS: "bb300cfdad3c16e7a12a480ee83cd310",
        },
        sha256={
            TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        },
        class_names=(
            "T-shirt",
            "trouser",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ),
    ),
}
DATASETS = ("digits", *IDX_DATASETS)


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
    return _load_digits(split) if name == "digits" else _load_idx(name, split)


def _load_digits(split: str) -> Dataset:
    # scikit-learn's own file, read without the second that importing scikit-learn takes
    package = importlib.metadata.distribution("scikit-learn")
    path = Path(str(package.locate_file("sklearn/datasets/data/digits.csv.gz")))
    with gzip.open(path, "rt") as file:
        rows = np.loadtxt(file, delimiter=",", dtype=np.float32)  # (1797, 64 pixels and a label)
    labels = rows[:, -1].astype(np.int64)
    test = stratified_indices(labels, DIGITS_TEST_SIZE, seed=0)
    picked = test if split == "test" else np.setdiff1d(np.arange(len(labels)), test)
    images = rows[picked, :-1].reshape(-1, 1, 8, 8) / 16  # 0 … 16 in the file
    return Dataset(
        "digits",
        split,
        torch.from_numpy(images),
        torch.from_numpy(labels[picked]),
        DIGIT_NAMES,
    )


def _load_idx(name: str, split: str) -> Dataset:
    files = IDX_DATASETS[name]
    pair = (TRAIN_IMAGES, TRAIN_LABELS) if split == "train" else (TEST_IMAGES, TEST_LABELS)
    count = 60_000 if split == "train" else 10_000
    images, labels = (read_idx(_find(files, stem), files.sha256[stem]) for stem in pair)
    if images.shape != (count, 28, 28) or labels.shape != (count,):
        raise DataError(
            f"{files.title} {split}: images {images.shape} and labels {labels.shape}, "
            f"expected ({count}, 28, 28) and ({count},); {_by_hand(files)}"
        )
    pixels = torch.from_numpy(images).unsqueeze(1).float().div_(255)  # (n, 1, 28, 28)
    return Dataset(name, split, pixels, torch.from_numpy(labels).long(), files.class_names)


def read_idx(path: Path, sha256: str) -> np.ndarray:
    """The array in a gzipped idx file, checked against the sha256 of its decompressed bytes."""
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged or truncated ({error}); place the file anew") from error
    found = hashlib.sha256(raw).hexdigest()
    if found != sha256:
        raise DataError(
            f"{path} is not the official file: sha256 of its content is {found[:12]}…, "
            f"expected {sha256[:12]}…; place the file anew"
        )
    dimensions = raw[3]  # idx: two zero bytes, type 8 = uint8, number of dimensions, sizes
    shape = np.frombuffer(raw, ">i4", count=dimensions, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape).copy()


def user_cache() -> Path:
    """The folder that downloads go to."""
    import pooch

    return Path(pooch.os_cache("compress-explorer"))


def is_available(name: str) -> bool:
    """Whether `load_dataset(name)` would find its files (it does not read them)."""
    if name not in IDX_DATASETS:
        return name in DATASETS
    files = IDX_DATASETS[name]
    return all(_candidates(files, stem) for stem in files.sha256)


def _candidates(files: IdxFiles, stem: str) -> list[Path]:
    chosen = os.environ.get("COMPRESS_DATA_DIR")
    roots = [Path(chosen)] if chosen else []
    paths = [root / files.folder / f"{stem}.gz" for root in [*roots, user_cache()]]
    return [path for path in paths if path.is_file()]


def _find(files: IdxFiles, stem: str) -> Path:
    found = _candidates(files, stem)
    if not found:
        raise DataError(f"{files.title}: {stem}.gz is not on this machine; {_by_hand(files)}")
    return found[0]


def _by_hand(files: IdxFiles) -> str:
    return (
        f"download it ({files.download_bytes / 1e6:.0f} MB, from {files.base_url}) with "
        f"`python -m compress_core data {files.folder}`, or place {', '.join(files.sha256)} "
        f"(each with .gz) in $COMPRESS_DATA_DIR/{files.folder} or {user_cache() / files.folder}"
    )


def download(name: str, progress: Callable[[str, float], None] | None = None) -> None:
    """Download an idx dataset into the user's cache; `progress(file, fraction)` is told each step.

    Files that are there already are checked, not fetched again.
    Raises DataError when a file cannot be had or its checksum differs.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")  # progress is ours to show
    files = IDX_DATASETS[name]
    for stem in files.gzip_md5:
        try:
            _fetch(files, stem, _Progress(stem, progress) if progress else False)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{files.title}: {stem}.gz could not be downloaded ({error}); {_by_hand(files)}"
            ) from error


def _fetch(files: IdxFiles, stem: str, bar: "_Progress | bool") -> None:
    """Make one file of a dataset stand in the user's cache, checked by its md5."""
    import pooch

    target, md5 = user_cache() / files.folder / f"{stem}.gz", files.gzip_md5[stem]
    if target.is_file() and pooch.file_hash(str(target), "md5") == md5:
        return
    with TemporaryDirectory() as folder:
        pooch.retrieve(
            f"{files.base_url}{stem}.gz",
            known_hash=f"md5:{md5}",
            fname=target.name,
            path=folder,
            downloader=pooch.HTTPDownloader(timeout=30, progressbar=bar),
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        write_file(target, (Path(folder) / target.name).read_bytes())


class _Progress:
    """What pooch wants of a progress bar, reported as a fraction of one file."""

    def __init__(self, stem: str, report: Callable[[str, float], None]) -> None:
        self.stem, self.report = stem, report
        self.total, self.done = 0, 0

    def update(self, count: int) -> None:
        self.done += count
        self.report(self.stem, self.done / self.total if self.total else 0.0)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        self.report(self.stem, 1.0)
