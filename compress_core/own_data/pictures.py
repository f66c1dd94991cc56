"""Images in a folder or a zip file, a folder for each class.

Pixels are counted before anything is decoded, and only formats with a decoder of few surprises are
opened.
"""

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

import numpy as np

from compress_core.dataset import DataError
from compress_core.own_data.archives import opened
from compress_core.own_data.found import MOST_BYTES, Array, Found, natural

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp")
MOST_PIXELS = 25_000_000  # of one image
MOST_FILE_BYTES = 64 * 2**20  # of one image
MOST_IMAGES = 100_000
NOT_DATA = re.compile(r"(^|/)(\.|__MACOSX/|Thumbs\.db$)")
SPLITS = {"train": "train", "training": "train", "test": "test", "val": "test", "valid": "test"}
Fit = Literal["stretch", "crop"]
Read = Callable[[], bytes]


@dataclass(frozen=True)
class Picture:
    """An image's name in its folder or archive, and what reads its bytes."""

    name: PurePosixPath
    read: Read


def read_folder(path: Path, shape: Sequence[int], fit: Fit) -> Found:
    """The images of a folder as (n, C, H, W) bytes, of the network's `shape` (C, H, W)."""
    names = sorted(p for p in path.rglob("*") if p.is_file())
    pictures = [Picture(PurePosixPath(p.relative_to(path)), partial(_read_file, p)) for p in names]
    return _read(path.name, pictures, shape, fit)


def read_zip(path: Path, shape: Sequence[int], fit: Fit) -> Found:
    """The images of a zip file, in place: nothing is written to disk."""
    with opened(path) as archive:
        pictures = [
            Picture(PurePosixPath(info.filename), partial(_read_member, archive.file, info))
            for info in archive.members
        ]
        return _read(path.name, pictures, shape, fit)


def _read_file(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MOST_FILE_BYTES + 1)


def _read_member(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with file.open(info) as member:
        return member.read(MOST_FILE_BYTES + 1)


def _read(name: str, listed: list[Picture], shape: Sequence[int], fit: Fit) -> Found:
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise DataError(
            f"{name} holds images, and the network takes inputs of shape {tuple(shape)}; images go "
            "into networks of (1, H, W) or (3, H, W): pass arrays as .npz"
        )
    wanted = [p for p in listed if not NOT_DATA.search(str(p.name))]
    pictures = [p for p in wanted if p.name.suffix.lower() in ENDINGS]
    _check_count(name, len(pictures), shape)
    pictures, splits = _by_split(_without_common_folder(pictures))
    others = len(wanted) - len(pictures)
    warnings = (f"{others:,} files are no images and were left out",) if others else ()
    tested = [p for p, split in zip(pictures, splits, strict=True) if split != "train"]
    trained = [p for p, split in zip(pictures, splits, strict=True) if split == "train"]
    if not tested:
        tested, trained = trained, []
    classes = tuple(sorted({_class_of(p) for p in pictures} - {""}, key=natural))
    apart = _as_arrays(trained, classes, shape, fit) if trained else None
    found = _as_arrays(tested, classes, shape, fit)
    notes = (_said(found, classes), f"each fitted to {shape[1]} x {shape[2]} ({fit})")
    return Found(found.inputs, found.labels, classes, notes, warnings, apart)


def _check_count(name: str, count: int, shape: Sequence[int]) -> None:
    total = count * int(np.prod(shape))
    if not count:
        raise DataError(f"{name} holds no images; put PNG or JPEG files into a folder a class")
    if count > MOST_IMAGES or total > MOST_BYTES:
        raise DataError(
            f"{name} holds {count:,} images, {total:,} bytes at the network's size; at most "
            f"{MOST_IMAGES:,} and {MOST_BYTES:,} are read: pass fewer, a few thousand are enough"
        )


def _without_common_folder(pictures: list[Picture]) -> list[Picture]:
    """Archives often hold one folder with everything in it."""
    while len({p.name.parts[0] for p in pictures}) == 1 and all(
        len(p.name.parts) > 2 for p in pictures
    ):
        pictures = [Picture(PurePosixPath(*p.name.parts[1:]), p.read) for p in pictures]
    return pictures


def _by_split(pictures: list[Picture]) -> tuple[list[Picture], list[str]]:
    """Which split each image is of, where the top folders are called so."""
    tops = {p.name.parts[0].lower() for p in pictures if len(p.name.parts) > 2}
    if not tops or not tops <= SPLITS.keys() or any(len(p.name.parts) < 3 for p in pictures):
        return pictures, ["test"] * len(pictures)
    splits = [SPLITS[p.name.parts[0].lower()] for p in pictures]
    return [Picture(PurePosixPath(*p.name.parts[1:]), p.read) for p in pictures], splits


def _class_of(picture: Picture) -> str:
    """The folder that an image lies in; none of one that lies in no folder."""
    return picture.name.parts[0] if len(picture.name.parts) > 1 else ""


def _as_arrays(
    pictures: list[Picture], classes: tuple[str, ...], shape: Sequence[int], fit: Fit
) -> Found:
    images = np.empty((len(pictures), *shape), np.uint8)
    for place, picture in enumerate(pictures):
        images[place] = decode_image(picture, shape, fit)
    if not classes:
        return Found((images,))
    loose = [str(p.name) for p in pictures if not _class_of(p)]
    if loose:
        raise DataError(
            f"{loose[0][:80]!r} lies in no folder of a class, and others do; move it into one"
        )
    labels = np.array([classes.index(_class_of(p)) for p in pictures], np.int64)
    return Found((images,), labels, classes)


def decode_image(picture: Picture, shape: Sequence[int], fit: Fit) -> Array:
    """One image as (C, H, W) bytes.

    Raises DataError for another format, a damaged file, and more than MOST_PIXELS.
    """
    from PIL import Image, UnidentifiedImageError

    raw, shown = picture.read(), repr(str(picture.name)[-80:])
    if len(raw) > MOST_FILE_BYTES:
        raise DataError(f"{shown} has more than {MOST_FILE_BYTES:,} bytes; save it smaller")
    try:
        with Image.open(io.BytesIO(raw), formats=FORMATS) as image:
            pixels = image.width * image.height
            if pixels > MOST_PIXELS:
                raise DataError(
                    f"{shown} has {image.width:,} x {image.height:,} pixels, more than "
                    f"{MOST_PIXELS:,}; save it smaller"
                )
            if image.mode[0] in "IF":
                raise DataError(f"{shown} has more than 8 bits a channel; save it with 8")
            made = image.convert("L" if shape[0] == 1 else "RGB")
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(
            f"{shown} cannot be read as an image of {', '.join(FORMATS)}; save it as PNG or JPEG"
        ) from error
    except Exception as error:  # whatever a decoder raises on damaged bytes
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise DataError(
            f"{shown} cannot be read as an image ({reason}); save it as PNG or JPEG"
        ) from error
    size = (shape[2], shape[1])
    if made.size != size:
        made = _fitted(made, size, fit)
    return np.asarray(made).reshape(shape[1], shape[2], shape[0]).transpose(2, 0, 1)


def _fitted(image: "PillowImage", size: tuple[int, int], fit: Fit) -> "PillowImage":
    """Stretched to the size, or its middle of the same proportions."""
    from PIL import Image, ImageOps

    if fit == "crop":
        return ImageOps.fit(image, size, Image.Resampling.BILINEAR)
    return image.resize(size, Image.Resampling.BILINEAR)


def _said(found: Found, classes: tuple[str, ...]) -> str:
    count = f"{len(found.inputs[0]):,} images"
    if not classes:
        return f"{count} in no folders of classes"
    shown = ", ".join(classes[:5]) + (", …" if len(classes) > 5 else "")
    return f"{count} of {len(classes)} classes: {shown}"
