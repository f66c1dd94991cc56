"""A checkpoint: one safetensors file, or the shards of one, without a network around them."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from compress_core.checkpoint.header import (
    CheckpointError,
    Entry,
    FileHeader,
    Limits,
    check_count,
    read_header,
)

INDEX = "*.safetensors.index.json"
SINGLE = "*.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of all files, in the order of the files. Only headers are read to open it.

    `identity` changes when a file is written anew: it is a digest of sizes, times and headers.
    """

    path: Path
    entries: tuple[Entry, ...]
    identity: str

    @classmethod
    def open(cls, path: Path | str, limits: Limits | None = None) -> "Checkpoint":
        """A .safetensors file, its .index.json, or the folder of either.

        Raises CheckpointError for anything else, and for what lies about itself.
        """
        path, limits = Path(path), limits or Limits()
        files = _files(path, limits)
        headers: list[FileHeader] = []
        for file in files:
            headers.append(read_header(file, limits))
            check_count(sum(len(header.entries) for header in headers), limits)
        entries = tuple(entry for header in headers for entry in header.entries)
        _check_names(entries)
        _check_index(path, entries, limits)
        identity = hashlib.sha256("".join(h.identity for h in headers).encode()).hexdigest()
        return cls(path, entries, identity)

    @cached_property
    def by_name(self) -> dict[str, Entry]:
        return {entry.name: entry for entry in self.entries}

    @property
    def weights(self) -> tuple[Entry, ...]:
        """The tensors that methods act on."""
        return tuple(entry for entry in self.entries if entry.is_weight)

    @property
    def bytes(self) -> int:
        """Bytes of all tensors, in their own types."""
        return sum(entry.bytes for entry in self.entries)

    def entry(self, name: str) -> Entry:
        """The tensor of this name. Raises CheckpointError where there is none."""
        if name not in self.by_name:
            near = [known for known in self.by_name if name in known][:3]
            remedy = f"did you mean {', '.join(near)}?" if near else "look at the list of them"
            raise CheckpointError(f"{self.path.name} has no tensor {name!r}; {remedy}")
        return self.by_name[name]


def _files(path: Path, limits: Limits) -> list[Path]:
    """The files of a checkpoint; of a folder those of its index, or else all in it."""
    if path.is_dir():
        index = next(iter(sorted(path.glob(INDEX))), None)
        files = _named_by(index, limits) if index else sorted(path.glob(SINGLE))
    elif path.name.endswith(INDEX.lstrip("*")):
        files = _named_by(path, limits)
    else:
        files = [path]
    if not files:
        raise CheckpointError(f"{path.name} holds no .safetensors file; name one, or its folder")
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise CheckpointError(
            f"{', '.join(missing[:3])} of {len(missing)} missing files; place them beside the index"
            if path.is_dir() or len(files) > 1
            else f"{path.name} is no file; name a .safetensors file, an .index.json or their folder"
        )
    return files


def _weight_map(index: Path, limits: Limits) -> dict[str, str]:
    if index.stat().st_size > limits.header_bytes:
        raise CheckpointError(f"{index.name} is larger than {limits.header_bytes:,} bytes")
    try:
        found = json.loads(index.read_bytes())["weight_map"]
        names = {str(name): str(file) for name, file in found.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{index.name} is no index of a checkpoint: it needs a weight_map of names to files"
        ) from error
    check_count(len(names), limits)
    for file in set(names.values()):
        if Path(file).name != file or file in {"", ".", ".."} or "\\" in file:
            raise CheckpointError(
                f"{index.name} names {file[:80]!r}; shards lie beside their index, without a path"
            )
    return names


def _named_by(index: Path, limits: Limits) -> list[Path]:
    if not index.is_file():
        raise CheckpointError(f"{index.name} is no file; name an .index.json that exists")
    return [index.parent / name for name in sorted(set(_weight_map(index, limits).values()))]


def _check_names(entries: Iterable[Entry]) -> None:
    places: dict[str, Entry] = {}
    for entry in entries:
        other = places.setdefault(entry.name, entry)
        if other is not entry:
            raise CheckpointError(
                f"{entry.name} stands in {other.file.name} and in {entry.file.name}; "
                "open one of the files, or the index that says which"
            )


def _check_index(path: Path, entries: Iterable[Entry], limits: Limits) -> None:
    """Raise CheckpointError where the index names a tensor that its file does not have."""
    index = next(iter(sorted(path.glob(INDEX))), None) if path.is_dir() else path
    if index is None or not index.name.endswith(INDEX.lstrip("*")):
        return
    there = {entry.name: entry.file.name for entry in entries}
    for name, file in _weight_map(index, limits).items():
        if there.get(name) != file:
            raise CheckpointError(f"{index.name} says {name} is in {file}, where it is not")
