"""Looking after the process that does jobs: limits, cancelling, and what is said when it dies.

Memory is watched from outside, as resident bytes. The system's own limit (RLIMIT_AS) counts address
space instead, of which torch, onnxruntime and CUDA reserve many times what they use. A process that
takes gigabytes between two looks is not caught by this; the system then ends it before the server.
"""

import contextlib
import json
import os
import select
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress_core.jobs.executor import Limits
from compress_core.jobs.job import Job, Outcome
from compress_core.jobs.store import CANCELLED_EARLY, Store
from compress_core.processes import signal_in_words, start_module

LOOK_S = 0.1  # between two looks at memory, time and cancelling
GRACE_S = 5.0  # for a cancelled work to keep its best and end
START_S = 120.0  # importing torch takes 2 s, on a busy machine ten times that
SERVER_STOPPED = "the server was stopped while it ran; resume goes on from what was kept"


class WorkerProcess:
    """A spawned Python that does one job after another (`worker`).

    It stays between jobs: its start takes 2 s, and an exact accuracy less. Raises RuntimeError
    where it does not start.
    """

    def __init__(self) -> None:
        self._process = start_module("compress_core.jobs.worker")
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._folders, self._answers = self._process.stdin, self._process.stdout
        if not self._answers_within(START_S) or not self._answer():
            self.close()
            raise RuntimeError(
                "the worker process did not start; the server's log says why, and "
                f"`{sys.executable} -m compress_core.jobs.worker` shows it"
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def memory_bytes(self) -> int:
        """Resident bytes; 0 on a system without /proc, where the limit of memory does not act."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def do(self, folder: Path, limits: Limits, closing: threading.Event) -> Outcome:
        """Have the job in this folder done. After an outcome that ended the process, `alive` is
        False."""
        try:
            self._folders.write(f"{folder}\n".encode())
            self._folders.flush()
        except BrokenPipeError:
            return self._death()
        watch = _Watch(self, folder, limits, closing)
        while not self._answers_within(LOOK_S):
            outcome = watch.look()
            if outcome is not None:
                self.close()
                return outcome
        answer = self._answer()
        return Outcome(**answer) if answer else self._death()

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._answers.close()
        with contextlib.suppress(BrokenPipeError):  # what it did not read any more
            self._folders.close()

    def _answers_within(self, seconds: float) -> bool:
        """Whether there is an answer by then, or the process is gone."""
        return bool(select.select([self._answers], [], [], seconds)[0])

    def _answer(self) -> dict[str, Any]:
        """The next answer; {} where the process is gone."""
        line = self._answers.readline()
        return dict(json.loads(line)) if line.endswith(b"\n") else {}

    def _death(self) -> Outcome:
        code = self._process.wait()
        self.close()
        if code >= 0:
            return Outcome("failed", f"its process ended by itself, with code {code}")
        return Outcome("failed", f"its process was ended by {signal_in_words(-code)}")


@dataclass
class _Watch:
    """What is looked at while a job runs."""

    worker: WorkerProcess
    folder: Path
    limits: Limits
    closing: threading.Event

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.cancelled: float | None = None

    def look(self) -> Outcome | None:
        """Why the process must end now, if it must."""
        if self.closing.is_set():
            return Outcome("failed", SERVER_STOPPED)
        return self._too_big() or self._too_long() or self._does_not_stop()

    def _too_big(self) -> Outcome | None:
        taken, allowed = self.worker.memory_bytes, self.limits.memory_bytes
        if taken <= allowed:
            return None
        text = f"it took {taken / 1e6:,.0f} MB of memory, more than the {allowed / 1e6:,.0f} MB"
        return Outcome("failed", f"{text} that a job may take; give it less to do at once")

    def _too_long(self) -> Outcome | None:
        allowed = self.limits.seconds
        if time.monotonic() - self.began <= allowed:
            return None
        text = f"it ran longer than the {allowed:,.4g} s that a job may take"
        return Outcome("failed", f"{text}; resume goes on from what was kept")

    def _does_not_stop(self) -> Outcome | None:
        if not (self.folder / "cancel").exists():
            self.cancelled = None  # or somebody wants it again
        elif self.cancelled is None:
            self.cancelled = time.monotonic()
        if self.cancelled is None or time.monotonic() - self.cancelled <= GRACE_S:
            return None
        text = f"it was cancelled, did not end by itself within {GRACE_S:g} s, and was ended"
        return Outcome("cancelled", text)


class Attendant:
    """Does jobs of a store one after another, and writes what becomes of them."""

    def __init__(self, store: Store, limits: Limits, closing: threading.Event) -> None:
        self._store, self._limits, self._closing = store, limits, closing
        self._worker: WorkerProcess | None = None

    def attend(self, job_id: str) -> Job:
        """Do a job that waits, unless it was cancelled meanwhile. It waits again where it was
        cancelled and then wanted once more."""
        with self._store.locked():
            if self._store.cancel_asked(job_id):
                return self._store.end(job_id, "cancelled", CANCELLED_EARLY)
        try:
            worker = self._ready_worker()
        except (RuntimeError, OSError) as error:
            return self._store.end(job_id, "failed", str(error))
        job = self._store.change(job_id, state="running", started=time.time(), pid=worker.pid)
        outcome = worker.do(self._store.folder(job_id), self._limits, self._closing)
        if worker.memory_bytes > self._limits.memory_bytes / 2:
            self.rest()  # the next job must not begin near the limit
        with self._store.locked():
            if outcome.state == "cancelled" and not self._store.cancel_asked(job_id):
                return self._store.requeue(job_id, job.owner)  # somebody wants it again by now
            return self._store.end(job_id, outcome.state, outcome.reason)

    def rest(self) -> None:
        """End the process; the next job starts another."""
        if self._worker is not None and self._worker.alive:
            self._worker.close()
        self._worker = None

    def _ready_worker(self) -> WorkerProcess:
        if self._worker is None or not self._worker.alive:
            self._worker = WorkerProcess()
        return self._worker
