"""Zip files of other people: their list of members is checked before anything is unpacked."""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from compress_core.dataset import DataError
from compress_core.own_data.found import MOST_BYTES

MOST_MEMBERS = 65_535  # as many as a list without the zip64 extension can have
MOST_LIST_BYTES = 32 * 2**20
MOST_RATIO = 200  # unpacked over packed; images and arrays stay far below, bombs reach 1,032
SMALL_BYTES = 16 * 2**20  # what unpacks to no more may be packed as well as it likes
END = b"PK\x05\x06"
END_BYTES = 22
LOCATOR = b"PK\x06\x07"  # of a zip64 list
LOCATOR_BYTES = 20


@dataclass(frozen=True, eq=False)
class Archive:
    """An open zip file and its checked members, folders left out."""

    file: zipfile.ZipFile
    members: tuple[zipfile.ZipInfo, ...]


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The zip file at `path`. Raises DataError for what is no zip, or could hurt unpacked."""
    _check_list(path)
    try:
        with zipfile.ZipFile(path) as file:
            members = tuple(info for info in file.infolist() if not info.filename.endswith("/"))
            _check_members(path.name, members)
            yield Archive(file, members)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError) as error:
        raise DataError(f"{path.name} is a damaged zip file ({error}); pack it anew") from error
    except zlib.error as error:
        raise DataError(f"{path.name} cannot be unpacked ({error}); pack it anew") from error


def _check_list(path: Path) -> None:
    """Raise DataError where the list of members is too long to be read: Python reads all of it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 65_535 - END_BYTES - LOCATOR_BYTES))
        tail = file.read()
    place = tail.rfind(END)
    if place < 0 or len(tail) < place + END_BYTES:
        raise DataError(f"{path.name} is no zip file, or it is cut off; pack it anew")
    count = int.from_bytes(tail[place + 10 : place + 12], "little")
    length = int.from_bytes(tail[place + 12 : place + 16], "little")
    is_zip64 = tail[max(0, place - LOCATOR_BYTES) : place].startswith(LOCATOR)
    if is_zip64 or count > MOST_MEMBERS or length > MOST_LIST_BYTES:
        raise DataError(
            f"{path.name} lists more than {MOST_MEMBERS:,} members; pack fewer, a few thousand "
            "images are enough to measure on"
        )


def _check_members(name: str, members: tuple[zipfile.ZipInfo, ...]) -> None:
    seen: set[str] = set()
    for info in members:
        _check_name(name, info, seen)
        _check_packing(name, info)
    total = sum(info.file_size for info in members)
    if total > MOST_BYTES:
        raise DataError(
            f"{name} unpacks to {total:,} bytes, more than the {MOST_BYTES:,} that are read; pack "
            "fewer rows"
        )


def _check_name(name: str, info: zipfile.ZipInfo, seen: set[str]) -> None:
    member, shown = info.filename, repr(info.filename[:80])
    parts = PurePosixPath(member.replace("\\", "/")).parts
    if not parts or ".." in parts or parts[0] == "/" or ":" in parts[0] or "\0" in member:
        raise DataError(
            f"{name} holds {shown}, which points out of the archive; pack a folder with plain names"
        )
    if stat.S_ISLNK(info.external_attr >> 16):
        raise DataError(f"{name} holds {shown}, which is a link; pack the files themselves")
    if member in seen:
        raise DataError(f"{name} holds {shown} twice; pack it anew, each file once")
    seen.add(member)


def _check_packing(name: str, info: zipfile.ZipInfo) -> None:
    shown = repr(info.filename[:80])
    if info.flag_bits & 1:
        raise DataError(f"{name} is locked by a password ({shown}); pack it without one")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(f"{shown} of {name} is packed in an unusual way; pack it with deflate")
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > SMALL_BYTES and ratio > MOST_RATIO:
        raise DataError(
            f"{shown} of {name} unpacks to {ratio:,.0f} times its size, more than {MOST_RATIO}; "
            "save it without compression"
        )
