"""Files of JSON lines that grow: written by one process, read by others while it writes.

A line counts as soon as it ends with a newline. A process that is killed may leave half a line: it
is skipped, and the next line begins on a line of its own.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from compress_core.events import Event, event_from_json

TAIL_BYTES = 1 << 14  # where the last event is looked for first; most are much shorter


def append_line(path: Path, data: Any) -> None:
    """Add a line. Raises OSError, such as for a full disk."""
    with path.open("a+b") as file:
        start = b"" if _ends_whole(file) else b"\n"
        file.write(start + json.dumps(data).encode() + b"\n")


def _ends_whole(file: IO[bytes]) -> bool:
    """Whether nothing or a whole line stands at the end."""
    if file.seek(0, os.SEEK_END) == 0:
        return True
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def read_lines(path: Path) -> list[Any]:
    """The data of all whole lines; none where there is no such file."""
    return list(_parsed(_whole_lines(path.read_bytes()))) if path.exists() else []


class EventReader:
    """All events in a file that grows, each read once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file_id, self._offset = 0, 0
        self._events: list[Event] = []

    def read(self) -> tuple[Event, ...]:
        """All events by now; none where there is no such file."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return ()
        if status.st_ino != self._file_id or status.st_size < self._offset:  # made anew
            self._file_id, self._offset, self._events = status.st_ino, 0, []
        if status.st_size > self._offset:
            self._read_on()
        return tuple(self._events)

    def _read_on(self) -> None:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            lines = _whole_lines(file.read())
        self._offset += sum(len(line) + 1 for line in lines)
        self._events += _events(lines)


def last_event(path: Path) -> Event | None:
    """The last event in a file of events, found from its end."""
    try:
        size = path.stat().st_size
        for start in (max(0, size - TAIL_BYTES), 0):
            with path.open("rb") as file:
                file.seek(start)
                found = next(_events(reversed(_whole_lines(file.read()))), None)
            if found is not None:
                return found
    except FileNotFoundError:
        pass
    return None


def _whole_lines(raw: bytes) -> list[bytes]:
    return raw.split(b"\n")[:-1]


def _events(lines: Iterable[bytes]) -> Iterator[Event]:
    for data in _parsed(lines):
        try:
            yield event_from_json(data)
        except (KeyError, TypeError, AttributeError):  # of another version
            continue


def _parsed(lines: Iterable[bytes]) -> Iterator[Any]:
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:  # half a line, or a damaged one
            continue
