"""Downloads of datasets into the user's cache, by pooch, each checked before it is placed."""

import tarfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from compress_core.data import finding
from compress_core.data.files import Download, Files
from compress_core.dataset import DataError
from compress_core.writing import write_file

TIMEOUT_S = 30


def fetch_all(files: Files, progress: Callable[[str, float], None] | None = None) -> None:
    """Make the files of a dataset stand in the user's cache; `progress(file, fraction)` is told.

    Files that are there already are checked, not fetched again.
    Raises DataError when a file cannot be had or its checksum differs.
    """
    for download in files.downloads:
        try:
            if not _is_here(files, download):
                _fetch(files, download, _Progress(download.name, progress) if progress else False)
        except (OSError, ValueError) as error:
            raise DataError(
                f"{files.title}: {download.name} could not be downloaded ({error}); "
                f"{finding.remedies(files)}"
            ) from error


def _is_here(files: Files, download: Download) -> bool:
    """Whether all that a download gives is in the user's cache, with the right content."""
    folder = finding.user_cache() / files.folder
    return all(
        any(_is_official(folder / form, files.sha256[name]) for form in finding.forms(name))
        for name in download.gives
    )


def _is_official(path: Path, sha256: str) -> bool:
    try:
        finding.read_content(path, sha256)
    except DataError:
        return False
    return True


def _fetch(files: Files, download: Download, bar: "_Progress | bool") -> None:
    import pooch

    pooch.get_logger().setLevel("WARNING")  # progress is ours to show
    target = finding.user_cache() / files.folder
    with TemporaryDirectory() as folder:
        pooch.retrieve(
            download.url,
            known_hash=f"md5:{download.md5}",
            fname=download.name,
            path=folder,
            downloader=pooch.HTTPDownloader(timeout=TIMEOUT_S, progressbar=bar),
        )
        target.mkdir(parents=True, exist_ok=True)
        for name, raw in _unpacked(Path(folder) / download.name, files.folder, download.members):
            write_file(target / name, raw)


def _unpacked(path: Path, folder: str, members: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """The files that a download gives, by name: itself, or the named members of an archive.

    Nothing else of an archive is read, and no path of it is written to.
    """
    if not members:
        yield path.name, path.read_bytes()
        return
    try:
        with tarfile.open(path, "r:gz") as archive:
            for name in members:
                yield name, _member(archive, f"{folder}/{name}")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ValueError(f"the archive cannot be read: {error}") from error


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    try:
        file = archive.extractfile(name)
    except KeyError:
        file = None
    if file is None:  # not in it, or a folder
        raise ValueError(f"the archive has no file {name}")
    return file.read()


class _Progress:
    """What pooch wants of a progress bar, reported as a fraction of one file."""

    def __init__(self, name: str, report: Callable[[str, float], None]) -> None:
        self.name, self.report = name, report
        self.total, self.done = 0, 0

    def update(self, count: int) -> None:
        self.done += count
        self.report(self.name, self.done / self.total if self.total else 0.0)

    def reset(self) -> None:
        self.done = 0

    def close(self) -> None:
        self.report(self.name, 1.0)
