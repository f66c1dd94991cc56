"""Files of every kind → the same rows, in the shape and type that the network takes."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from compress_core.own_data import Normalization, OwnData, read_data

IMAGES = (torch.zeros(1, 1, 8, 8),)
COLOURS = (torch.zeros(1, 3, 4, 5),)
ROW = (torch.zeros(1, 4),)
TOKENS = (torch.zeros(1, 6, dtype=torch.int64),)
TEN = torch.zeros(1, 10)
ONE = torch.zeros(1, 1)
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (30, 1, 8, 8), np.uint8)
CLASSES = np.arange(30) % 10


def save(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def read(path: Path, examples: tuple[Tensor, ...] = IMAGES, output: Tensor = TEN) -> OwnData:
    """All rows to measure on, so that they can be compared."""
    return read_data(path, examples, output=output, split="test")


def test_an_npz_gives_its_images_as_bytes_and_its_classes(tmp_path: Path) -> None:
    found = read(save(tmp_path / "a.npz", x=PIXELS, y=CLASSES))
    assert np.array_equal(found.as_read.images, PIXELS)
    assert found.as_read.class_labels.tolist() == CLASSES.tolist()
    assert found.found[:2] == ("x: (30, 1, 8, 8) uint8", "y: (30,) int64")


@pytest.mark.parametrize(
    "names", [("images", "labels"), ("X", "y"), ("inputs", "targets"), ("arr_0", "arr_1")]
)
def test_obvious_names_of_arrays_are_understood(tmp_path: Path, names: tuple[str, str]) -> None:
    path = save(tmp_path / "a.npz", **dict(zip(names, (PIXELS, CLASSES), strict=True)))
    found = read(path).as_read
    assert (len(found.images), found.class_labels[3].item()) == (30, 3)


def test_compressed_and_stored_arrays_are_the_same(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "b.npz", x=PIXELS, y=CLASSES)
    assert np.array_equal(read(tmp_path / "b.npz").as_read.images, PIXELS)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", "<f2"])
def test_every_order_and_width_of_floats_is_read(tmp_path: Path, order: str, kind: str) -> None:
    values = np.asarray(RNG.standard_normal((5, 4)), np.dtype(kind), order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "a.npy", values)
    found = read(tmp_path / "a.npy", ROW).as_read
    assert np.array_equal(found.images.numpy(), values.astype(np.float32))
    assert found.labels is None


@pytest.mark.parametrize(
    ("array", "note"),
    [
        (PIXELS.reshape(30, 64), "(64,) was put into (1, 8, 8)"),
        (PIXELS[:, 0], "without a dimension of channels"),
        (np.moveaxis(PIXELS, 1, -1), "moved to the front"),
        (PIXELS.astype(np.float64), "taken as pixels"),
    ],
)
def test_other_layouts_become_the_networks_and_say_so(
    tmp_path: Path, array: np.ndarray, note: str
) -> None:
    found = read(save(tmp_path / "a.npz", x=array, y=CLASSES))
    assert np.array_equal(found.as_read.images, PIXELS)
    assert note in " ".join(found.found)


def test_gray_images_are_repeated_for_a_network_of_colours(tmp_path: Path) -> None:
    gray = RNG.random((6, 4, 5), np.float32)
    found = read(save(tmp_path / "a.npz", x=gray), COLOURS).as_read
    assert torch.equal(found.images, torch.from_numpy(gray)[:, None].expand(6, 3, 4, 5))


def test_one_input_is_one_row(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones(4, np.float32))
    assert read(tmp_path / "a.npy", ROW).as_read.images.shape == (1, 4)


def test_several_inputs_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    first, second = np.zeros((3, 4), np.float32), np.ones((3, 4), np.float32)
    path = save(tmp_path / "a.npz", x10=second, x2=first, y=np.arange(3))
    inputs = read(path, (*ROW, *ROW)).data.inputs
    assert isinstance(inputs, tuple)
    assert [float(part.max()) for part in inputs] == [0, 1]


def test_whole_numbers_are_tokens_of_a_network_that_takes_tokens(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1,2,3,4,5,6\n6,5,4,3,2,1\n")
    assert read(path, TOKENS).data.images.tolist() == [[1, 2, 3, 4, 5, 6], [6, 5, 4, 3, 2, 1]]


def test_names_as_labels_are_numbered_in_natural_order(tmp_path: Path) -> None:
    labels = np.array(["c10", "c9", "c9"])
    found = read(save(tmp_path / "a.npz", x=np.zeros((3, 4), np.float32), y=labels), ROW)
    assert found.data.class_labels.tolist() == [1, 0, 0]
    assert found.data.class_names[:3] == ("c9", "c10", "output 2")
    assert "'c9' is taken for output 0" in found.warnings[0]


def test_one_hot_labels_are_classes(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", x=PIXELS, y=np.eye(10)[CLASSES])
    assert read(path).data.class_labels.tolist() == CLASSES.tolist()


def test_fractions_as_labels_are_numbers_to_predict(tmp_path: Path) -> None:
    path = save(tmp_path / "a.npz", x=np.zeros((4, 4)), y=np.array([0.5, 1, 2, 3]))
    labels = read(path, ROW, ONE).data.labels
    assert labels is not None
    assert (labels.dtype, labels.tolist()) == (torch.float32, [0.5, 1, 2, 3])


def test_the_files_own_training_split_is_kept_apart(tmp_path: Path) -> None:
    path = save(
        tmp_path / "a.npz",
        x_train=PIXELS[:20],
        y_train=CLASSES[:20],
        x_test=PIXELS[18:],
        y_test=CLASSES[18:],
    )
    found = read_data(path, IMAGES, output=TEN)
    assert found.training is not None
    assert (found.training.split, len(found.training), len(found.data)) == ("train", 18, 12)
    assert found.warnings[0].startswith("2 rows of the training split are in the test split")


def test_a_single_split_is_divided(tmp_path: Path) -> None:
    found = read_data(save(tmp_path / "a.npz", x=PIXELS, y=CLASSES), IMAGES, calibration=0.5)
    assert found.training is not None
    assert (len(found.training), len(found.data)) == (15, 15)


def test_bytes_that_nobody_normalised_are_divided_and_told(tmp_path: Path) -> None:
    found = read(save(tmp_path / "a.npz", x=PIXELS, y=CLASSES))
    assert found.needs_normalization
    assert torch.equal(found.data.images, torch.from_numpy(PIXELS) / 255)
    assert "the images are bytes" in found.warnings[-1]
    said = found.with_normalization(Normalization(1 / 16))
    assert (said.needs_normalization, said.warnings) == (False, ())
    assert torch.equal(said.data.images, torch.from_numpy(PIXELS) * (1 / 16))


def png(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG")
    return file.getvalue()


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, raw in members.items():
            file.writestr(name, raw)
    return path


def unpack(path: Path, members: dict[str, bytes]) -> Path:
    for name, raw in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(raw)
    return path


@pytest.mark.parametrize("make", [pack, unpack])
def test_images_by_class_are_the_pixels_of_their_files(
    tmp_path: Path, make: Callable[[Path, dict[str, bytes]], Path]
) -> None:
    members = {f"all/{CLASSES[i]}/{i:02}.png": png(PIXELS[i, 0]) for i in range(30)}
    members |= {"all/readme.txt": b"about", "__MACOSX/all/._3": b"", "all/3/.DS_Store": b""}
    path = make(tmp_path / "images.zip", members)
    found = read(path)
    order = np.argsort(CLASSES, kind="stable")
    assert np.array_equal(
        np.sort(found.as_read.images.flatten(1), 0), np.sort(PIXELS[order].reshape(30, -1), 0)
    )
    assert found.as_read.class_labels.bincount().tolist() == [3] * 10
    assert found.warnings[0] == "1 files are no images and were left out"


def test_a_class_whose_name_is_a_number_is_that_output(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {f"{c}/a.png": png(PIXELS[c, 0]) for c in (3, 7)})
    assert read(path).data.class_labels.tolist() == [3, 7]


def test_folders_called_train_and_test_are_the_splits(tmp_path: Path) -> None:
    members = {
        f"{split}/{c}/{i}.png": png(PIXELS[i + 10 * (split == "test"), 0])
        for split in ("train", "test")
        for i, c in enumerate("0123")
    }
    found = read_data(pack(tmp_path / "a.zip", members), IMAGES, output=TEN)
    assert found.training is not None
    assert (len(found.data), len(found.training)) == (4, 4)


def test_colours_and_sizes_become_the_networks(tmp_path: Path) -> None:
    wide = np.zeros((4, 10, 3), np.uint8)
    wide[:, :, 0] = 200
    wide[:, 5:] = 100
    path = pack(tmp_path / "a.zip", {"a.png": png(wide)})
    stretched = read_data(path, COLOURS, split="test").as_read
    cropped = read_data(path, COLOURS, split="test", fit="crop").as_read
    assert stretched.images.shape == cropped.images.shape == (1, 3, 4, 5)
    assert stretched.images[0, 0, 0, 0] == 200
    assert cropped.labels is None
