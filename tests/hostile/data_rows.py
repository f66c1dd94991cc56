"""Data that unpacks without end, claims what is not there, or carries objects and formulas."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tests.hostile.row import Hostile, canary_maker, raw


def given(name: str, make: Callable[[Path], object], says: str, ending: str = "") -> Hostile:
    """Data under the name that goes with them, such as an npz, of which the row's name tells."""
    return Hostile(name, make, says, "data", ending or f".{name.split()[0]}")


def png(width: int, height: int) -> bytes:
    """A picture's header and no picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    length, check = struct.pack(">I", len(header)), struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + length + chunk + check


def jpeg(width: int, height: int) -> bytes:
    return b"\xff\xd8\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1)


def npy(header: str) -> bytes:
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def array(descr: str, shape: str) -> bytes:
    return npy(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}")


def save_object(path: Path, save: Callable[..., None]) -> None:
    """An array of one object, which would make the canary."""
    buffer = io.BytesIO()
    save(buffer, np.array([canary_maker(path)], dtype=object))
    path.write_bytes(buffer.getvalue())


def pack(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def pack_one(path: Path, content: bytes) -> None:
    pack(path, {"cat/1.png": content})


def write_damaged(path: Path) -> None:
    """A compressed member whose first bytes are others."""
    pack(path, {"x.npy": array("<f4", "(9,)") + bytes(36)})
    content = bytearray(path.read_bytes())
    begin = 30 + len("x.npy")
    content[begin : begin + 8] = b"\xff" * 8
    path.write_bytes(content)


def write_bomb(path: Path) -> None:
    """A member whose entry in the directory claims 4 GB."""
    pack(path, {"x.npy": array("<f4", "(1000000000,)")})
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02") + 24
    content[at : at + 4] = struct.pack("<I", 4_000_000_000)
    path.write_bytes(content)


BIG_SHAPE = "which is 4,000,000,000,000 bytes, and it has 0 .*; save it anew"
PIXELS = (
    "'cat/1.png' (has 40,000 x 25,000 pixels, more than 25,000,000; save it smaller"
    "|cannot be read as an image)"
)
DATA = [
    given(
        "zip of an image of 10^9 pixels, PNG",
        partial(pack_one, content=png(40_000, 25_000)),
        PIXELS,
    ),
    given(
        "zip of an image of 10^9 pixels, JPEG",
        partial(pack_one, content=jpeg(40_000, 25_000)),
        PIXELS,
    ),
    given(
        "zip of an image that is cut off",
        partial(pack_one, content=png(4, 4)[:18]),
        "'cat/1.png' cannot be read as an image .*; save it as PNG or JPEG",
    ),
    given(
        "zip of a JPEG without a size",
        partial(pack_one, content=b"\xff\xd8\xff" + bytes(99)),
        "'cat/1.png' cannot be read as an image .*; save it as PNG or JPEG",
    ),
    given(
        "npy of objects",
        partial(save_object, save=np.save),
        "holds Python objects, which run code when they are read; save numbers",
    ),
    given(
        "npz of objects",
        partial(save_object, save=np.savez),
        "holds Python objects, which run code when they are read; save numbers",
    ),
    given("npy of 4 TB", raw(array("<f4", "(1000000, 1000000)")), BIG_SHAPE),
    given(
        "npy of a negative size",
        raw(array("<f4", "(-4,)")),
        r"has the shape \(-4,\); sizes are 0 or more: save it",
    ),
    given(
        "npy with a program",
        raw(npy("__import__('os').system('true')")),
        r"is no array of numpy \(malformed .*; save it with",
    ),
    given("npy with brackets", raw(npy("[" * 110)), "is no array of numpy .*; save it with"),
    given(
        "npy of records",
        raw(array("V8", "(1,)")),
        "holds .V8, which is no array of numbers; save numbers",
    ),
    given(
        "npy with a header of 60 kB",
        raw(npy(" " * 60_000)),
        "its header is 60,001 bytes, more than 10,000.; save it with",
    ),
    given(
        "npz that unpacks 1,000 times",
        partial(pack, members={f"{n}.npy": array("<f4", "(9,)") + bytes(40_000_000) for n in "ab"}),
        "'a.npy' of .* unpacks to 1,027 times its size, more than 200; save it without",
    ),
    given(
        "npz that says to unpack to 4 GB",
        write_bomb,
        "'x.npy' of .* unpacks to 5.,...,... times its size, more than 200; save it without",
    ),
    given(
        "npz of an array of 4 TB",
        partial(pack, members={"x.npy": array("<f4", "(1000000, 1000000)")}),
        BIG_SHAPE,
    ),
    given(
        "npz with a member that leads out",
        partial(pack, members={"../x.npy": array("<f4", "(0,)")}),
        "'../x.npy', which points out of the archive; pack a folder with plain names",
    ),
    # These two were found by fuzzing.
    given(
        "npy with a header of 1 byte",
        raw(b"\x93NUMPY\x01\x00\x01\x00{}"),
        "is no array of numpy .*; save it with",
    ),
    given(
        "npz whose packed bytes are damaged",
        write_damaged,
        "x.npy is no array of numpy .*while decompressing.*; save it with",
    ),
    given(
        "zip of images with one above",
        partial(pack, members={"cat/1.png": png(4, 4), "../../2.png": png(4, 4)}),
        "'../../2.png', which points out of the archive; pack a folder",
    ),
    given(
        "zip of an image that unpacks 1,000 times",
        partial(pack, members={"cat/1.png": png(4, 4) + bytes(50_000_000)}),
        "'cat/1.png' of .* unpacks to 1,02. times its size, more than 200; save it",
    ),
    given(
        "zip of nothing known",
        partial(pack, members={"a.exe": b"MZ"}),
        "holds no images; put PNG or JPEG files into a folder a class",
    ),
    given(
        "zip of bytes without meaning",
        lambda p: p.write_bytes(np.random.default_rng(0).bytes(50_000)),
        "is no zip file, or it is cut off; pack it anew",
    ),
    given(
        "csv with formulas",
        raw(b"x,y\n=cmd|' /C calc'!A0,1\n@SUM(1+1),0\n"),
        "row 1, column 'x' holds .*, a formula; save the values in its place",
    ),
    given(
        "csv of one line of 30 MB",
        raw(b"1," * 15_000_000),
        "has 15,000,001 columns, more than 200,000; give it",
    ),
    given(
        "exe",
        raw(b"MZ" + bytes(9999)),
        "'data.exe' is no kind of data that is read here; pass .npz",
    ),
]
