"""CIFAR-10: 60,000 colour images of 32 x 32, from the official binary batches.

Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images"; the layout is that
of https://www.cs.toronto.edu/~kriz/cifar.html, "Binary version".
"""

from pathlib import Path

import numpy as np
import torch

from compress_core.data.files import Download, Files
from compress_core.data.finding import find, read_content
from compress_core.dataset import DataError, Dataset

TRAIN_BATCHES = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST_BATCH = "test_batch.bin"
BATCH_IMAGES = 10_000
SHAPE = (3, 32, 32)  # red, green and blue planes
RECORD_BYTES = 1 + 3 * 32 * 32  # a label, then the pixels
PAGE = "https://www.cs.toronto.edu/~kriz/"

CIFAR_10 = Files(
    name="cifar-10",
    folder="cifar-10-batches-bin",
    title="CIFAR-10",
    sha256={
        "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
        "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
        "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
        "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
        TEST_BATCH: "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    },
    source=PAGE,
    downloads=(
        Download(
            f"{PAGE}cifar-10-binary.tar.gz",
            md5="c32a1d4ab5d03f1284b67883e8d87530",
            members=(*TRAIN_BATCHES, TEST_BATCH),
        ),
    ),
    download_bytes=170_052_171,
    class_names=(  # batches.meta.txt of the archive
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
)


def load_cifar_10(split: str) -> Dataset:
    """The `train` (50,000, batches 1 to 5 in order) or `test` (10,000) images (n, 3, 32, 32).

    The training images are 614 MB as float32; they are filled in batch by batch, so that loading
    takes little more. Raises DataError when a batch is missing or not the official one.
    """
    names = TRAIN_BATCHES if split == "train" else (TEST_BATCH,)
    images = torch.empty(len(names), BATCH_IMAGES, *SHAPE)
    labels = torch.empty(len(names), BATCH_IMAGES, dtype=torch.int64)
    for i, name in enumerate(names):
        pixels, classes = read_batch(find(CIFAR_10, name), CIFAR_10.sha256[name])
        images[i] = torch.from_numpy(pixels)
        labels[i] = torch.from_numpy(classes)
    return Dataset(
        CIFAR_10.name,
        split,
        images.div_(255).flatten(0, 1),
        labels.flatten(),
        CIFAR_10.class_names,
    )


def read_batch(path: Path, sha256: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (10000, 3, 32, 32) and labels (10000,) of one batch, uint8, its content checked.

    Raises DataError, with the path, for another content, length or label.
    """
    raw = read_content(path, sha256)
    if len(raw) != BATCH_IMAGES * RECORD_BYTES:
        raise DataError(
            f"{path} has {len(raw):,} bytes of content, and a batch of CIFAR-10 has "
            f"{BATCH_IMAGES:,} x {RECORD_BYTES:,}; place the file anew"
        )
    records = np.frombuffer(raw, np.uint8).reshape(BATCH_IMAGES, RECORD_BYTES).copy()
    labels = records[:, 0]
    if labels.max() >= len(CIFAR_10.class_names):
        raise DataError(
            f"{path} has a label {labels.max()}, and those of CIFAR-10 are 0 to 9; place the file "
            "anew"
        )
    return records[:, 1:].reshape(BATCH_IMAGES, *SHAPE), labels
