"""Executors whose jobs are done in this process: when a test says so, or at once."""

from dataclasses import replace
from pathlib import Path

from compress_core.events import Event, event_to_json
from compress_core.jobs.job import Job
from compress_core.jobs.log import append_line
from compress_core.jobs.store import Store
from compress_core.jobs.work import Sweep, Work, do
from compress_core.jobs.worker import FileWatcher, run_job


class Bench:
    def __init__(self, root: Path) -> None:
        self.store = Store(root)
        self._owner = self.store.register()

    def job(self, job_id: str) -> Job:
        return self.store.job(job_id)

    def jobs(self) -> tuple[Job, ...]:
        return self.store.jobs()

    def submit(self, work: Work, user: str) -> Job:
        job, new = self.store.find_or_create(work, user, self._owner.name)
        if not new and not self.store.is_looked_after(job):
            job = self.store.requeue(job.id, self._owner.name)
        return job

    def cancel(self, job_id: str, user: str | None = None) -> Job:
        others = tuple(name for name in self.job(job_id).users if name != user)
        if user is not None and others:
            return self.store.change(job_id, users=others)
        return self.store.end(job_id, "cancelled", "it was cancelled")

    def resume(self, job_id: str) -> Job:
        return self.store.requeue(job_id, self._owner.name)

    def delete(self, job_id: str) -> None:
        self.store.delete(job_id)

    def close(self) -> None:
        self._owner.close()

    def work_off(self) -> None:
        """Do what waits, as a worker does it."""
        for job in self.jobs():
            if job.state == "queued":
                outcome = run_job(self.store.folder(job.id))
                self.store.end(job.id, outcome.state, outcome.reason)

    def run(self, *events: Event) -> None:
        """Let the latest job run, and tell of itself."""
        job = self.store.change(self.jobs()[0].id, state="running")
        for event in events:
            append_line(self.store.folder(job.id) / "events.jsonl", event_to_json(event))

    def run_sweeps(self, *, points: int) -> None:
        """Let all sweeps run, and measure their first points."""
        for job in self.jobs():
            if isinstance(job.work, Sweep):
                part = replace(job.work, recipes=job.work.recipes[:points])
                do(part, FileWatcher(self.store.folder(job.id)))
                self.store.change(job.id, state="running")


class AtOnce(Bench):
    """Does each job when it is submitted."""

    def submit(self, work: Work, user: str) -> Job:
        job = super().submit(work, user)
        self.work_off()
        return self.job(job.id)
