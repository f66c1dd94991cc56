"""Good files pass the checks, and pictures have the size that Pillow reads."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compress_core.models.importing.files import UnsafeFileError, check_file
from compress_core.models.importing.files.images import MOST_PIXELS, check_image
from compress_core.models.importing.files.kinds import Kind


def write_npy(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.ones((3, 4), "f4"))


def write_npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, x=np.zeros((100, 28, 28), "u1"), y=np.arange(100))


def write_images(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("cat/1.png", "cat/2.png", "dog/Ünï 3.png"):
            picture = io.BytesIO()
            Image.new("L", (8, 8)).save(picture, "PNG")
            archive.writestr(name, picture.getvalue())


GOOD: dict[Kind, Callable[[Path], object]] = {
    Kind.NPY: write_npy,
    Kind.NPZ: write_npz,
    Kind.IMAGES: write_images,
    Kind.TEXT: lambda path: path.write_text("x,y\n1,2\n"),
}


@pytest.mark.parametrize("kind", GOOD, ids=lambda kind: kind.name)
def test_good_data_passes(kind: Kind, tmp_path: Path) -> None:
    GOOD[kind](tmp_path / "file")
    assert check_file(tmp_path / "file") is kind


@pytest.mark.parametrize("encoding", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_a_picture_of_ordinary_size_passes(encoding: str, tmp_path: Path) -> None:
    Image.new("RGB", (300, 200)).save(tmp_path / "picture", encoding)
    assert check_file(tmp_path / "picture") is Kind.IMAGE


@pytest.mark.parametrize("encoding", ["PNG", "JPEG", "GIF", "BMP"])
def test_a_picture_that_is_too_large_is_refused_with_its_size(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compress_core.models.importing.files.images.MOST_PIXELS", 59_999)
    Image.new("L", (300, 200)).save(tmp_path / "picture", encoding)
    with pytest.raises(UnsafeFileError, match="300 × 200 pixels; at most 59,999 are read; make it"):
        check_image(tmp_path / "picture")
    assert MOST_PIXELS == 50_000_000


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("x,y\n")
    (tmp_path / "link").symlink_to(tmp_path / "x.csv")
    with pytest.raises(UnsafeFileError, match="no plain file; give the file itself, not a folder"):
        check_file(tmp_path / "link")
