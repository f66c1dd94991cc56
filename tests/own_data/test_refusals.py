"""Files that are damaged or hostile: one sentence each, and nothing is allocated or run."""

import io
import os
import pickle
import resource
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from compress_core.dataset import DataError
from compress_core.own_data import read_data

IMAGES = (torch.zeros(1, 1, 8, 8),)
ROW = (torch.zeros(1, 3),)
TEN = torch.zeros(1, 10)
Make = Callable[[Path], Path]


def npy_header(text: str, *, version: int = 1, length: int | None = None) -> bytes:
    width = "<H" if version == 1 else "<I"
    said = len(text) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack(width, said) + text.encode()


def header(shape: str, descr: str = "'<f4'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n"


def npy(raw: bytes) -> Make:
    def make(folder: Path) -> Path:
        (folder / "a.npy").write_bytes(raw)
        return folder / "a.npy"

    return make


def text(content: str | bytes, name: str = "a.csv") -> Make:
    def make(folder: Path) -> Path:
        raw = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(raw)
        return folder / name

    return make


def packed(*members: tuple[str, bytes], name: str = "a.zip", mode: int = 0o644) -> Make:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as file:
            for member, raw in members:
                info = zipfile.ZipInfo(member)
                info.external_attr = mode << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                file.writestr(info, raw)
        return folder / name

    return make


def arrays(**given: np.ndarray) -> Make:
    def make(folder: Path) -> Path:
        np.savez(folder / "a.npz", **given)
        return folder / "a.npz"

    return make


class Canary:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("a-canary-that-flew",)


def objects(folder: Path) -> Path:
    np.save(folder / "a.npy", np.array([Canary()], dtype=object), allow_pickle=True)
    return folder / "a.npy"


def huge_png(folder: Path) -> Path:
    """It says 100,000 x 100,000 pixels, and has none."""
    size = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunks = [b"IHDR" + size, b"IDAT" + zlib.compress(b"\0")]
    raw = b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
        for chunk in chunks
    )
    return packed(("0/a.png", b"\x89PNG\r\n\x1a\n" + raw))(folder)


def many_members(folder: Path) -> Path:
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 60_000, 60_000, 2**30, 0, 0)
    return text(end, "a.zip")(folder)


def picture(kind: str, size: tuple[int, int] = (8, 8), mode: str = "L") -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind)
    return file.getvalue()


def twice(folder: Path) -> Path:
    with pytest.warns(UserWarning, match="Duplicate name"):
        return packed(("0/a.png", picture("PNG")), ("0/a.png", picture("PNG")))(folder)


FLOATS = np.zeros((4, 3), np.float32)
BYTES = np.zeros((4, 8, 8), np.uint8)
REFUSED: dict[str, tuple[Make, str]] = {
    "empty npy": (npy(b""), "is no array of numpy"),
    "pickle in place of npy": (npy(pickle.dumps([1, 2])), "is no array of numpy"),
    "objects": (objects, "holds Python objects, which run code"),
    "160 GB claimed": (npy(npy_header(header("(40000000000,)"))), r"is 160,000,000,000 bytes"),
    "a negative size": (npy(npy_header(header("(-1, 3)"))), "sizes are 0 or more|no array"),
    "less than claimed": (npy(npy_header(header("(4, 3)")) + b"\0" * 40), "it has 40"),
    "more than claimed": (npy(npy_header(header("(4, 3)")) + b"\0" * 50), "it has 50"),
    "header of 4 GB": (npy(npy_header("{", version=2, length=2**32 - 1)), "its header is"),
    "header of brackets": (npy(npy_header("(" * 9_000)), "is no array of numpy"),
    "header that calls": (npy(npy_header("__import__('os').getcwd()")), "is no array of numpy"),
    "unknown format": (npy(npy_header(header("(1,)"), version=9)), "format 9.0 is unknown"),
    "records": (npy(npy_header(header("(1,)", "[('a', '<f4')]")) + b"\0" * 4), "no array of num"),
    "complex numbers": (npy(npy_header(header("(1,)", "'<c8'")) + b"\0" * 8), "no array of num"),
    "NaN": (arrays(x=np.full((2, 3), np.nan)), "6 values of inputs are NaN or infinite"),
    "no rows": (arrays(x=np.zeros((0, 3))), "are empty"),
    "another shape": (arrays(x=np.zeros((4, 2, 2, 2))), r"inputs are \(n, 2, 2, 2\)"),
    "lengths differ": (arrays(x=FLOATS, y=np.arange(3)), "have 4, 3 rows"),
    "class 10 of 10": (arrays(x=FLOATS, y=np.arange(1, 11)[[0, 1, 2, 9]]), "subtract 1"),
    "class −1": (arrays(x=FLOATS, y=np.array([0, -1, 2, 3])), "label -1 is beyond"),
    "eleven names": (
        arrays(x=np.zeros((11, 3)), y=np.array(list("abcdefghijk"))),
        "11 classes .* and the network has 10 outputs",
    ),
    "arrays that say nothing": (arrays(a=FLOATS, b=FLOATS, c=FLOATS), "name them x and y"),
    "no arrays": (packed(("a.txt", b"1"), name="a.npz"), "holds 0 arrays"),
    "a deflate bomb": (
        packed(
            ("x.npy", npy_header(header("(100000000,)", "'|u1'")) + b"\0" * 10**8), name="a.npz"
        ),
        "times its size, more than 200",
    ),
    "text named npz": (text("x,y\n", "a.npz"), "is no zip file"),
    "a zip cut off": (text(b"PK\3\4" + b"\0" * 40, "a.zip"), "is no zip file"),
    "a list of a gigabyte": (many_members, "lists more than 65,535 members"),
    "an absolute path": (packed(("/etc/0/a.png", b"")), "points out of the archive"),
    "a parent's path": (packed(("../0/a.png", b"")), "points out of the archive"),
    "a parent's path of Windows": (packed(("..\\0\\a.png", b"")), "points out of the archive"),
    "a drive": (packed(("C:/0/a.png", b"")), "points out of the archive"),
    "a link": (packed(("0/a.png", b"/etc/passwd"), mode=stat.S_IFLNK | 0o777), "is a link"),
    "one name twice": (twice, "twice; pack it anew"),
    "a member without a name": (packed(("", b"1"), ("0/a.png", b"")), "points out of the archive"),
    "no images": (packed(("a.txt", b"1")), "holds no images"),
    "a text named png": (packed(("0/a.png", b"hello")), "cannot be read as an image"),
    "a tiff named png": (packed(("0/a.png", picture("TIFF"))), "cannot be read as an image"),
    "half an image": (packed(("0/a.png", picture("PNG", (99, 99))[:60])), "cannot be read"),
    "10^10 pixels": (huge_png, r"exceeds limit of \d+ pixels"),
    "more than 25 million pixels": (
        packed(("0/a.png", picture("PNG", (5_001, 5_000), "1"))),
        "5,001 x 5,000 pixels, more than 25,000,000",
    ),
    "16 bits a channel": (packed(("0/a.png", picture("PNG", mode="I;16"))), "more than 8 bits"),
    "an image in no class": (
        packed(("0/a.png", picture("PNG")), ("b.png", picture("PNG"))),
        "lies in no folder of a class",
    ),
    "an empty table": (text("\n \n"), "is empty"),
    "empty cells": (text('""\n""\n'), "has only empty cells"),
    "a header alone": (text("a,b,label\n"), "a header and no row"),
    "a formula": (
        text("1,2,3\n4,=cmd|' /C calc'!A0,6\n"),
        "row 2, column 2 holds .*, a formula",
    ),
    "a formula as a class": (
        text("a,b,c,label\n1,2,3,x\n1,2,3,=1+1\n"),
        "row 2, column 'label' holds .*, a formula",
    ),
    "a text": (text("a,b,c\n1,2,3\n4,five,6\n"), "row 2, column 'b' holds 'five'"),
    "an empty cell": (text("1,2,3\n4,,6\n"), "row 2, column 2 holds ''"),
    "infinity": (text("1,2,3\n4,inf,6\n"), "row 2, column 2 holds 'inf'"),
    "rows of two lengths": (text("1,2,3\n4,5\n"), "row 2 has 2 cells"),
    "bytes in place of text": (text(b"\xff\xfe\x00\x01"), "is no text in UTF-8"),
    "zeros in place of text": (text(b"\0" * 100), "holds bytes that are no text"),
    "five columns for three": (text("1,2,3,4,5\n1,2,3,4,5\n"), r"inputs are \(n, 5\)"),
    "another kind": (text("x", "a.exe"), "is no kind of data that is read here"),
    "nothing": (lambda folder: folder / "absent.npz", "is not there"),
}
IMAGE_KINDS = (".zip",)


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_file_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make, said = REFUSED[name]
    path = make(tmp_path)
    examples = IMAGES if path.suffix in IMAGE_KINDS else ROW
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(DataError, match=said) as error:
        read_data(path, examples, output=TEN)
    assert ";" in str(error.value), "a remedy"
    assert time.monotonic() - began < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB
    assert not (tmp_path / "a-canary-that-flew").exists()


@pytest.mark.parametrize("cut", range(0, 400, 13))
def test_an_npz_cut_anywhere_is_refused_or_whole(tmp_path: Path, cut: int) -> None:
    np.savez(tmp_path / "a.npz", x=FLOATS, y=np.arange(4))
    raw = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(raw[: len(raw) - 1 - cut])
    with pytest.raises(DataError):
        read_data(tmp_path / "b.npz", ROW)


def test_images_into_a_network_of_rows_are_refused(tmp_path: Path) -> None:
    path = packed(("0/a.png", picture("PNG")))(tmp_path)
    with pytest.raises(DataError, match="images go into networks of"):
        read_data(path, ROW)


def test_bytes_among_several_inputs_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x0=BYTES, x1=FLOATS)
    with pytest.raises(DataError, match="save it in floats"):
        read_data(tmp_path / "a.npz", (*IMAGES, *ROW))


def test_fractions_for_a_network_of_tokens_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.full((2, 3), 0.5))
    with pytest.raises(DataError, match="takes whole numbers, such as the indices of tokens"):
        read_data(tmp_path / "a.npy", (torch.zeros(1, 3, dtype=torch.int64),))
