"""The jobs of a folder in memory: only what changed is read again.

`changes` gets the name of a job whenever one changes. Its size tells whether any changed since the
last look, and its end which.
"""

import json
import re
from dataclasses import replace
from pathlib import Path

from compress_core.events import Event
from compress_core.jobs.job import Job, job_from_json
from compress_core.jobs.log import last_event


def is_name(text: str) -> bool:
    """Whether this can be a job's name, and that of its folder."""
    return re.fullmatch(r"[0-9a-f]{16}", text) is not None


def read_state(folder: Path) -> Job | None:
    """The job in a folder; None where there is none, or it cannot be read."""
    try:
        job = job_from_json(json.loads((folder / "state.json").read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return job if job.id == folder.name else None


class Listing:
    """What is known of the jobs in `root`; to be used by one thread at a time."""

    def __init__(self, root: Path) -> None:
        self._root, self._changes = root, root / "changes"
        self._read_to: int | None = None  # bytes of `changes`
        self._jobs: dict[str, Job] = {}  # the newest first
        self._damaged: set[str] = set()

    def tell(self, job_id: str) -> None:
        """Let all processes know that a job changed. Raises OSError for a full disk."""
        with self._changes.open("ab") as file:
            file.write(f"{job_id}\n".encode())

    def jobs(self) -> tuple[Job, ...]:
        """All jobs with their last events, the newest first."""
        self._refresh()
        return tuple(map(self._with_last, self._jobs.values()))

    def job(self, job_id: str) -> Job | None:
        self._refresh()
        return self._with_last(self._jobs[job_id]) if job_id in self._jobs else None

    def damaged(self) -> tuple[str, ...]:
        """The names of the folders whose state cannot be read."""
        self._refresh()
        return tuple(sorted(self._damaged))

    def _refresh(self) -> None:
        size = self._changes.stat().st_size if self._changes.exists() else 0
        if size == self._read_to:
            return
        known = self._read_to is not None and self._read_to < size
        for name in self._changed_since(self._read_to or 0) if known else self._all_names():
            self._take_in(name)
        self._jobs = dict(sorted(self._jobs.items(), key=lambda item: -item[1].created))
        self._read_to = size

    def _changed_since(self, start: int) -> set[str]:
        with self._changes.open("rb") as file:
            file.seek(start)
            return {name for name in file.read().decode().split() if is_name(name)}

    def _all_names(self) -> set[str]:
        """Also those that are gone by now."""
        found = self._root.iterdir() if self._root.is_dir() else ()
        return {path.name for path in found if is_name(path.name)} | {*self._jobs, *self._damaged}

    def _take_in(self, name: str) -> None:
        job = read_state(self._root / name)
        self._damaged.discard(name)
        self._jobs.pop(name, None)
        if job is not None:
            self._jobs[name] = replace(job, last=self._last(name))
        elif (self._root / name).is_dir():
            self._damaged.add(name)

    def _with_last(self, job: Job) -> Job:
        return replace(job, last=self._last(job.id)) if job.state == "running" else job

    def _last(self, job_id: str) -> Event | None:
        return last_event(self._root / job_id / "events.jsonl")
