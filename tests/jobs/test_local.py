"""Real work in spawned processes: results, turns, cancelling, and every way to die."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from compress_core.data import Dataset
from compress_core.events import Progress
from compress_core.jobs.executor import Limits
from compress_core.jobs.local import LocalExecutor
from compress_core.jobs.store import Store
from compress_core.jobs.work import Sweep, Timing
from compress_core.jobs.worker import NICENESS
from tests.jobs.conftest import Start, finished, is_gone, sweep_of, wait_for, wait_for_progress

ROOT = Path(__file__).parents[2]
LONG = 2000  # points: more than any test waits for


def test_a_job_is_done_and_has_its_result(executor: LocalExecutor, digits: Dataset) -> None:
    work = Sweep("digits-mlp", ("quantize:bits=3",))
    job = finished(executor, executor.submit(work, "ann").id)
    assert (job.state, job.last) == ("done", Progress(1.0, "done"))
    (row,) = executor.store.result(job.id)
    assert row["n"] == len(digits)


def test_equal_work_is_done_once(executor: LocalExecutor) -> None:
    first = finished(executor, executor.submit(sweep_of(2), "ann").id)
    again = executor.submit(sweep_of(2), "bob")
    assert (again.id, again.state, again.ended) == (first.id, "done", first.ended)
    assert again.users == ("ann", "bob")


def test_a_damaged_result_is_made_anew(executor: LocalExecutor) -> None:
    job = finished(executor, executor.submit(sweep_of(3), "ann").id)
    (executor.store.folder(job.id) / "result.json").write_text("{")
    again = finished(executor, executor.submit(sweep_of(3), "ann").id)
    assert (again.runs, len(executor.store.result(job.id))) == (2, 3)


def test_work_that_is_refused_fails_in_words(executor: LocalExecutor) -> None:
    work = Timing("digits-mlp", "prune:sparsity=0.5,layers=nothing")
    job = finished(executor, executor.submit(work, "ann").id)
    assert job.state == "failed"
    assert "nothing" in job.reason


def test_three_users_come_in_turn(executor: LocalExecutor) -> None:
    running = executor.submit(sweep_of(15, first=0.2), "zoe")
    sent = [
        executor.submit(sweep_of(1, first=0.3 + i / 100), user).id
        for i, user in enumerate(("ann", "ann", "ann", "bob", "eve"))
    ]
    finished(executor, running.id)
    wait_for(lambda: not any(job.unfinished for job in executor.jobs()))
    begun = sorted(sent, key=lambda job_id: executor.job(job_id).started or 0)
    assert [sent.index(job_id) for job_id in begun] == [0, 3, 4, 1, 2]


def test_a_running_job_is_cancelled_within_a_second(executor: LocalExecutor) -> None:
    job = executor.submit(sweep_of(LONG, first=0.4), "ann")
    wait_for_progress(executor.store, job.id)
    start = time.monotonic()
    executor.cancel(job.id)
    assert finished(executor, job.id).state == "cancelled"
    assert time.monotonic() - start < 1


def test_what_was_cancelled_and_is_wanted_again_is_done(executor: LocalExecutor) -> None:
    """Who moves a slider there and back wants what the worker is about to drop."""
    job = executor.submit(sweep_of(100, first=0.45), "ann")
    wait_for_progress(executor.store, job.id)
    for _ in range(3):
        executor.cancel(job.id, "ann")
        executor.submit(sweep_of(100, first=0.45), "ann")
    assert finished(executor, job.id).state == "done"
    assert len(executor.store.result(job.id)) == 100


def test_a_waiting_job_is_cancelled_at_once(executor: LocalExecutor) -> None:
    running = executor.submit(sweep_of(LONG, first=0.5), "ann")
    waiting = executor.submit(sweep_of(LONG, first=0.6), "ann")
    assert executor.cancel(waiting.id).state == "cancelled"
    executor.cancel(running.id)
    assert finished(executor, running.id).state == "cancelled"
    assert executor.job(waiting.id).started is None


def test_a_job_steps_back_behind_the_app(executor: LocalExecutor) -> None:
    job = executor.submit(sweep_of(LONG, first=0.8), "ann")
    wait_for_progress(executor.store, job.id)
    pid = executor.job(job.id).pid or 0
    group = Path(f"/proc/{pid}/autogroup")
    assert os.getpriority(os.PRIO_PROCESS, pid) >= NICENESS
    if group.exists():  # the nicenesses of processes count within a session only
        assert group.read_text().split()[-1] == str(NICENESS)
    executor.cancel(job.id)
    finished(executor, job.id)


def test_a_job_of_two_users_ends_when_both_have_cancelled(executor: LocalExecutor) -> None:
    job = executor.submit(sweep_of(LONG, first=0.7), "ann")
    executor.submit(sweep_of(LONG, first=0.7), "bob")
    assert executor.cancel(job.id, "ann").users == ("bob",)
    wait_for_progress(executor.store, job.id)
    executor.cancel(job.id, "bob")
    assert finished(executor, job.id).state == "cancelled"


def test_who_stopped_a_job_does_not_wait_for_it_when_others_ask_again(
    executor: LocalExecutor,
) -> None:
    running = executor.submit(sweep_of(LONG, first=0.33), "zoe")
    work = sweep_of(3, first=0.34)
    job = executor.submit(work, "yesterday")
    executor.cancel(job.id, "yesterday")
    assert executor.submit(work, "today").users == ("today",)
    assert executor.cancel(job.id, "today").state == "cancelled"
    executor.cancel(running.id)
    finished(executor, running.id)


def test_a_killed_worker_fails_the_job_and_resume_goes_on(start: Start) -> None:
    executor = start()
    job = executor.submit(sweep_of(30), "ann")
    seen = wait_for_progress(executor.store, job.id)
    os.kill(executor.job(job.id).pid or 0, signal.SIGKILL)
    failed = finished(executor, job.id)
    assert failed.state == "failed"
    assert "signal 9 (SIGKILL)" in failed.reason
    assert isinstance(failed.last, Progress)
    assert failed.last.fraction >= seen.fraction
    executor.resume(job.id)
    done = finished(executor, job.id)
    assert (done.state, done.runs) == ("done", 2)
    assert len(executor.store.result(job.id)) == 30
    resumed = [e.fraction for e in executor.store.events(job.id) if isinstance(e, Progress)]
    assert 0 not in resumed[1:]  # no point was measured twice


def test_who_joins_while_the_worker_starts_does_not_start_the_job_again(start: Start) -> None:
    executor = start()
    job = executor.submit(sweep_of(2), "ann")
    time.sleep(0.2)  # it is taken now, and queued until its process is there
    assert executor.submit(sweep_of(2), "bob").users == ("ann", "bob")
    finished(executor, job.id)
    finished(executor, executor.submit(sweep_of(1), "eve").id)
    assert executor.store.events(job.id).count(Progress(1.0, "done")) == 1


def test_too_much_memory_fails_the_job(start: Start) -> None:
    executor = start(limits=Limits(memory_bytes=50_000_000))
    job = finished(executor, executor.submit(sweep_of(LONG), "ann").id)
    assert job.state == "failed"
    assert "more than the 50 MB that a job may take" in job.reason


def test_too_long_a_job_fails(start: Start) -> None:
    executor = start(limits=Limits(seconds=0.5))
    job = finished(executor, executor.submit(sweep_of(LONG), "ann").id)
    assert job.state == "failed"
    assert "longer than the 0.5 s" in job.reason


def test_work_that_does_not_heed_cancelling_is_ended(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compress_core.jobs.process.GRACE_S", 0.0)
    executor = start()
    job = executor.submit(sweep_of(LONG), "ann")
    wait_for_progress(executor.store, job.id)
    os.kill(executor.job(job.id).pid or 0, signal.SIGSTOP)
    executor.cancel(job.id)
    ended = finished(executor, job.id)
    assert ended.state == "cancelled"
    assert "did not end by itself" in ended.reason


@pytest.mark.parametrize("python", ["/bin/false", "/no/such/python"])
def test_a_worker_that_does_not_start_fails_the_job(
    start: Start, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    executor = start()
    job = finished(executor, executor.submit(sweep_of(1), "ann").id)
    assert job.state == "failed"
    assert python in job.reason


SERVER = """
import sys, time
from pathlib import Path
from compress_core.jobs.local import LocalExecutor
from compress_core.jobs.store import Store
from tests.jobs.conftest import sweep_of

executor = LocalExecutor(Store(Path(sys.argv[1])))
for points in (30, 1):
    executor.submit(sweep_of(points), "ann")
time.sleep(600)
"""


def test_a_killed_server_leaves_no_process_and_its_jobs_can_go_on(
    store: Store, start: Start
) -> None:
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(store.root)], cwd=ROOT)
    wait_for(lambda: len(store.jobs()) == 2)
    waiting, running = store.jobs()
    wait_for_progress(store, running.id)
    pid = store.job(running.id).pid
    server.kill()
    server.wait()
    wait_for(lambda: is_gone(pid or 0))
    executor = start()
    failed = executor.job(running.id)
    assert (failed.state, failed.last is None) == ("failed", False)
    assert "the server was stopped" in failed.reason
    assert finished(executor, waiting.id).state == "done"
    executor.resume(running.id)
    assert finished(executor, running.id).state == "done"
    assert len(executor.store.result(running.id)) == 30


def test_a_second_executor_leaves_the_jobs_of_a_living_one_alone(executor: LocalExecutor) -> None:
    second = LocalExecutor(Store(executor.store.root))
    job = executor.submit(sweep_of(LONG, first=0.8), "ann")
    joined = second.submit(sweep_of(LONG, first=0.8), "bob")
    assert (joined.owner, joined.users) == (job.owner, ("ann", "bob"))
    second.cancel(job.id)
    assert finished(executor, job.id).state == "cancelled"
    second.close()


def test_a_server_that_closes_marks_its_running_job(start: Start, store: Store) -> None:
    executor = start()
    job = executor.submit(sweep_of(LONG), "ann")
    wait_for_progress(store, job.id)
    executor.close()
    assert store.job(job.id).state == "failed"
    assert "the server was stopped" in store.job(job.id).reason
