"""Zip archives of torch, checked before anything is read: their directory has a size, too."""

import contextlib
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from compress_core.models.importing.files.errors import UnsafeFileError, refuse
from compress_core.shown import shown_name

END, END_BYTES = b"PK\x05\x06", 22
END64, LOCATOR64 = b"PK\x06\x06", b"PK\x06\x07"
LOCAL, LOCAL_BYTES = b"PK\x03\x04", 30
SAVE_AGAIN = "save it anew with torch.save(model.state_dict(), 'weights.pt')"
MOST_MEMBERS, MOST_DIRECTORY_BYTES = 20_000, 8_000_000
MOST_BYTES = 8_000_000_000  # of all members
DAMAGE = (zipfile.BadZipFile, NotImplementedError, EOFError, OverflowError)


def member_names(path: Path) -> list[str]:
    """The names in the directory. Raises UnsafeFileError where it is damaged, or itself a bomb."""
    with path.open("rb") as file, refusing_damage():
        return [member.filename for member in _members(file)]


def check_zip(path: Path) -> list[zipfile.ZipInfo]:
    """The members of an archive that keeps all rules. Raises UnsafeFileError."""
    with path.open("rb") as file, refusing_damage():
        members = _members(file)
        _check_names(members)
        _check_sizes(members)
        _check_places(file, members)
    return members


@contextlib.contextmanager
def refusing_damage() -> Iterator[None]:
    """Raise UnsafeFileError for whatever zipfile and zlib raise where an archive is damaged."""
    try:
        yield
    except UnsafeFileError:
        raise
    except (*DAMAGE, zlib.error, struct.error, UnicodeError, ValueError) as error:
        again = f"upload it again, or {SAVE_AGAIN}"
        raise refuse("the zip is damaged or cut off", again) from error


def _members(file: IO[bytes]) -> list[zipfile.ZipInfo]:
    """The directory, once its size is known to be small: zipfile reads it whole."""
    size, count = _directory(file)
    if size > MOST_DIRECTORY_BYTES or count > MOST_MEMBERS:
        raise refuse(
            f"the zip lists {count:,} files in {size:,} bytes; at most {MOST_MEMBERS:,} files and "
            f"{MOST_DIRECTORY_BYTES:,} bytes are read",
            SAVE_AGAIN,
        )
    return zipfile.ZipFile(file).infolist()


def _directory(file: IO[bytes]) -> tuple[int, int]:
    """Bytes and files of the directory, as the archive's last record says."""
    length = file.seek(0, 2)
    file.seek(max(0, length - END_BYTES - 65_535))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < END_BYTES:
        raise zipfile.BadZipFile("there is no end record")
    count, size = struct.unpack("<HI", tail[at + 10 : at + 16])
    if count != 0xFFFF and size != 0xFFFFFFFF:
        return size, count
    return _directory64(file, tail, at)


def _directory64(file: IO[bytes], tail: bytes, at: int) -> tuple[int, int]:
    if at < 20 or tail[at - 20 : at - 16] != LOCATOR64:
        count, size = struct.unpack("<HI", tail[at + 10 : at + 16])
        return size, count
    (offset,) = struct.unpack("<Q", tail[at - 12 : at - 4])
    file.seek(min(offset, 1 << 62))
    record = file.read(56)
    if len(record) < 56 or not record.startswith(END64):
        raise zipfile.BadZipFile("there is no end record")
    count, size = struct.unpack("<QQ", record[32:48])
    return size, count


def _check_names(members: Iterable[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for member in members:
        name = member.orig_filename
        reason = _why_not_this_name(name) or _why_not_this_member(member)
        plain = str(PurePosixPath(name)).casefold()
        if not reason and plain in seen:
            reason = "is there twice; every name may be there once"
        if reason:
            raise refuse(f"'{shown_name(name)}' in the zip {reason}", SAVE_AGAIN)
        seen.add(plain)


def _why_not_this_name(name: str) -> str:
    if name.startswith("/") or "\\" in name or name[1:2] == ":":
        return "is an absolute path or one of Windows; only plain relative paths are read"
    if ".." in name.split("/"):
        return "leads out of its folder; names may not contain '..'"
    if "\0" in name or len(name) > 1000:
        return "is no name that a file can have"
    return ""


def _why_not_this_member(member: zipfile.ZipInfo) -> str:
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link; only files and folders are read"
    if member.flag_bits & 0x1:
        return "is encrypted; only plain files are read"
    return ""


def _check_sizes(members: Iterable[zipfile.ZipInfo]) -> None:
    total = 0
    for member in members:
        total += member.file_size
        name = f"'{shown_name(member.filename)}' in the zip"
        if member.compress_type != zipfile.ZIP_STORED:
            raise refuse(f"{name} is compressed; torch stores its files as they are", SAVE_AGAIN)
        if member.compress_size != member.file_size:
            raise refuse(f"{name} has two different sizes", SAVE_AGAIN)
        if total > MOST_BYTES:
            raise refuse(
                f"the zip unpacks to more than the {MOST_BYTES:,} bytes that are read",
                "give fewer or smaller files",
            )


def _check_places(file: IO[bytes], members: list[zipfile.ZipInfo]) -> None:
    """Every member lies in a place of its own, and its own header says what the directory says:
    else two programs read two different archives."""
    length, end = file.seek(0, 2), 0
    for member in sorted(members, key=lambda member: member.header_offset):
        begin = member.header_offset
        file.seek(max(0, begin))
        header = file.read(LOCAL_BYTES)
        if begin < end or len(header) < LOCAL_BYTES or not header.startswith(LOCAL):
            raise _disagreement(member)
        (method,) = struct.unpack("<H", header[8:10])
        name_length, extra_length = struct.unpack("<HH", header[26:30])
        name = file.read(name_length)
        end = begin + LOCAL_BYTES + name_length + extra_length + member.compress_size
        if method != member.compress_type or end > length or name not in _spellings(member):
            raise _disagreement(member)


def _spellings(member: zipfile.ZipInfo) -> list[bytes]:
    spelled = [member.orig_filename.encode("utf-8", "surrogateescape")]
    try:
        return [*spelled, member.orig_filename.encode("cp437")]
    except UnicodeEncodeError:
        return spelled


def _disagreement(member: zipfile.ZipInfo) -> UnsafeFileError:
    name = f"'{shown_name(member.filename)}' in the zip"
    return refuse(
        f"{name} does not lie where the zip says, or overlaps another file; the zip is damaged",
        f"upload it again, or {SAVE_AGAIN}",
    )
