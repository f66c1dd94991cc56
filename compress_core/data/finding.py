"""Where the files of a dataset lie: in $COMPRESS_DATA_DIR, else in the user's cache."""

import gzip
import hashlib
import os
import zlib
from pathlib import Path

from compress_core.data.files import Files
from compress_core.dataset import DataError


def user_cache() -> Path:
    """The folder that downloads go to."""
    import pooch

    return Path(pooch.os_cache("compress-explorer"))


def are_there(files: Files) -> bool:
    """Whether each of the files is on this machine (they are not read)."""
    return all(_candidates(files, name) for name in files.sha256)


def find(files: Files, name: str) -> Path:
    """The path of one file of a dataset. Raises DataError, with the remedies, where it is not."""
    found = _candidates(files, name)
    if not found:
        raise DataError(f"{files.title}: {name} is not on this machine; {remedies(files)}")
    return found[0]


def read_content(path: Path, sha256: str) -> bytes:
    """The bytes of a file, decompressed where its name ends in .gz, checked by their sha256."""
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged or truncated ({error}); place the file anew") from error
    found = hashlib.sha256(raw).hexdigest()
    if found != sha256:
        raise DataError(
            f"{path} is not the official file: sha256 of its content ({len(raw):,} bytes) is "
            f"{found[:12]}…, expected {sha256[:12]}…; place the file anew"
        )
    return raw


def remedies(files: Files) -> str:
    """How to get the files, as the end of a sentence."""
    return (
        f"download it ({files.download_bytes / 1e6:.0f} MB, from {files.source}) with "
        f"`python -m compress_core data {files.name}`, or place {', '.join(files.sha256)} (as they "
        f"are, or gzipped with .gz) in $COMPRESS_DATA_DIR/{files.folder} or "
        f"{user_cache() / files.folder}"
    )


def forms(name: str) -> tuple[str, str]:
    """The names under which a file may lie: as it is, and gzipped."""
    return name, f"{name}.gz"


def _candidates(files: Files, name: str) -> list[Path]:
    chosen = os.environ.get("COMPRESS_DATA_DIR")
    roots = [*([Path(chosen)] if chosen else []), user_cache()]
    paths = [root / files.folder / form for root in roots for form in forms(name)]
    return [path for path in paths if path.is_file()]
