"""What submits work and looks after it: the same on this machine and on a cluster."""

from dataclasses import dataclass
from typing import Protocol

from compress_core.jobs.job import Job
from compress_core.jobs.store import Store
from compress_core.jobs.work import Work


@dataclass(frozen=True)
class Limits:
    """What a job may take: resident memory of its process, and time from its start."""

    memory_bytes: int = 4 << 30
    seconds: float = 12 * 3600.0

    def __post_init__(self) -> None:
        if self.memory_bytes <= 0 or self.seconds <= 0:
            raise ValueError(
                f"{self} lets no job run; memory_bytes and seconds must be greater than 0"
            )


class Executor(Protocol):
    """Submit, progress, cancel, result. What is known of jobs is read from `store`, at any time
    and by anybody: `store.events(job_id)`, `store.result(job_id)`."""

    @property
    def store(self) -> Store: ...

    def submit(self, work: Work, user: str) -> Job:
        """Have this done for `user`. Equal work is one job: a job that waits, runs or is done is
        joined, one that failed or was cancelled goes on. Raises ValueError where it cannot be
        written down."""
        ...

    def job(self, job_id: str) -> Job:
        """One job. Raises ValueError where there is none of this name."""
        ...

    def jobs(self) -> tuple[Job, ...]:
        """All jobs, the newest first; microseconds where nothing changed since the last call."""
        ...

    def cancel(self, job_id: str, user: str | None = None) -> Job:
        """End a job after the batch that it works on; with `user`, only once nobody else waits."""
        ...

    def resume(self, job_id: str) -> Job:
        """Let a job that failed or was cancelled go on from what it kept; others stay as they
        are."""
        ...

    def delete(self, job_id: str) -> None:
        """Remove a job and its files. Raises ValueError for one that waits or runs."""
        ...

    def close(self) -> None:
        """End the workers. Jobs that run are marked failed and can be resumed."""
        ...
