"""NumPy's files, checked before NumPy reads them: no objects, and as many bytes as are claimed.

Format: numpy.lib.format, "The NPY format": magic, version, the header's length, a dict as Python
text, then the values.
"""

import ast
import math
import re
import zipfile
from pathlib import Path
from typing import IO

from compress_core.models.importing.files.errors import refuse
from compress_core.models.importing.files.zips import ZipRules, check_zip, refusing_damage
from compress_core.shown import shown_name

MAGIC = b"\x93NUMPY"
MOST_HEADER = 10_000  # bytes, as NumPy itself
PLAIN = re.compile(r"[<>|=]?([biufc?])(\d{0,2})")  # numbers; no objects, no texts, no records
ARRAYS = ZipRules(
    members=1_000,
    total_bytes=2_000_000_000,
    ratio=1_100.0,
    remedy="save it anew with numpy.savez(path, x=x, y=y)",
)
AS_NUMBERS = "save it as an array of numbers: numpy.save(path, x.astype('float32'))"


def check_npy(path: Path) -> None:
    """Raises UnsafeFileError."""
    with path.open("rb") as file:
        _check_array(file, path.stat().st_size, "the array")


def check_npz(path: Path) -> None:
    """Raises UnsafeFileError."""
    members = check_zip(path, ARRAYS)
    with zipfile.ZipFile(path) as archive, refusing_damage(ARRAYS):
        for member in members:
            with archive.open(member) as file:
                _check_array(file, member.file_size, f"'{shown_name(member.filename)}'")


def _check_array(file: IO[bytes], size: int, shown: str) -> None:
    header, begin = _read_header(file, shown)
    kind, shape = PLAIN.fullmatch(str(header.get("descr"))), header.get("shape")
    if kind is None:
        raise refuse(
            f"{shown} holds values of the type {shown_name(str(header.get('descr')))}; numbers are "
            "read, and no objects",
            AS_NUMBERS,
        )
    if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
        raise refuse(f"{shown} has the shape {shown_name(str(shape))}", AS_NUMBERS)
    needed = math.prod(shape) * int(kind[2] or 1)
    if needed > size - begin:
        raise refuse(
            f"{shown} claims {shown_name(str(shape))} values, {needed:,} bytes, but "
            f"{size - begin:,} are there",
            "it is damaged or cut off: save it anew",
        )


def _read_header(file: IO[bytes], shown: str) -> tuple[dict[str, object], int]:
    """The dict of the header, and where the values begin."""
    head = file.read(12)
    wide = head[6:7] != b"\x01"
    first = 12 if wide else 10
    length = int.from_bytes(head[8:first], "little")
    if not head.startswith(MAGIC) or not 2 <= length <= MOST_HEADER:
        raise refuse(
            f"{shown} has no header, or one of more than {MOST_HEADER:,} bytes", AS_NUMBERS
        )
    text = (head[first:] + file.read(length - (12 - first))).decode("latin1")
    try:
        header = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
        raise refuse(f"{shown} has a damaged header", AS_NUMBERS) from error
    if not isinstance(header, dict):
        raise refuse(f"{shown} has a damaged header", AS_NUMBERS)
    return header, first + length
