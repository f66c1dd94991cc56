"""Checkpoints in several safetensors files, with an index that says which tensor lies where."""

import json
from functools import partial
from pathlib import Path

from compress_core.models.importing.files.clean import TensorSource, pieces_of_file
from compress_core.models.importing.files.errors import refuse
from compress_core.models.importing.files.safetensors_header import (
    MOST_TENSORS,
    TensorPlace,
    read_header,
)
from compress_core.shown import shown_name

INDEX = "*.safetensors.index.json"
MOST_INDEX = 20_000_000  # bytes
MOST_SHARDS = 1_000
MOST_NAME = 500  # characters
TOGETHER = "give the index and all files that it names, together in one folder"


def sources_of_file(path: Path, most_header: int) -> list[TensorSource]:
    """The tensors of one safetensors file, checked. Raises UnsafeFileError."""
    return [_source(path, place) for place in read_header(path, most_header)]


def sources_of_folder(folder: Path, most_header: int) -> list[TensorSource]:
    """The tensors of all shards that the folder's index names, checked. Raises UnsafeFileError."""
    found: dict[str, TensorSource] = {}
    weight_map = _read_index(folder)
    for shard in sorted(set(weight_map.values())):
        for source in sources_of_file(_shard_path(folder, shard), most_header):
            if weight_map.get(source.name) != shard:
                raise refuse(
                    f"tensor '{shown_name(source.name)}' lies in '{shown_name(shard)}', but the "
                    "index says something else",
                    TOGETHER,
                )
            found[source.name] = source
    missing = [name for name in weight_map if name not in found]
    if missing:
        raise refuse(
            f"tensor '{shown_name(missing[0])}' and {len(missing) - 1:,} more stand in the index, "
            "but in no file",
            TOGETHER,
        )
    return list(found.values())


def _source(path: Path, place: TensorPlace) -> TensorSource:
    if len(place.name) > MOST_NAME:
        raise refuse(
            f"tensor '{shown_name(place.name)}' has a name of {len(place.name):,} characters; "
            f"at most {MOST_NAME} are read",
            "give it a shorter name",
        )
    pieces = partial(pieces_of_file, path, place.begin, place.end)
    return TensorSource(place.name, place.dtype, place.shape, pieces)


def _read_index(folder: Path) -> dict[str, str]:
    """Tensor → file."""
    indices = sorted(folder.glob(INDEX))
    if len(indices) != 1:
        raise refuse(f"the folder has {len(indices)} files {INDEX}; it must have one", TOGETHER)
    if indices[0].is_symlink() or indices[0].stat().st_size > MOST_INDEX:
        raise refuse(f"the index is a link, or has more than {MOST_INDEX:,} bytes", TOGETHER)
    try:
        weight_map = json.loads(indices[0].read_bytes())["weight_map"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise refuse("the index is no JSON with a weight_map", TOGETHER) from error
    if not isinstance(weight_map, dict) or not all(
        isinstance(shard, str) for shard in weight_map.values()
    ):
        raise refuse("the index's weight_map does not name a file for each tensor", TOGETHER)
    if len(weight_map) > MOST_TENSORS or len(set(weight_map.values())) > MOST_SHARDS:
        raise refuse(
            f"the index names {len(weight_map):,} tensors in {len(set(weight_map.values())):,} "
            f"files; at most {MOST_TENSORS:,} in {MOST_SHARDS:,} are read",
            "give a part of it",
        )
    return weight_map


def _shard_path(folder: Path, shard: str) -> Path:
    path = folder / shard
    plain = shard not in ("", ".", "..") and not set("/\\:\0") & set(shard)
    if not plain or path.is_symlink() or not path.is_file():
        raise refuse(
            f"the index names '{shown_name(shard)}', which is no plain file in its folder", TOGETHER
        )
    return path
