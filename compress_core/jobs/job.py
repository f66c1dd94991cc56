"""A job: a work, who wants it, and how far it is."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from compress_core.events import Event, event_to_json
from compress_core.jobs.work import Work, work_from_json, work_to_json

State = Literal["queued", "running", "done", "failed", "cancelled"]
UNFINISHED: tuple[State, ...] = ("queued", "running")
STATES: tuple[State, ...] = (*UNFINISHED, "done", "failed", "cancelled")


@dataclass(frozen=True)
class Job:
    """One job as its folder tells; `id` is the work's key and the folder's name.

    Times are seconds since 1970: `created`, and of the last of its `runs`, `started` and `ended`.
    `reason` says in words why it failed or was cancelled. `owner` is the executor that looks after
    it, `pid` the process that does it. `last` is its last event.
    """

    id: str
    work: Work
    users: tuple[str, ...]
    created: float
    state: State = "queued"
    runs: int = 1
    started: float | None = None
    ended: float | None = None
    reason: str = ""
    owner: str = ""
    pid: int | None = None
    last: Event | None = None

    @property
    def unfinished(self) -> bool:
        """Whether it waits or runs."""
        return self.state in UNFINISHED


@dataclass(frozen=True)
class Outcome:
    """How a run of a job ended, and why in words."""

    state: State
    reason: str = ""


def job_to_json(job: Job) -> dict[str, Any]:
    """A job as JSON-ready data: `python -m compress_core jobs --json`."""
    last = event_to_json(job.last) if job.last else None
    return {**asdict(job), "work": work_to_json(job.work), "last": last}


def job_from_json(data: dict[str, Any]) -> Job:
    """The job in such data, without its last event. Raises KeyError, TypeError or ValueError for
    anything else."""
    parts = {"work": work_from_json(data["work"]), "users": tuple(data["users"]), "last": None}
    job = Job(**{**data, **parts})
    if job.state not in STATES:
        raise ValueError(f"{job.state!r} is none of {', '.join(STATES)}")
    return job
