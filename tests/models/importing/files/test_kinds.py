"""A file is what its content says, whatever its name."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper
from PIL import Image
from safetensors.torch import save as safetensors

from compress_core.models.importing.files import Kind, kind_of

STATE = {"w": torch.ones(2, 2)}


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    buffer = io.BytesIO()
    save(buffer)
    return buffer.getvalue()


def zipped(*names: str) -> bytes:
    def save(buffer: io.BytesIO) -> None:
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in names:
                archive.writestr(name, b"x")

    return saved(save)


def onnx_model() -> bytes:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["x2"])], "g", [value], [])
    return helper.make_model(graph).SerializeToString()


def picture(kind: str) -> bytes:
    return saved(lambda buffer: Image.new("RGB", (3, 2)).save(buffer, kind))


def old(buffer: io.BytesIO) -> None:
    torch.save(STATE, buffer, _use_new_zipfile_serialization=False)


CONTENTS: list[tuple[Kind, bytes]] = [
    (Kind.EMPTY, b""),
    (Kind.ONNX, onnx_model()),
    (Kind.SAFETENSORS, safetensors(STATE)),
    (Kind.STATE_DICT, saved(lambda buffer: torch.save(STATE, buffer))),
    (Kind.LEGACY_TORCH, saved(old)),
    (Kind.TORCHSCRIPT, zipped("m/data.pkl", "m/code/__torch__.py", "m/constants.pkl")),
    (Kind.EXPORTED, zipped("m/archive_format", "m/models/model.json")),
    (Kind.PICKLE, pickle.dumps({"a": 1})),
    (Kind.NPY, saved(lambda buffer: np.save(buffer, np.ones(3)))),
    (Kind.NPZ, saved(lambda buffer: np.savez(buffer, x=np.ones(3)))),
    (Kind.IMAGES, zipped("cat/1.png", "dog/2.JPG", "readme.txt")),
    (Kind.IMAGE, picture("PNG")),
    (Kind.IMAGE, picture("JPEG")),
    (Kind.IMAGE, picture("GIF")),
    (Kind.IMAGE, picture("BMP")),
    (Kind.IMAGE, picture("WEBP")),
    (Kind.ZIP, zipped("a.txt")),
    (Kind.DAMAGED_ZIP, zipped("a.txt")[:40]),
    (Kind.TEXT, "x,y\n1,2\nž,ü\n".encode()),
    (Kind.TEXT, ("é" * 3000).encode()[1:][1:]),
    (Kind.TEXT, json.dumps({"weight_map": {}}).encode()),
    (Kind.HTML, b"\n<!DOCTYPE HTML><html>"),
    (Kind.GIT_LFS, b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"),
    (Kind.UNKNOWN, bytes(range(256)) * 40),
]


@pytest.mark.parametrize(("kind", "content"), CONTENTS, ids=lambda value: str(value)[:30])
def test_the_content_tells_the_kind(kind: Kind, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    assert kind_of(path) is kind


def test_little_is_read_of_a_large_file(tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    with path.open("wb") as file:
        file.write(b"\x08\x08\x3a")
        file.truncate(1 << 40)  # a terabyte of nothing
    assert kind_of(path) is Kind.ONNX
