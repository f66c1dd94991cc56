"""Jobs on disk: a folder for each, which outlives page, browser and server.

FOLDER/changes         the name of a job for every change of one: its size tells whether any
                       changed, its end which
FOLDER/lock            held while a job is changed
FOLDER/owners/NAME     locked as long as the executor of this name lives
FOLDER/ID/state.json   the job, written completely or not at all
FOLDER/ID/events.jsonl what the work told of itself
FOLDER/ID/result.json  what came out
FOLDER/ID/kept/        what the work keeps to go on from, and its bigger results
FOLDER/ID/log.txt      what its process printed: the traceback of a failure
FOLDER/ID/cancel       is there when the work shall end
"""

import contextlib
import json
import logging
import os
import shutil
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any

from compress_core.data.finding import user_cache
from compress_core.events import Event
from compress_core.jobs.job import Job, State, job_to_json
from compress_core.jobs.listing import Listing, is_name, read_state
from compress_core.jobs.locks import FileLock, Owner, is_locked
from compress_core.jobs.log import EventReader
from compress_core.jobs.work import Work, work_key
from compress_core.writing import write_file

KEPT_JOBS = 2000  # of each kind, done ones and others apart, with what came out
READERS = 32  # jobs whose events stay in memory
CANCELLED_EARLY = "it was cancelled before it began"
CANCELLED_LATE = "it was cancelled after its server had stopped; what it kept is there"


class JobError(ValueError):
    """There is no such job, its folder is damaged, or what is asked cannot be done to it."""


def jobs_folder() -> Path:
    """$COMPRESS_JOBS_DIR, or a folder of the user's cache."""
    chosen = os.environ.get("COMPRESS_JOBS_DIR")
    return Path(chosen) if chosen else user_cache() / "jobs"


class Store:
    """The jobs in a folder; several processes may have a Store of the same folder."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or jobs_folder()
        self._memory = RLock()
        self._lock = FileLock(self.root / "lock")
        self._listing = Listing(self.root)
        self._readers: dict[str, EventReader] = {}
        self._unwritten: dict[str, Job] = {}  # newer than on the disk, which was full

    def folder(self, job_id: str) -> Path:
        """A job's folder. Raises JobError for what cannot be a job's name."""
        if not is_name(job_id):
            raise JobError(f"{job_id!r} is no job; its name has 16 hexadecimal digits")
        return self.root / job_id

    def kept(self, job_id: str) -> Path:
        """The folder of what a job keeps: checkpoints, and results too big for JSON."""
        return self.folder(job_id) / "kept"

    def jobs(self) -> tuple[Job, ...]:
        """All jobs, the newest first; microseconds where nothing changed since the last call."""
        with self._memory:
            found = self._listing.jobs()
            return tuple(self._unwritten.get(job.id, job) for job in found)

    def damaged(self) -> tuple[str, ...]:
        """The jobs whose state cannot be read; they can be deleted, or submitted anew."""
        with self._memory:
            return self._listing.damaged()

    def job(self, job_id: str) -> Job:
        """One job. Raises JobError where there is none of this name, or its folder is damaged."""
        folder = self.folder(job_id)
        with self._memory:
            job = self._unwritten.get(job_id) or self._listing.job(job_id)
        if job is not None:
            return job
        if folder.is_dir():
            raise JobError(f"{folder} is damaged, its state cannot be read; delete the job")
        raise JobError(f"there is no job {job_id}; `python -m compress_core jobs` lists them")

    def events(self, job_id: str) -> tuple[Event, ...]:
        """All that a job has told so far; what was read before is not read again."""
        path = self.folder(job_id) / "events.jsonl"
        with self._memory:
            reader = self._readers.pop(job_id, None) or EventReader(path)
            self._readers[job_id] = reader  # the last one looked at stays longest
            if len(self._readers) > READERS:
                del self._readers[next(iter(self._readers))]
            return reader.read()

    def result(self, job_id: str) -> Any:
        """What came out of a job. Raises JobError for one that is not done."""
        job = self.job(job_id)
        if job.state != "done":
            raise JobError(f"job {job_id} is {job.state}; only a job that is done has a result")
        try:
            return json.loads((self.folder(job_id) / "result.json").read_bytes())
        except (OSError, ValueError) as error:
            raise JobError(f"the result of job {job_id} is damaged; delete the job") from error

    def find_or_create(self, work: Work, user: str, owner: str) -> tuple[Job, bool]:
        """The job of a work, with `user` among its users, and whether it is new.

        A damaged folder is made anew. Raises JobError where it cannot be written.
        """
        job_id = work_key(work)
        with self.locked():
            job = self._read(job_id)
            if job is None:
                shutil.rmtree(self.folder(job_id), ignore_errors=True)
                return self._create(Job(job_id, work, (user,), time.time(), owner=owner)), True
            users = (*job.users, *({user} - {*job.users}))
            return self.change(job_id, users=users), False

    def change(self, job_id: str, **fields: Any) -> Job:
        """Change some fields of a job. If the disk is full, this process alone knows of it."""
        with self.locked():
            before = self._read(job_id)
            if before is None:
                raise JobError(f"job {job_id} is gone: somebody deleted it")
            job = replace(before, **fields)
            if job != before:
                self._write(job)
            return job

    def end(self, job_id: str, state: State, reason: str = "") -> Job:
        """A job is done, failed or cancelled."""
        return self.change(job_id, state=state, reason=reason, ended=time.time(), pid=None)

    def requeue(self, job_id: str, owner: str, users: tuple[str, ...] | None = None) -> Job:
        """Let a job wait once more, with all that it kept; for these `users` alone, if given."""
        with self.locked():
            self.want_again(job_id)
            job = self.job(job_id)
            runs, users = job.runs + 1, job.users if users is None else users
            fresh = {"reason": "", "started": None, "ended": None, "pid": None}
            return self.change(job_id, state="queued", owner=owner, users=users, runs=runs, **fresh)

    def cancel(self, job_id: str) -> Job:
        """Ask a job to end; one that no executor looks after any more is cancelled at once."""
        with self.locked():
            job = self.job(job_id)
            if not job.unfinished:
                return job
            (self.folder(job_id) / "cancel").touch()
            if self.is_alive(job.owner):
                return job
            return self.end(
                job_id, "cancelled", CANCELLED_EARLY if job.state == "queued" else CANCELLED_LATE
            )

    def cancel_asked(self, job_id: str) -> bool:
        return (self.folder(job_id) / "cancel").exists()

    def want_again(self, job_id: str) -> None:
        """Take back that a job shall end; one that ends for it all the same waits once more."""
        (self.folder(job_id) / "cancel").unlink(missing_ok=True)

    def delete(self, job_id: str) -> None:
        """Remove a job, damaged or not. Raises JobError for one that waits or runs; on a cluster it
        may be cancelled first and then removed, should there be no cluster any more."""
        folder = self.folder(job_id)
        with self.locked():
            job = self._read(job_id)
            if job is not None and self._is_in_hands(job):
                raise JobError(f"job {job_id} is {job.state}; cancel it first")
            if not folder.is_dir():
                raise JobError(f"there is no job {job_id} to delete")
            self._unwritten.pop(job_id, None)
            shutil.rmtree(folder)
            self._listing.tell(job_id)

    def forget(self, keep: int) -> None:
        """Delete the oldest jobs that neither wait nor run: all but `keep` of each kind, those that
        are done and the others counted apart."""
        seen: Counter[tuple[type[Work], bool]] = Counter()
        for job in self.jobs():
            if not job.unfinished:
                sort = type(job.work), job.state == "done"
                seen[sort] += 1
                if seen[sort] > keep:
                    with contextlib.suppress(JobError):  # somebody else deleted or resumed it
                        self.delete(job.id)

    def register(self) -> Owner:
        """A name for an executor, which is alive until its process ends or closes it."""
        return Owner(self.root / "owners")

    def is_alive(self, owner: str) -> bool:
        """Whether an executor still looks after its jobs. The address of a cluster's scheduler
        counts as alive: only its own executor can ask it."""
        return _is_cluster(owner) or is_locked(self.root / "owners" / Path(owner).name)

    def is_looked_after(self, job: Job) -> bool:
        """Whether the job will be done, or is, with a result that can be read."""
        if job.unfinished:
            return self.is_alive(job.owner)
        try:
            self.result(job.id)
        except JobError:
            return False
        return True

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Nobody else changes a job meanwhile, in no process. May be nested."""
        return self._lock.held()

    def _is_in_hands(self, job: Job) -> bool:
        """Whether an executor would be surprised if the job went."""
        gone = _is_cluster(job.owner) and self.cancel_asked(job.id)
        return job.unfinished and self.is_alive(job.owner) and not gone

    def _create(self, job: Job) -> Job:
        folder = self.folder(job.id)
        try:
            self.kept(job.id).mkdir(parents=True)
            write_file(folder / "state.json", _text(job))
            self._listing.tell(job.id)
        except (OSError, ValueError) as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise JobError(f"no job fits into {self.root} ({error}); delete old ones") from error
        return job

    def _write(self, job: Job) -> None:
        try:
            write_file(self.folder(job.id) / "state.json", _text(job))
            self._unwritten.pop(job.id, None)
            self._listing.tell(job.id)
        except (OSError, ValueError):
            logging.getLogger(__name__).exception("job %s is %s: not written", job.id, job.state)
            self._unwritten[job.id] = job

    def _read(self, job_id: str) -> Job | None:
        return self._unwritten.get(job_id) or read_state(self.folder(job_id))


def _is_cluster(owner: str) -> bool:
    return "://" in owner


def _text(job: Job) -> bytes:
    return json.dumps(job_to_json(job), indent=2).encode()
