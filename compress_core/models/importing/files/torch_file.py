"""Files of torch.save: where the bytes of each storage lie, and the pickle that views them."""

import io
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from compress_core.models.importing.files.errors import refuse
from compress_core.models.importing.files.pickles import (
    AT_HOME,
    MOST_BYTES,
    UPLOAD_AGAIN,
    read_pickle,
)
from compress_core.models.importing.files.rebuilding import Storage, TensorClaim
from compress_core.models.importing.files.tensors import BITS
from compress_core.models.importing.files.zips import LOCAL_BYTES, check_zip, refusing_damage

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001


@dataclass(frozen=True)
class TorchFile:
    """The values of a file, and the place (begin, end) of each storage's bytes in it."""

    path: Path
    values: object
    places: Mapping[str, tuple[int, int]]


def read_torch_zip(path: Path) -> TorchFile:
    """The format since torch 1.6: a zip with data.pkl, and each storage as a file data/KEY.

    Raises UnsafeFileError for what breaks a rule of zips or of pickles.
    """
    members = check_zip(path)
    pickles = [member for member in members if member.filename.endswith(".pkl")]
    if len(pickles) != 1 or not pickles[0].filename.endswith("/data.pkl"):
        raise refuse(f"the file has {len(pickles)} pickles; it must have one, data.pkl", AT_HOME)
    root = pickles[0].filename.removesuffix("data.pkl")
    with zipfile.ZipFile(path) as archive, path.open("rb") as file, refusing_damage():
        _check_pickle_size(pickles[0].file_size)
        _check_byte_order(archive, f"{root}byteorder")
        places = {
            member.filename.removeprefix(f"{root}data/"): _place(file, member)
            for member in members
            if member.filename.startswith(f"{root}data/")
        }
        return TorchFile(path, read_pickle(io.BytesIO(archive.read(pickles[0]))), places)


def read_legacy_torch(path: Path) -> TorchFile:
    """The format before torch 1.6: five pickles (a magic number, a version, the system, the values,
    the keys of their storages), and then each storage with its count before it."""
    with path.open("rb") as file:
        head = io.BytesIO(file.read(MOST_BYTES))
        magic, version, system, values, keys = (read_pickle(head) for _ in range(5))
        file.seek(head.tell())
        little = isinstance(system, dict) and system.get("little_endian") is True
        if (magic, version) != (LEGACY_MAGIC, LEGACY_PROTOCOL) or not little:
            raise refuse("it is no file of torch.save, or its numbers are big-endian", UPLOAD_AGAIN)
        if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
            raise refuse("its list of storages is damaged", UPLOAD_AGAIN)
        storages, length = _storages(values), path.stat().st_size
        places = {}
        for key in keys:
            begin, count = file.tell() + 8, file.read(8)
            storage = storages.get(key)
            # bytes of a type that safetensors has not are skipped by their count alone
            size = _size_of(storage, int.from_bytes(count, "little")) if storage else None
            if size is None:
                break
            if begin + size > length:
                raise refuse(
                    f"the values end at byte {begin + size:,}, but the file has {length:,}: it is "
                    "cut off",
                    UPLOAD_AGAIN,
                )
            places[key] = (begin, begin + size)
            file.seek(begin + size)
    return TorchFile(path, values, places)


def _check_byte_order(archive: zipfile.ZipFile, name: str) -> None:
    """Files before torch 2.1 do not say; they are of machines as today's."""
    if name not in archive.NameToInfo:
        return
    with archive.open(name) as file:
        if file.read(10) != b"little":
            raise refuse("its numbers are big-endian", AT_HOME)


def _check_pickle_size(size: int) -> None:
    if size > MOST_BYTES:
        raise refuse(
            f"its list of tensors takes {size:,} bytes; at most {MOST_BYTES:,} are read", AT_HOME
        )


def _place(file: IO[bytes], member: zipfile.ZipInfo) -> tuple[int, int]:
    """Where the bytes of a stored member lie; its own header was checked."""
    file.seek(member.header_offset + 26)
    names, extra = struct.unpack("<HH", file.read(4))
    begin = member.header_offset + LOCAL_BYTES + names + extra
    return begin, begin + member.file_size


def _size_of(storage: Storage, count: int) -> int | None:
    if storage.dtype is None or count != storage.count:
        return None
    return count * BITS[storage.dtype] // 8


def _storages(values: object) -> dict[str, Storage]:
    """All storages that tensors among the values view, by key."""
    found: dict[str, Storage] = {}
    waiting, seen = [values], set[int]()
    while waiting:
        value = waiting.pop()
        if isinstance(value, TensorClaim):
            found[value.storage.key] = value.storage
        elif isinstance(value, dict | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            waiting += value.values() if isinstance(value, dict) else value
    return found
