"""How large a picture claims to be, from its header alone: a few bytes can claim 10⁹ pixels."""

import struct
from pathlib import Path
from typing import IO

from compress_core.models.importing.files.errors import refuse

MOST_PIXELS = 50_000_000
SMALLER = "make it smaller before you upload it"
# JPEG: the markers of frames, whose segments hold height and width; others of C0…CF are tables
FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


def check_image(path: Path) -> None:
    """Raises UnsafeFileError for a PNG, GIF, BMP or JPEG of too many pixels, or without a size.
    Other formats are left to their reader's own limit."""
    with path.open("rb") as file:
        try:
            width, height = _size(file)
        except struct.error as error:
            raise refuse("the picture is cut off in its header", "upload it again") from error
    if width * height > MOST_PIXELS:
        raise refuse(
            f"the picture has {width:,} × {height:,} pixels; at most {MOST_PIXELS:,} are read",
            SMALLER,
        )


def _size(file: IO[bytes]) -> tuple[int, int]:
    """Width and height in pixels; (0, 0) for a format that is not looked into."""
    head = file.read(32)
    if head.startswith(b"\x89PNG"):
        width, height = struct.unpack(">II", head[16:24])
    elif head.startswith(b"GIF8"):
        width, height = struct.unpack("<HH", head[6:10])
    elif head.startswith(b"BM"):
        width, height = map(abs, struct.unpack("<ii", head[18:26]))
    elif head.startswith(b"\xff\xd8"):
        width, height = _jpeg_size(file)
    else:
        return 0, 0
    return width, height


def _jpeg_size(file: IO[bytes]) -> tuple[int, int]:
    """From segment to segment until one is a frame."""
    file.seek(2)
    for _ in range(10_000):
        mark, kind, length = struct.unpack(">BBH", file.read(4))
        if mark != 0xFF or length < 2:
            break
        if kind in FRAMES:
            _, height, width = struct.unpack(">BHH", file.read(5))
            return width, height
        file.seek(length - 2, 1)
    raise refuse("the picture is damaged: it has no size", "upload it again")
