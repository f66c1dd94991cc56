"""Executors on a folder of the test's own; sweeps of digits-mlp, 40 ms a point, are the work."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from compress_core.events import Progress
from compress_core.jobs.executor import Executor
from compress_core.jobs.job import Job
from compress_core.jobs.local import LocalExecutor
from compress_core.jobs.store import Store
from compress_core.jobs.work import Sweep

Start = Callable[..., LocalExecutor]


def sweep_of(points: int, first: float = 0.1) -> Sweep:
    """Each point of its own sparsity; another `first` is another work."""
    sparsities = [first + i / 10_000 for i in range(points)]
    return Sweep("digits-mlp", tuple(f"prune:sparsity={value:.4f}" for value in sparsities))


def is_gone(pid: int) -> bool:
    """Whether a process ended; one that nobody has asked after yet has no command line left."""
    path = Path(f"/proc/{pid}/cmdline")
    return not path.exists() or path.read_bytes() == b""


def wait_for(true: Callable[[], bool], seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def finished(executor: Executor, job_id: str) -> Job:
    """The job, once it neither waits nor runs."""
    wait_for(lambda: not executor.job(job_id).unfinished)
    return executor.job(job_id)


def wait_for_progress(store: Store, job_id: str) -> Progress:
    """The job's event, once it is past its first point."""

    def begun() -> bool:
        last = store.job(job_id).last
        return isinstance(last, Progress) and last.fraction > 0

    wait_for(begun)
    last = store.job(job_id).last
    assert isinstance(last, Progress)
    return last


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "jobs")


@pytest.fixture
def start(store: Store) -> Iterator[Start]:
    """Start an executor, as a server does; it is closed after the test."""
    started = []

    def begin(**options: object) -> LocalExecutor:
        started.append(LocalExecutor(Store(store.root), **options))  # type: ignore[arg-type]
        return started[-1]

    yield begin
    for executor in started:
        executor.close()


@pytest.fixture(scope="module")
def executor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalExecutor]:
    """One for all tests of a file that do not end its process."""
    shared = LocalExecutor(Store(tmp_path_factory.mktemp("jobs")))
    yield shared
    shared.close()
