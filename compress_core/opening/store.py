"""Where opened networks lie: a folder each, under a name that nobody guesses.

The name is that of the file, made plain, and a secret: `mnist-8~Vx3…`. Who knows it may look at the
network, as whoever has the link to a document. A folder is never changed once it is there; other
data or another output make another one. What nobody has used for KEPT_S is deleted, and the least
recently used first where all of them take more than MOST_BYTES.
"""

import os
import re
import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

from compress_core.data.finding import user_cache
from compress_core.models.catalog import MODELS
from compress_core.opening.facts import FACTS

FOLDER_VARIABLE = "COMPRESS_OPENED_DIR"
NAME = re.compile(r"([a-z0-9]+(?:[-.][a-z0-9]+)*)~[A-Za-z0-9_-]{16}")
LONGEST = 32  # characters of the plain part
KEPT_S = 24 * 3600.0
MOST_BYTES = 8 * 10**9
LEAST_FREE = 2 * 10**9  # bytes of the disk


def opened_folder() -> Path:
    """Where they lie: $COMPRESS_OPENED_DIR, else in the user's cache."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else user_cache() / "opened"


def new_folder(title: str) -> tuple[str, Path]:
    """A name for what is called `title`, and its folder, which is empty and nobody else's.

    Raises ValueError where the disk is nearly full.
    """
    name = f"{plain(title)}~{secrets.token_urlsafe(12)}"
    folder = opened_folder() / name
    folder.mkdir(parents=True, mode=0o700)
    if shutil.disk_usage(folder).free < LEAST_FREE:
        forget(name)
        raise ValueError("the server's disk is nearly full; try again later, or make room there")
    return name, folder


def plain(title: str) -> str:
    """The name of a file in small letters, digits and hyphens, without its folders and ending.

    >>> plain("My Nets/ResNet 20 (final).onnx")
    'resnet-20-final'
    """
    stem = Path(title.replace("\\", "/")).stem.lower()[: 4 * LONGEST]
    kept = re.sub(r"[^a-z0-9]+", "-", stem)[:LONGEST].strip("-")
    return kept or "network"


def is_opened_name(name: str) -> bool:
    """Whether a name has the form of an opened network's, whether that exists or not."""
    return NAME.fullmatch(name) is not None


def public_name(name: str) -> str:
    """The name without its secret: what stands in files. It is no reference network's: files of
    these leave out what ships with them."""
    plain_part = name.partition("~")[0]
    return f"own-{plain_part}" if plain_part in MODELS else plain_part


def find_folder(name: str) -> Path | None:
    """The folder of an opened network, which counts as used now; None where there is none."""
    folder = opened_folder() / name
    if not is_opened_name(name) or not (folder / FACTS).is_file():
        return None
    with suppress(OSError):  # deleted in this moment
        os.utime(folder)
    return folder


def forget(name: str) -> None:
    """Delete a network and all that was kept of it."""
    if is_opened_name(name):
        shutil.rmtree(opened_folder() / name, ignore_errors=True)


def tidy() -> None:
    """Delete what nobody used lately, and what is beyond MOST_BYTES."""
    left, now = MOST_BYTES, time.time()
    root = opened_folder()
    found = [folder for folder in root.iterdir() if folder.is_dir()] if root.is_dir() else []
    for folder in sorted(found, key=_last_use, reverse=True):
        left -= sum(map(_size, folder.iterdir())) if folder.exists() else 0
        if left < 0 or now - _last_use(folder) > KEPT_S:
            forget(folder.name)


def _last_use(folder: Path) -> float:
    """0 for one that is gone."""
    with suppress(OSError):
        return folder.stat().st_mtime
    return 0.0


def _size(file: Path) -> int:
    with suppress(OSError):  # gone by now
        return file.lstat().st_size
    return 0
