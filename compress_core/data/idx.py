"""MNIST and Fashion-MNIST: 70,000 grey images of 28 x 28 each, from the official idx files."""

from pathlib import Path

import numpy as np
import torch

from compress_core.data.digits import DIGIT_NAMES
from compress_core.data.files import Download, Files
from compress_core.data.finding import find, read_content, remedies
from compress_core.dataset import DataError, Dataset

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"


def _downloads(source: str, md5: dict[str, str]) -> tuple[Download, ...]:
    return tuple(Download(f"{source}{name}.gz", digest) for name, digest in md5.items())


IDX_DATASETS = {
    "mnist": Files(
        name="mnist",
        folder="mnist",
        title="MNIST",
        source=MNIST_URL,
        download_bytes=11_594_722,
        downloads=_downloads(
            MNIST_URL,
            {
                TRAIN_IMAGES: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                TRAIN_LABELS: "d53e105ee54ea40749a09fcbcd1e9432",
                TEST_IMAGES: "9fb629c4189551a2d022fa330f9573f3",
                TEST_LABELS: "ec29112dd5afa0611ce80d1b7f02629c",
            },
        ),
        sha256={
            TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        class_names=DIGIT_NAMES,
    ),
    "fashion-mnist": Files(
        name="fashion-mnist",
        folder="fashion-mnist",
        title="Fashion-MNIST",
        source=FASHION_URL,
        download_bytes=30_878_645,
        downloads=_downloads(
            FASHION_URL,
            {
                TRAIN_IMAGES: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                TRAIN_LABELS: "25c81989df183df01b3e8a0aad5dffbe",
                TEST_IMAGES: "bef4ecab320f06d8554ea6380940ec79",
                TEST_LABELS: "bb300cfdad3c16e7a12a480ee83cd310",
            },
        ),
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


def load_idx(name: str, split: str) -> Dataset:
    """The `train` (60,000) or `test` (10,000) images (n, 1, 28, 28) of one of IDX_DATASETS.

    Raises DataError when a file is missing or not the official one.
    """
    files = IDX_DATASETS[name]
    pair = (TRAIN_IMAGES, TRAIN_LABELS) if split == "train" else (TEST_IMAGES, TEST_LABELS)
    count = 60_000 if split == "train" else 10_000
    images, labels = (read_idx(find(files, file), files.sha256[file]) for file in pair)
    if images.shape != (count, 28, 28) or labels.shape != (count,):
        raise DataError(
            f"{files.title} {split}: images {images.shape} and labels {labels.shape}, "
            f"expected ({count}, 28, 28) and ({count},); {remedies(files)}"
        )
    pixels = torch.from_numpy(images).unsqueeze(1).float().div_(255)  # (n, 1, 28, 28)
    return Dataset(name, split, pixels, torch.from_numpy(labels).long(), files.class_names)


def read_idx(path: Path, sha256: str) -> np.ndarray:
    """The array in an idx file, its content checked."""
    raw = read_content(path, sha256)
    dimensions = raw[3]  # idx: two zero bytes, type 8 = uint8, number of dimensions, sizes
    shape = np.frombuffer(raw, ">i4", count=dimensions, offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape).copy()
