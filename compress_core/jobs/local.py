"""Jobs on this machine: processes that are spawned when there is work, and users in turn."""

import contextlib
import logging
import threading
from collections.abc import Mapping

from compress_core.jobs.executor import Limits
from compress_core.jobs.job import Job
from compress_core.jobs.process import SERVER_STOPPED, Attendant
from compress_core.jobs.store import CANCELLED_EARLY, KEPT_JOBS, JobError, Store
from compress_core.jobs.turns import Turns
from compress_core.jobs.work import KINDS, Lane, Work, kind_of

WORKERS: Mapping[Lane, int] = {"minutes": 1, "hours": 1}
IDLE_S = 600.0  # a process that waits holds 260 MB, and after this long goes


class LocalExecutor:
    """`workers` processes for each lane; the users of a lane come round in turn.

    A server at its start takes over what an earlier one left: jobs that waited wait again, jobs
    that ran are marked failed. A command beside it leaves them alone (`take_over=False`).
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        workers: Mapping[Lane, int] = WORKERS,
        limits: Limits | None = None,
        take_over: bool = True,
    ) -> None:
        self.store = store or Store()
        self._limits = limits or Limits()
        self._owner = self.store.register()
        self._turns: dict[Lane, Turns] = {lane: Turns() for lane in workers}
        self._taken: set[str] = set()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        if take_over:
            self._take_over()
        self._threads = [
            threading.Thread(target=self._attend, args=(lane,), daemon=True)
            for lane, count in workers.items()
            for _ in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def job(self, job_id: str) -> Job:
        return self.store.job(job_id)

    def jobs(self) -> tuple[Job, ...]:
        return self.store.jobs()

    def submit(self, work: Work, user: str) -> Job:
        self.store.forget(KEPT_JOBS)
        with self.store.locked():
            job, new = self.store.find_or_create(work, user, self._owner.name)
            if not new and not self.store.is_looked_after(job):
                job = self.store.requeue(job.id, self._owner.name, (user,))
            self.store.want_again(job.id)
            self._queue(job)
        return job

    def cancel(self, job_id: str, user: str | None = None) -> Job:
        with self.store.locked():
            job = self.store.job(job_id)
            others = tuple(name for name in job.users if name != user)
            if user is not None:
                self.store.change(job_id, users=others)
                if others:
                    self._leave(job, user)
                    return self.store.job(job_id)
            job = self.store.cancel(job_id)
            if self._leave(job):
                return self.store.end(job_id, "cancelled", CANCELLED_EARLY)
            return job

    def resume(self, job_id: str) -> Job:
        with self.store.locked():
            job = self.store.job(job_id)
            if job.state in {"failed", "cancelled"}:
                job = self.store.requeue(job_id, self._owner.name)
                self._queue(job)
        return job

    def delete(self, job_id: str) -> None:
        self.store.delete(job_id)

    def close(self) -> None:
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._owner.close()

    def _take_over(self) -> None:
        for job in reversed(self.store.jobs()):  # the oldest first
            if job.unfinished and not self.store.is_alive(job.owner):
                if job.state == "running":
                    self.store.end(job.id, "failed", SERVER_STOPPED)
                else:
                    self._queue(self.store.change(job.id, owner=self._owner.name))

    def _queue(self, job: Job) -> None:
        """Let all users of a job wait for it, if it is this executor's and does not run yet."""
        if job.state != "queued" or job.owner != self._owner.name:
            return
        with self._changed:
            if job.id in self._taken:  # its process starts just now
                return
            for user in job.users or ("",):  # those who wanted it have left, and it is resumed
                self._turns[lane_of(job)].add(user, job.id)
            self._changed.notify_all()

    def _leave(self, job: Job, user: str | None = None) -> bool:
        """Take a job, or one of its users, out of the queue; whether it was there."""
        with self._changed:
            return self._turns[lane_of(job)].remove(job.id, user)

    def _take(self, lane: Lane) -> str | None:
        """The next job; None after a long time without one, and at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._turns[lane] or self._closing.is_set(), IDLE_S)
            job_id = None if self._closing.is_set() else self._turns[lane].take()
            if job_id is not None:
                self._taken.add(job_id)
            return job_id

    def _attend(self, lane: Lane) -> None:
        attendant = Attendant(self.store, self._limits, self._closing)
        while not self._closing.is_set():
            job_id = self._take(lane)
            if job_id is None:
                attendant.rest()
                continue
            with contextlib.suppress(JobError):  # somebody deleted it
                self._attend_to(job_id, attendant)
        attendant.rest()

    def _attend_to(self, job_id: str, attendant: Attendant) -> None:
        try:
            attendant.attend(job_id)
        except JobError:
            raise
        except Exception as error:  # whatever it was, the other jobs must not wait for ever
            logging.getLogger(__name__).exception("looking after job %s", job_id)
            self.store.end(job_id, "failed", f"nobody could look after it: {error}")
        finally:
            with self._changed:
                self._taken.discard(job_id)
        self._queue(self.store.job(job_id))  # if somebody resumed it in this very moment


def lane_of(job: Job) -> Lane:
    """The lane in which a job waits."""
    return KINDS[kind_of(job.work)].lane
