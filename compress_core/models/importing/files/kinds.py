"""What a file is, by its content: names lie, and torch, numpy and images share endings."""

import re
from enum import StrEnum
from pathlib import Path

from compress_core.models.importing.files.errors import UnsafeFileError
from compress_core.models.importing.files.wire import looks_like_model
from compress_core.models.importing.files.zips import member_names

BEGINNING = 4096  # bytes; nothing but this and the directory of a zip is read


class Kind(StrEnum):
    """What a file is; the words say it to whoever gave it."""

    EMPTY = "an empty file"
    ONNX = "an ONNX model"
    SAFETENSORS = "safetensors"
    STATE_DICT = "a torch file of pickled values"  # tensors, or whole modules: the scan tells
    LEGACY_TORCH = "a torch file in the format before torch 1.6"
    TORCHSCRIPT = "a TorchScript program"
    EXPORTED = "an exported program of torch (.pt2)"
    PICKLE = "a Python pickle"
    NPZ = "an archive of NumPy arrays (.npz)"
    NPY = "a NumPy array (.npy)"
    IMAGES = "a zip of images"
    IMAGE = "an image"
    ZIP = "a zip with nothing in it that is known"
    DAMAGED_ZIP = "a zip that is damaged or cut off"
    TEXT = "text"
    GIT_LFS = "a pointer of Git LFS: the file itself was not downloaded"
    HTML = "a web page: the download gave a page, not the file"
    HDF5 = "an HDF5 file, as Keras writes it"
    GGUF = "a GGUF file, as llama.cpp reads it"
    TFLITE = "a TensorFlow Lite model"
    UNKNOWN = "nothing that is known"


MAGIC: tuple[tuple[int, bytes, Kind], ...] = (
    (0, b"\x93NUMPY", Kind.NPY),
    (0, b"\x89PNG\r\n\x1a\n", Kind.IMAGE),
    (0, b"\xff\xd8\xff", Kind.IMAGE),
    (0, b"GIF8", Kind.IMAGE),
    (0, b"BM", Kind.IMAGE),
    (8, b"WEBP", Kind.IMAGE),
    (0, b"II*\0", Kind.IMAGE),
    (0, b"MM\0*", Kind.IMAGE),
    (0, b"\x89HDF\r\n\x1a\n", Kind.HDF5),
    (0, b"GGUF", Kind.GGUF),
    (4, b"TFL3", Kind.TFLITE),
    (0, b"version https://git-lfs", Kind.GIT_LFS),
)
LEGACY_MAGIC = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # torch's number, as a pickle writes it
PICTURES = re.compile(r"\.(png|jpe?g|gif|bmp|webp|tiff?)$", re.IGNORECASE)


def kind_of(path: Path) -> Kind:
    """The kind of this file. Raises OSError where it cannot be read."""
    with path.open("rb") as file:
        head = file.read(BEGINNING)
    for offset, magic, kind in MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return kind
    if not head:
        return Kind.EMPTY
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _kind_of_zip(path)
    return _kind_of_bytes(path, head)


def _kind_of_bytes(path: Path, head: bytes) -> Kind:
    if len(head) > 8 and head[8:9] == b"{":
        return Kind.SAFETENSORS
    if head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return Kind.LEGACY_TORCH if head[2:].startswith(LEGACY_MAGIC) else Kind.PICKLE
    if _is_text(head):
        start = head.lstrip()[:15].lower()
        return Kind.HTML if start.startswith((b"<!doctype html", b"<html")) else Kind.TEXT
    return Kind.ONNX if looks_like_model(path) else Kind.UNKNOWN


def _kind_of_zip(path: Path) -> Kind:
    try:
        names = member_names(path)
    except UnsafeFileError:
        return Kind.DAMAGED_ZIP
    tops = {name.partition("/")[2] for name in names}
    if any(name.startswith("code/") or name == "constants.pkl" for name in tops):
        return Kind.TORCHSCRIPT
    if any(name in tops for name in ("archive_format", "serialized_exported_program.json")):
        return Kind.EXPORTED
    if "serialized_exported_program.json" in names or "archive_format" in names:
        return Kind.EXPORTED
    if "data.pkl" in tops:
        return Kind.STATE_DICT
    if names and all(name.endswith(".npy") for name in names):
        return Kind.NPZ
    return Kind.IMAGES if any(map(PICTURES.search, names)) else Kind.ZIP


def _is_text(head: bytes) -> bool:
    """Whether this is the beginning of UTF-8 text without control characters."""
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4 or len(head) < BEGINNING:
            return False
        text = head[: error.start].decode()  # the last character was cut
    return all(sign.isprintable() or sign in "\t\r\n\f\ufeff" for sign in text)
