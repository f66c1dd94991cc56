"""Censuses and spectra on disk, by content: what was computed once is there at once next time.

Two files for each tensor. The sha256 of its bytes names what was computed of it, so that a copy, a
renamed file, or a tensor that a new version of the model left alone is found again. But hashing
10 GB before the first picture takes longer than the picture: so a small file says under the
tensor's place (name, offset, and the size, times and header of the file) which content it had when
it was last read. A file that is written anew has another place, is read once more, and if its bytes
are the same, the spectrum, which takes seconds, is still known.
"""

import contextlib
import hashlib
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress_core.checkpoint.census import Census, take_census
from compress_core.checkpoint.header import Entry
from compress_core.checkpoint.opening import Checkpoint
from compress_core.data.finding import user_cache
from compress_core.writing import write_file

VERSION = 1  # of what is computed: a higher one computes everything anew
MOST_BYTES = 256 << 20
LEAST_BYTES = 4096  # that a file takes on the disk
FOLDER_VARIABLE = "COMPRESS_PROFILES_DIR"


def profiles_folder() -> Path:
    """$COMPRESS_PROFILES_DIR, or a folder of the user's cache."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    return Path(chosen) if chosen else user_cache() / "profiles"


class Profiles:
    """What is known of a checkpoint's tensors. Where the disk is full or may not be written,
    everything is computed each time."""

    def __init__(
        self, checkpoint: Checkpoint, root: Path | None = None, most_bytes: int = MOST_BYTES
    ) -> None:
        self.checkpoint = checkpoint
        self._root, self._most_bytes = root or profiles_folder(), most_bytes

    def census(self, entry: Entry) -> Census:
        """The census of a tensor: from the disk, or taken now and kept."""
        content = self._content(entry)
        found = self._load(f"{content}.census.npz") if content else None
        if content and found and {"values", "counts", "facts"} <= found.keys():
            non_finite, exact = found["facts"]
            return Census(found["values"], found["counts"], int(non_finite), bool(exact), content)
        taken = take_census(entry)
        facts = np.array([taken.non_finite, taken.exact])
        self._keep(
            f"{taken.content}.census.npz", values=taken.values, counts=taken.counts, facts=facts
        )
        self._write(self._place(entry), taken.content.encode())
        return taken

    def spectrum(self, entry: Entry) -> NDArray[np.float32] | None:
        """Its singular values, if they were kept."""
        found = self._load(self._spectrum_name(entry))
        return found.get("values") if found else None

    def keep_spectrum(self, entry: Entry, values: NDArray[np.float32]) -> None:
        self._keep(self._spectrum_name(entry), values=values)

    def _spectrum_name(self, entry: Entry) -> str:
        shape = "x".join(map(str, entry.shape))
        return f"{self.census(entry).content}.{entry.dtype}.{shape}.spectrum.npz"

    def _place(self, entry: Entry) -> str:
        about = (VERSION, self.checkpoint.identity, entry.name, entry.dtype, entry.offset)
        return f"{hashlib.sha256(repr(about).encode()).hexdigest()}.content"

    def _content(self, entry: Entry) -> str | None:
        try:
            found = (self._root / self._place(entry)).read_text()
        except (OSError, ValueError):
            return None
        return found if len(found) == 64 and found.isalnum() else None

    def _load(self, name: str) -> dict[str, NDArray[Any]] | None:
        """The arrays of a file; None where it is not there, or damaged."""
        try:
            raw = io.BytesIO((self._root / name).read_bytes())
            with np.load(raw, allow_pickle=False) as arrays:
                found = {key: arrays[key] for key in arrays.files}
            os.utime(self._root / name)  # the last used ones stay longest
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return None
        return found

    def _keep(self, name: str, **arrays: NDArray[Any]) -> None:
        raw = io.BytesIO()
        np.savez_compressed(raw, allow_pickle=False, **arrays)
        self._write(name, raw.getvalue())
        self._make_room()

    def _write(self, name: str, raw: bytes) -> None:
        with contextlib.suppress(OSError, ValueError):  # it is computed again next time
            self._root.mkdir(parents=True, exist_ok=True)
            write_file(self._root / name, raw)

    def _make_room(self) -> None:
        """Delete what was not used for longest, until the rest fits."""
        with contextlib.suppress(OSError):
            files = [(path.stat(), path) for path in self._root.iterdir()]
            total = sum(max(LEAST_BYTES, status.st_size) for status, _ in files)
            for status, path in sorted(files, key=lambda file: file[0].st_mtime):
                if total <= self._most_bytes:
                    break
                path.unlink(missing_ok=True)
                total -= max(LEAST_BYTES, status.st_size)
