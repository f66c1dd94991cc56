"""A dataset as one safetensors file: from the process that read somebody's data to the one that
measures. Nothing is lost, and what is read is checked, as somebody else may have written it."""

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save

from compress_core.dataset import DataError, Dataset
from compress_core.inputs import each
from compress_core.own_data.found import MOST_BYTES
from compress_core.writing import write_file

VERSION = 1
MOST_HEADER = 8 * 2**20  # bytes: the names of many classes
MOST_INPUTS = 32
FIELDS = {"version", "name", "split", "class_names", "is_tuple"}
WHOLE_FLOATS = 4  # bytes of a float in the place of one in the file


def write_dataset(data: Dataset, path: Path) -> None:
    """Write inputs, labels, name, split and class names to `path`."""
    tensors = {f"x{place}": part.contiguous() for place, part in enumerate(each(data.inputs))}
    if data.labels is not None:
        tensors["y"] = data.labels.contiguous()
    about = {
        "version": VERSION,
        "name": data.name,
        "split": data.split,
        "class_names": list(data.class_names),
        "is_tuple": isinstance(data.inputs, tuple),
    }
    write_file(path, save(tensors, {"dataset": json.dumps(about)}))


def read_dataset(path: Path) -> Dataset:
    """The dataset in a file. Raises DataError for any other content, before it is allocated."""
    about = _about(path)
    try:
        tensors = load(path.read_bytes())  # not mapped: it may shrink
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, str(error)) from error
    labels = tensors.pop("y", None)
    if not tensors or set(tensors) != {f"x{place}" for place in range(len(tensors))}:
        raise _damaged(path, f"its tensors are {', '.join(sorted(tensors)) or 'none'}")
    inputs = tuple(tensors[f"x{place}"] for place in range(len(tensors)))
    return Dataset(
        about["name"],
        about["split"],
        inputs if about["is_tuple"] else inputs[0],
        labels,
        tuple(about["class_names"]),
    )


def _about(path: Path) -> dict[str, Any]:
    """The file's own words, its header being bounded and of the types that are written."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(MOST_HEADER, size) or size > MOST_BYTES * WHOLE_FLOATS + MOST_HEADER:
            raise _damaged(path, f"{size:,} bytes with a header of {length:,}")
        raw = file.read(length)
    try:
        header = json.loads(raw)
        about = json.loads(header["__metadata__"]["dataset"])
        if about.keys() != FIELDS or len(header) > MOST_INPUTS + 2:
            raise ValueError(f"it has the fields {', '.join(about)}")
        _check_fields(about)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    return dict(about)


def _check_fields(about: dict[str, Any]) -> None:
    names = about["class_names"]
    if about["version"] != VERSION:
        raise ValueError(f"version {about['version']} in place of {VERSION}")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("its class names are no texts")
    if not isinstance(about["name"], str) or about["split"] not in ("train", "test"):
        raise ValueError("its name or split is none")
    if not isinstance(about["is_tuple"], bool):
        raise ValueError("whether it has several inputs is not said")


def _damaged(path: Path, reason: str) -> DataError:
    return DataError(f"{path.name} holds no dataset of ours ({reason[:200]}); read the data anew")
