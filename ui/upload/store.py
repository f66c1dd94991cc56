"""What was uploaded: each file under a name of ours, in a fresh folder of its own, for an hour.

A grant lets one session upload, under a token that cannot be guessed. Room is reserved before the
first byte is read, so that quotas hold however many uploads run at once.
"""

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ui.language import N_
from ui.upload.folder import make_folder
from ui.upload.quota import MB, Quota, from_environment

LIFETIME_S = 3600.0
MOST_GRANTS = 2048
GONE = N_("This page may no longer upload: reload it.")


class RefusedError(Exception):
    """An upload that may not be; the status of the answer, and why as a template and its values."""

    def __init__(self, status: int, text: str, **values: object) -> None:
        super().__init__(text.format(**values))
        self.status, self.text, self.values = status, text, values


@dataclass(frozen=True)
class Grant:
    """What a session may upload: files with these suffixes (lower case), whoever reads what."""

    session: str
    suffixes: tuple[str, ...]
    language: str = "en"


@dataclass(frozen=True)
class Upload:
    """A file that has arrived. `name` is the visitor's text, cleaned: show it, open `path`."""

    id: str
    path: Path
    name: str
    bytes: int


@dataclass
class _Held:
    """Room that is taken: of an upload on its way, or of one that has arrived."""

    session: str
    upload: Upload
    used: float
    arrived: bool = False


@dataclass
class _Granted:
    grant: Grant
    used: float


@dataclass
class UploadStore:
    """Grants and uploads. Script threads and the server's event loop use it: all take the lock."""

    quota: Quota = field(default_factory=from_environment)
    lifetime_s: float = LIFETIME_S
    clock: Callable[[], float] = time.monotonic
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _grants: dict[str, _Granted] = field(default_factory=dict)
    _held: dict[str, _Held] = field(default_factory=dict)
    _folder: Path | None = None

    def grant(self, grant: Grant, previous: str | None = None) -> str:
        """A token for a session; `previous` again while it grants the same."""
        with self._lock:
            self._expire()
            if previous in self._grants and self._grants[previous].grant == grant:
                self._grants[previous].used = self.clock()
                return previous
            self._grants.pop(previous or "", None)
            while len(self._grants) >= MOST_GRANTS:
                del self._grants[min(self._grants, key=lambda each: self._grants[each].used)]
            token = secrets.token_urlsafe(24)
            self._grants[token] = _Granted(grant, self.clock())
            return token

    def granted(self, token: str) -> Grant | None:
        """What a token grants, and for another hour; None if it is unknown or has expired."""
        with self._lock:
            self._expire()
            if (found := self._grants.get(token)) is None:
                return None
            found.used = self.clock()
            return found.grant

    def check(self, session: str, size: int, files: int = 1) -> None:
        """Raise RefusedError where a session may not upload so many bytes more in so many files."""
        with self._lock:
            self._expire()
            self._check(session, size, files)

    def reserve(self, session: str, name: str, suffix: str, size: int) -> Upload:
        """Take the room of an upload; its file is in a fresh folder and is still to be written.

        Raises RefusedError where the quota does not allow it.
        """
        with self._lock:
            self._expire()
            self._check(session, size, 1)
            held = [each for each in self._held.values() if not each.arrived]
            if sum(each.session == session for each in held) >= self.quota.at_once:
                raise RefusedError(
                    429, N_("Too many files at once: wait until the others are there.")
                )
            if len(held) >= self.quota.total_at_once:
                raise RefusedError(
                    429, N_("Too many visitors upload at the moment: try again soon.")
                )
            key = secrets.token_hex(16)
            upload = Upload(key, self._root() / key / f"upload{suffix}", name, size)
            upload.path.parent.mkdir(mode=0o700)
            self._held[key] = _Held(session, upload, self.clock())
            return upload

    def arrive(self, upload: Upload) -> None:
        """The file is complete. Raises RefusedError if the store has been closed meanwhile."""
        with self._lock:
            if (held := self._held.get(upload.id)) is None:
                raise RefusedError(404, GONE)
            held.arrived, held.used = True, self.clock()

    def find(self, session: str, ids: Iterable[str]) -> tuple[Upload, ...]:
        """The uploads of a session by their ids, each kept for another hour; without those that
        have not arrived, are gone, or are another's."""
        with self._lock:
            self._expire()
            held = [self._held.get(each) for each in ids]
            found = [each for each in held if each and each.arrived and each.session == session]
            for each in found:
                each.used = self.clock()
            return tuple(each.upload for each in found)

    def discard(self, uploads: Iterable[Upload]) -> None:
        """Delete uploads, also unfinished ones; those that are gone already are passed over."""
        with self._lock:
            for upload in uploads:
                self._drop(upload.id)

    def expire(self) -> None:
        """Delete what was not used for an hour."""
        with self._lock:
            self._expire()

    def close(self) -> None:
        """Delete everything."""
        with self._lock:
            self._grants.clear()
            self._held.clear()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _root(self) -> Path:
        self._folder = self._folder or make_folder()
        return self._folder

    def _check(self, session: str, size: int, files: int) -> None:
        quota, own = self.quota, [h.upload for h in self._held.values() if h.session == session]
        if quota.at_once == 0:
            raise RefusedError(403, N_("Uploads are off on this server."))
        if size > quota.file_mb * MB and files == 1:
            raise RefusedError(413, N_("The file is larger than {limit} MB."), limit=quota.file_mb)
        if len(own) + files > quota.session_files:
            raise RefusedError(413, N_("More than {limit} files."), limit=quota.session_files)
        if sum(each.bytes for each in own) + size > quota.session_mb * MB:
            text = N_("All your files together are larger than {limit} MB.")
            raise RefusedError(413, text, limit=quota.session_mb)
        self._check_machine(size)

    def _check_machine(self, size: int) -> None:
        total = sum(held.upload.bytes for held in self._held.values())
        if total + size > self.quota.total_mb * MB:
            raise RefusedError(
                507, N_("The server's room for uploads is full: try again in an hour.")
            )
        coming = sum(held.upload.bytes for held in self._held.values() if not held.arrived)
        free = shutil.disk_usage(self._root()).free - coming
        if size + self.quota.free_mb * MB > free:
            raise RefusedError(507, N_("The server's disk is nearly full: ask whoever runs it."))

    def _expire(self) -> None:
        """Forget what was not used for an hour; an upload on its way has limits of its own."""
        oldest = self.clock() - self.lifetime_s
        for token in [token for token, each in self._grants.items() if each.used < oldest]:
            del self._grants[token]
        for key in [k for k, each in self._held.items() if each.arrived and each.used < oldest]:
            self._drop(key)

    def _drop(self, key: str) -> None:
        if (held := self._held.pop(key, None)) is not None:
            shutil.rmtree(held.upload.path.parent, ignore_errors=True)
