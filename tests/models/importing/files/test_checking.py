"""Only a model's own file comes to a parser."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compress_core.models.importing.files import UnsafeFileError, check_file

NO_MODEL = "there is no model in it; ONNX, safetensors and state dicts of torch open here"


def test_a_picture_is_no_model(tmp_path: Path) -> None:
    Image.new("RGB", (300, 200)).save(tmp_path / "file", "PNG")
    with pytest.raises(UnsafeFileError, match=f"this is an image: {NO_MODEL}"):
        check_file(tmp_path / "file")


def test_an_array_is_no_model(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones(3))
    with pytest.raises(UnsafeFileError, match=f"this is a NumPy array .*: {NO_MODEL}"):
        check_file(tmp_path / "x.npy")


def test_text_is_no_model_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_text("a text\n" * 99)
    with pytest.raises(UnsafeFileError, match=f"this is text: {NO_MODEL}"):
        check_file(tmp_path / "model.onnx")


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("x,y\n")
    (tmp_path / "link").symlink_to(tmp_path / "x.csv")
    with pytest.raises(UnsafeFileError, match="no plain file; give the file itself, not a folder"):
        check_file(tmp_path / "link")
