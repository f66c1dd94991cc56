"""Data that unpacks without end, claims what is not there, or carries objects and formulas."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from tests.hostile.row import Hostile, canary_of


def raw(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


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


class Runs:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> object:
        return eval, (f"open({str(self.canary)!r}, 'w')",)


def save_object(path: Path, save: Callable[..., None]) -> None:
    """An array of one object, which would make the canary."""
    buffer = io.BytesIO()
    save(buffer, np.array([Runs(canary_of(path))], dtype=object))
    path.write_bytes(buffer.getvalue())


def pack(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


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


BIG_SHAPE = "claims .* values, 4,000,000,000,000 bytes, but 0 are there"
PIXELS = r"the picture has 40,000 × 25,000 pixels; at most 50,000,000 are read; make it smaller"
DATA = [
    Hostile("image of 10^9 pixels, PNG", raw(png(40_000, 25_000)), PIXELS),
    Hostile("image of 10^9 pixels, JPEG", raw(jpeg(40_000, 25_000)), PIXELS),
    Hostile("image that is cut off", raw(png(4, 4)[:18]), "cut off in its header; upload it again"),
    Hostile("JPEG without a size", raw(b"\xff\xd8\xff" + bytes(99)), "damaged: it has no size"),
    Hostile("npy of objects", partial(save_object, save=np.save), "type .*O; numbers are read"),
    Hostile("npz of objects", partial(save_object, save=np.savez), "type .*O; numbers are read"),
    Hostile("npy of 4 TB", raw(array("<f4", "(1000000, 1000000)")), BIG_SHAPE),
    Hostile(
        "npy of a negative size", raw(array("<f4", "(-4,)")), r"has the shape \(-4,\); save it"
    ),
    Hostile("npy with a program", raw(npy("__import__('os').system('true')")), "damaged header"),
    Hostile("npy with brackets", raw(npy("[" * 110)), "has a damaged header"),
    Hostile(
        "npy of records", raw(array("V8", "(1,)")), "type V8; numbers are read, and no objects"
    ),
    Hostile("npy with a header of 60 kB", raw(npy(" " * 60_000)), "no header, or one of more than"),
    Hostile(
        "npz that unpacks 1,000 times",
        partial(pack, members={f"{n}.npy": array("<f4", "(9,)") + bytes(40_000_000) for n in "ab"}),
        ".",
        reader="data",
    ),
    Hostile(
        "npz that says to unpack to 4 GB",
        write_bomb,
        "unpacks from .* to 4,000,000,000 bytes; at most 1100 times as much is read",
    ),
    Hostile(
        "npz of an array of 4 TB",
        partial(pack, members={"x.npy": array("<f4", "(1000000, 1000000)")}),
        BIG_SHAPE,
    ),
    Hostile(
        "npz with a member that leads out",
        partial(pack, members={"../x.npy": array("<f4", "(0,)")}),
        "leads out of its folder",
    ),
    # These two were found by fuzzing.
    Hostile(
        "npy with a header of 1 byte", raw(b"\x93NUMPY\x01\x00\x01\x00{}"), "has no header, or"
    ),
    Hostile("npz whose packed bytes are damaged", write_damaged, "the zip is damaged or cut off"),
    Hostile(
        "zip of images with one above",
        partial(pack, members={"cat/1.png": png(4, 4), "../../2.png": png(4, 4)}),
        "'../../2.png' in the zip leads out of its folder; names may not contain '..'",
    ),
    Hostile(
        "zip of an image that unpacks 1,000 times",
        partial(pack, members={"cat/1.png": png(4, 4) + bytes(50_000_000)}),
        "unpacks from .* to 50,000,0.. bytes; at most 200 times as much is read",
    ),
    Hostile(
        "zip of nothing known", partial(pack, members={"a.exe": b"MZ"}), "nothing in it that is"
    ),
    Hostile(
        "CSV with formulas",
        raw(b"x,y\n=cmd|' /C calc'!A0,1\n@SUM(1+1),0\n"),
        "number|column|formula",
        reader="data",
        ending=".csv",
    ),
    Hostile("CSV of one line of 30 MB", raw(b"1," * 15_000_000), ".", reader="data", ending=".csv"),
    Hostile(
        "bytes without meaning",
        lambda p: p.write_bytes(np.random.default_rng(0).bytes(50_000)),
        "no format",
    ),
]
