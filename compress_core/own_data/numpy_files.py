"""Arrays of `.npy` and `.npz` files: never pickles, and nothing is allocated that is not there."""

import io
import math
import re
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format

from compress_core.dataset import DataError
from compress_core.own_data.archives import Archive, opened
from compress_core.own_data.found import MOST_BYTES, Array, Found, natural

MOST_HEADER = 10_000  # bytes, as numpy's own bound
MOST_ARRAYS = 64
LONGEST_NAME = 256  # characters of a class name in an array of texts
INPUT_NAMES = ("x", "images", "inputs", "input", "data", "features")
LABEL_NAMES = ("y", "labels", "label", "targets", "target", "classes")
ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # of an object of Python, which helps nobody
TRAIN = re.compile(r"(_train|^train_)")
TEST = re.compile(r"(_test|^test_|_val|^val_|_valid|^valid_)")


def read_npy(path: Path) -> Found:
    """The inputs (n, …) of a `.npy` file, which holds one array and so no labels."""
    with path.open("rb") as file:
        array = read_array(file, path.stat().st_size, path.name)
    return Found((array,), notes=(f"{_described(path.name, array)}, taken as inputs",))


def read_npz(path: Path, count: int) -> Found:
    """Inputs and labels of an `.npz` file by the arrays' names, for a network of `count` inputs;
    arrays such as x_train and y_train are its training split.

    Raises DataError where the names leave open what is what.
    """
    with opened(path) as archive:
        arrays = _arrays(path, archive)
    training = {TRAIN.sub("", key): array for key, array in arrays.items() if TRAIN.search(key)}
    rest = {TEST.sub("", key): array for key, array in arrays.items() if not TRAIN.search(key)}
    if not rest:
        rest, training = training, {}
    notes = tuple(_described(key, array) for key, array in arrays.items())
    found = _by_name(path, rest, count)
    apart = _by_name(path, training, count) if training else None
    return Found(found.inputs, found.labels, notes=notes, training=apart)


def _arrays(path: Path, archive: Archive) -> dict[str, Array]:
    names = [info.filename for info in archive.members if info.filename.endswith(".npy")]
    if not names or len(names) > MOST_ARRAYS:
        raise DataError(
            f"{path.name} holds {len(names):,} arrays; an .npz of data has 1 to {MOST_ARRAYS}: "
            "numpy.savez(file, x=inputs, y=labels)"
        )
    found = {}
    for info in archive.members:
        if info.filename in names:
            with archive.file.open(info) as file:
                key = info.filename.removesuffix(".npy").lower()
                found[key] = read_array(file, info.file_size, info.filename)
    return found


def read_array(file: IO[bytes], size: int, name: str) -> Array:
    """The array of a `.npy` file of `size` bytes: numbers, or texts as labels.

    Raises DataError for another kind of file, for objects (which numpy would unpickle), and where
    the header claims more than the file has.
    """
    dtype, shape, fortran, head = _header(file, size, name)
    wanted = math.prod(shape) * dtype.itemsize
    if wanted > MOST_BYTES or wanted != size - head:
        raise DataError(
            f"{name} says that it holds {shape} {dtype}, which is {wanted:,} bytes, and it has "
            f"{max(size - head, 0):,} (at most {MOST_BYTES:,} are read); save it anew with "
            "numpy.save or numpy.savez"
        )
    array = np.empty(math.prod(shape), dtype)
    _fill(file, array, name)
    return array.astype(dtype.newbyteorder("="), copy=False).reshape(
        shape, order="F" if fortran else "C"
    )


def _header(file: IO[bytes], size: int, name: str) -> tuple[np.dtype, tuple[int, ...], bool, int]:
    """Type, shape, order, and the bytes that the header takes; no more than MOST_HEADER are read
    for it."""
    try:
        version = npy_format.read_magic(file)
        length = _header_length(file, version)
        head = (10 if version[0] == 1 else 12) + length
        if length > min(MOST_HEADER, size):
            raise ValueError(f"its header is {length:,} bytes, more than {MOST_HEADER:,}")
        width = 2 if version[0] == 1 else 4
        again = io.BytesIO(length.to_bytes(width, "little") + file.read(length))
        read = npy_format.read_array_header_1_0 if width == 2 else npy_format.read_array_header_2_0
        shape, fortran, dtype = read(again, max_header_size=MOST_HEADER)
    except Exception as error:  # a header is text that numpy evaluates: many kinds of errors
        text = next(iter(str(error).splitlines()), type(error).__name__)
        reason = ADDRESS.sub("", text)[:200]
        raise DataError(
            f"{name} is no array of numpy ({reason}); save it with numpy.save or numpy.savez"
        ) from error
    _check_type(dtype, name)
    if any(extent < 0 for extent in shape):
        raise DataError(f"{name} has the shape {shape}; sizes are 0 or more: save it anew")
    return dtype, shape, fortran, head


def _header_length(file: IO[bytes], version: tuple[int, int]) -> int:
    if version not in ((1, 0), (2, 0), (3, 0)):
        raise ValueError(f"format {version[0]}.{version[1]} is unknown")
    return int.from_bytes(file.read(2 if version[0] == 1 else 4), "little")


def _check_type(dtype: np.dtype, name: str) -> None:
    if dtype.kind in "biuf" and dtype.itemsize <= 8:
        return
    if dtype.kind == "U" and 0 < dtype.itemsize <= 4 * LONGEST_NAME:
        return
    remedy = "numbers: array.astype('float32'), or for classes their numbers or names"
    if dtype.hasobject:
        raise DataError(
            f"{name} holds Python objects, which run code when they are read; save {remedy}"
        )
    raise DataError(f"{name} holds {dtype}, which is no array of numbers; save {remedy}")


def _fill(file: IO[bytes], array: Array, name: str) -> None:
    """Read in pieces: a zip gives no more at once than it has unpacked."""
    view: Any = array.view(np.uint8)
    done = 0
    while done < len(view):
        piece = file.read(min(2**20, len(view) - done))
        if not piece:
            raise DataError(f"{name} ends after {done:,} of {len(view):,} bytes; copy it anew")
        view[done : done + len(piece)] = np.frombuffer(piece, np.uint8)
        done += len(piece)


def _by_name(path: Path, arrays: dict[str, Array], count: int) -> Found:
    label = next((key for key in LABEL_NAMES if key in arrays and len(arrays) > 1), None)
    others = [key for key in arrays if key != label]
    if count > 1:
        return _several(path, arrays, label, others, count)
    chosen = next((key for key in INPUT_NAMES if key in others), None)
    if chosen is None and len(others) == 1:
        chosen = others[0]
    if chosen is None and len(others) == 2 and label is None:
        chosen, label = sorted(others, key=lambda key: -arrays[key].size)
    if chosen is None:
        raise DataError(
            f"{path.name} holds {', '.join(sorted(arrays))}, and which of them are inputs is not "
            "known; name them x and y: numpy.savez(file, x=inputs, y=labels)"
        )
    if label is None:
        label = next((key for key in others if key != chosen and _may_label(arrays, key)), None)
    return Found((arrays[chosen],), None if label is None else arrays[label])


def _may_label(arrays: dict[str, Array], key: str) -> bool:
    return len(arrays) == 2 and arrays[key].ndim <= 2


def _several(
    path: Path, arrays: dict[str, Array], label: str | None, others: list[str], count: int
) -> Found:
    """The inputs of a network that takes several, in the order of their names."""
    if len(others) != count:
        raise DataError(
            f"{path.name} holds {', '.join(sorted(arrays))}, and the network takes {count} inputs; "
            "name them x0, x1, … in the order of its forward, and the labels y"
        )
    inputs = tuple(arrays[key] for key in sorted(others, key=natural))
    return Found(inputs, None if label is None else arrays[label])


def _described(name: str, array: Array) -> str:
    return f"{name}: {array.shape} {array.dtype}"
