"""Pinned states, held on the server under an unguessable token, one token a session.

Nobody can list the tokens, and a token of the caller's own making opens nothing.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock

from ui.language import _

MAX_SNAPSHOTS = 24  # of one session
MAX_SESSIONS = 500
MAX_AGE_S = 7 * 24 * 3600.0  # since a session last looked
MAX_RECIPE = 20_000  # characters
MAX_NAME = 60


@dataclass(frozen=True)
class Snapshot:
    """A pinned state; its `name` is empty until somebody gives it one. `histogram` are counts of
    the kept weights of the largest layer, from the most negative to the most positive bin. Its
    score is read when it is shown: it is measured on ever more images."""

    name: str
    model: str
    recipe: str
    stored_bytes: int
    histogram: tuple[int, ...]
    id: str = field(default_factory=lambda: secrets.token_urlsafe(6))


@dataclass
class _Shelf:
    snapshots: tuple[Snapshot, ...]
    touched: float


class SnapshotStore:
    """The snapshots of all sessions. The session that was idle longest is the first to go."""

    def __init__(
        self, *, max_sessions: int = MAX_SESSIONS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._shelves: OrderedDict[str, _Shelf] = OrderedDict()  # the last touched at the end
        self._lock = Lock()
        self._max_sessions = max_sessions
        self._clock = clock

    def snapshots(self, token: str) -> tuple[Snapshot, ...] | None:
        """Those of a session, oldest first; None where the token is not, or no longer, known."""
        with self._lock:
            shelf = self._touch(token)
            return shelf.snapshots if shelf else None

    def pin(self, token: str, snapshot: Snapshot) -> str:
        """Keep a snapshot; returns the session's token, a new one where `token` is unknown."""
        if len(snapshot.recipe) > MAX_RECIPE:
            raise ValueError(
                _(
                    "a recipe of {length:,} characters is too long to be pinned; at most {most:,}",
                    length=len(snapshot.recipe),
                    most=MAX_RECIPE,
                )
            )
        with self._lock:
            shelf = self._touch(token)
            if shelf is None:
                token, shelf = secrets.token_urlsafe(16), _Shelf((), self._clock())
                self._shelves[token] = shelf
            if len(shelf.snapshots) >= MAX_SNAPSHOTS:
                raise ValueError(
                    _("{most} snapshots are pinned already; remove one first", most=MAX_SNAPSHOTS)
                )
            shelf.snapshots = (*shelf.snapshots, named(snapshot, snapshot.name))
            while len(self._shelves) > self._max_sessions:
                self._shelves.popitem(last=False)
            return token

    def rename(self, token: str, snapshot_id: str, name: str) -> None:
        """Another name; an empty one leaves the old."""
        with self._lock:
            if name.strip() and (shelf := self._touch(token)):
                shelf.snapshots = tuple(
                    named(s, name) if s.id == snapshot_id else s for s in shelf.snapshots
                )

    def remove(self, token: str, snapshot_id: str) -> None:
        with self._lock:
            if shelf := self._touch(token):
                shelf.snapshots = tuple(s for s in shelf.snapshots if s.id != snapshot_id)

    def _touch(self, token: str) -> _Shelf | None:
        """The session's snapshots, now the last used, after expired sessions are removed."""
        now = self._clock()
        while self._shelves and now - next(iter(self._shelves.values())).touched > MAX_AGE_S:
            self._shelves.popitem(last=False)
        shelf = self._shelves.get(token)
        if shelf:
            shelf.touched = now
            self._shelves.move_to_end(token)
        return shelf


def named(snapshot: Snapshot, name: str) -> Snapshot:
    """With a name that fits into a line."""
    name = " ".join(name.split())
    return replace(snapshot, name=name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…")
