"""The same jobs on a cluster: Dask `distributed` chooses the machine (requirements-cluster.txt).

    dask scheduler
    dask worker tcp://SCHEDULER:8786 --nthreads 1     on each machine, once for each job at a time

All machines, and whoever submits, see the folder of the jobs under the same path: on a shared disk.
A Dask worker does no job itself: it looks after a process that does (`process`), as the server does
on one machine, so limits, cancelling and reasons are the same. If the Dask worker dies, its process
ends, too, and another Dask worker goes on from what was kept.
"""

from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from compress_core.jobs.executor import Limits
from compress_core.jobs.job import Job
from compress_core.jobs.process import Attendant
from compress_core.jobs.store import CANCELLED_EARLY, KEPT_JOBS, JobError, Store
from compress_core.jobs.work import Work


def do_job(root: str, job_id: str, limits: Limits) -> None:
    """What a Dask worker runs: one job, unless it is finished already. Called once more after the
    death of a worker."""
    store = Store(Path(root))
    if not store.job(job_id).unfinished:
        return
    attendant = Attendant(store, limits, Event())
    try:
        while attendant.attend(job_id).unfinished:
            pass
    finally:
        attendant.rest()


class DaskExecutor:
    """Jobs in the hands of the scheduler at `address`, such as tcp://10.0.0.1:8786.

    They go on when the executor closes. A new one at the same address joins those that wait or run.
    Raises ValueError where distributed is not installed, OSError where no scheduler answers.
    """

    def __init__(
        self, address: str, store: Store | None = None, *, limits: Limits | None = None
    ) -> None:
        try:
            from distributed import Client, fire_and_forget
        except ImportError as error:
            raise ValueError(
                f"{address}: a cluster needs distributed, which is not installed; "
                "`pip install -r requirements-cluster.txt`"
            ) from error
        self.store = store or Store()
        self._limits = limits or Limits()
        self._address = address
        self._client = Client(address, set_as_default=False)
        self._let_go = fire_and_forget
        for job in reversed(self.store.jobs()):
            if job.unfinished and job.owner == address:
                self._send(job)

    def job(self, job_id: str) -> Job:
        return self.store.job(job_id)

    def jobs(self) -> tuple[Job, ...]:
        return self.store.jobs()

    def submit(self, work: Work, user: str) -> Job:
        self.store.forget(KEPT_JOBS)
        with self.store.locked():
            job, new = self.store.find_or_create(work, user, self._address)
            if not new and not self.store.is_looked_after(job):
                job, new = self.store.requeue(job.id, self._address, (user,)), True
            self.store.want_again(job.id)
        return self._send(job) if new else job

    def cancel(self, job_id: str, user: str | None = None) -> Job:
        with self.store.locked():
            job = self.store.job(job_id)
            others = tuple(name for name in job.users if name != user)
            if user is not None:
                job = self.store.change(job_id, users=others)
                if others:
                    return job
            job = self.store.cancel(job_id)
            if job.state == "queued":  # `do_job` passes it over
                return self.store.end(job_id, "cancelled", CANCELLED_EARLY)
            return job

    def resume(self, job_id: str) -> Job:
        job = self.store.job(job_id)
        if job.state in {"failed", "cancelled"}:
            return self._send(self.store.requeue(job_id, self._address))
        return job

    def delete(self, job_id: str) -> None:
        self.store.delete(job_id)

    def close(self) -> None:
        self._client.close()

    def _send(self, job: Job) -> Job:
        """Give a job to the scheduler. The same run of it, sent twice, is one task there."""
        future = self._client.submit(
            do_job,
            str(self.store.root.resolve()),
            job.id,
            self._limits,
            key=f"compress-{job.id}-{job.runs}",
            priority=-self._waiting_before(job),
            pure=False,
        )
        future.add_done_callback(partial(self._note_failure, job.id))
        self._let_go(future)
        return job

    def _waiting_before(self, job: Job) -> int:
        """How many jobs of its first user come before it: all users' first jobs come first."""
        return sum(
            other.unfinished and other.users[:1] == job.users[:1]
            for other in self.store.jobs()
            if other.created < job.created
        )

    def _note_failure(self, job_id: str, future: Any) -> None:
        """A job whose Dask workers all died, or whose task was lost, can be resumed."""
        if future.status != "error":
            return
        try:
            with self.store.locked():
                if self.store.job(job_id).unfinished:
                    reason = f"the cluster gave it up: {future.exception()}"
                    self.store.end(job_id, "failed", reason)
        except JobError:  # deleted meanwhile
            return
