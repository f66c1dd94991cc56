"""Jobs on disk: what is listed, what is damaged, what a full disk does."""

import time
from pathlib import Path

import pytest

from compress_core.jobs.store import JobError, Store
from compress_core.jobs.work import Timing
from compress_core.jobs.worker import run_job
from tests.jobs.conftest import sweep_of


def test_the_newest_job_is_listed_first(store: Store) -> None:
    jobs = [store.find_or_create(sweep_of(i), "ann", "")[0] for i in (1, 2, 3)]
    assert store.jobs() == tuple(reversed(jobs))


def test_a_second_store_sees_what_the_first_changes(store: Store) -> None:
    other = Store(store.root)
    assert other.jobs() == ()
    job, new = store.find_or_create(sweep_of(1), "ann", "")
    assert new
    assert other.jobs() == (job,)
    store.change(job.id, state="running")
    assert other.job(job.id).state == "running"
    store.end(job.id, "failed", "no reason")
    store.delete(job.id)
    assert other.jobs() == ()


def test_two_users_of_the_same_work_have_one_job(store: Store) -> None:
    first, _ = store.find_or_create(sweep_of(1), "ann", "")
    second, new = store.find_or_create(sweep_of(1), "bob", "")
    assert (second.id, second.users, new) == (first.id, ("ann", "bob"), False)


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', '{"id": 3}', "{}"])
def test_a_damaged_job_is_named_and_made_anew(store: Store, text: str) -> None:
    good, _ = store.find_or_create(sweep_of(1), "ann", "")
    bad, _ = store.find_or_create(sweep_of(2), "ann", "")
    (store.folder(bad.id) / "state.json").write_text(text)
    fresh = Store(store.root)
    assert (fresh.jobs(), fresh.damaged()) == ((good,), (bad.id,))
    with pytest.raises(JobError, match="damaged"):
        fresh.job(bad.id)
    assert fresh.find_or_create(sweep_of(2), "ann", "")[1]
    assert fresh.damaged() == ()


def test_a_damaged_job_can_be_deleted(store: Store) -> None:
    job, _ = store.find_or_create(sweep_of(1), "ann", "")
    (store.folder(job.id) / "state.json").unlink()
    store.delete(job.id)
    assert not store.folder(job.id).exists()


@pytest.mark.parametrize("name", ["..", "../../etc", "owners", "", "0123456789ABCDEF"])
def test_only_a_jobs_name_leads_to_a_folder(store: Store, name: str) -> None:
    with pytest.raises(JobError, match="is no job"):
        store.delete(name)


def test_a_job_that_somebody_looks_after_is_not_deleted(store: Store) -> None:
    owner = store.register()
    job, _ = store.find_or_create(sweep_of(1), "ann", owner.name)
    with pytest.raises(JobError, match="cancel it first"):
        store.delete(job.id)
    owner.close()
    store.delete(job.id)


def test_a_job_of_a_cluster_that_is_gone_is_cancelled_and_deleted(store: Store) -> None:
    job, _ = store.find_or_create(sweep_of(1), "ann", "tcp://10.0.0.1:8786")
    with pytest.raises(JobError, match="cancel it first"):
        store.delete(job.id)
    store.cancel(job.id)
    store.delete(job.id)
    assert store.jobs() == ()


def test_only_a_job_that_is_done_has_a_result(store: Store) -> None:
    job, _ = store.find_or_create(sweep_of(1), "ann", "")
    with pytest.raises(JobError, match="is queued"):
        store.result(job.id)


def test_the_oldest_finished_jobs_are_forgotten(store: Store) -> None:
    jobs = [store.find_or_create(sweep_of(i), "ann", "")[0] for i in (1, 2, 3, 4)]
    for job in jobs[:3]:
        store.end(job.id, "done")
    store.forget(keep=1)
    assert [job.id for job in store.jobs()] == [jobs[3].id, jobs[2].id]


def test_many_jobs_of_one_kind_do_not_push_out_another(store: Store) -> None:
    curve, _ = store.find_or_create(sweep_of(2), "ann", "")
    texts = ("quantize:bits=3", "quantize:bits=4")
    times = [store.find_or_create(Timing("digits-mlp", text), "ann", "")[0] for text in texts]
    for job in (curve, *times):
        store.end(job.id, "done")
    store.forget(keep=1)
    assert [job.id for job in store.jobs()] == [times[-1].id, curve.id]


def test_looking_at_many_jobs_takes_less_than_a_millisecond(store: Store) -> None:
    for i in range(100):
        job, _ = store.find_or_create(sweep_of(1, first=0.1 + i / 1000), "ann", "")
        store.end(job.id, "done")
    store.jobs()
    start = time.perf_counter()
    for _ in range(100):
        store.jobs()
    assert (time.perf_counter() - start) / 100 < 0.001


def test_a_full_disk_fails_the_job_in_words(store: Store) -> None:
    job, _ = store.find_or_create(sweep_of(1), "ann", "")
    (store.folder(job.id) / "events.jsonl").symlink_to("/dev/full")
    outcome = run_job(store.folder(job.id))
    assert outcome.state == "failed"
    assert "is full; make room" in outcome.reason


def test_a_state_that_cannot_be_written_is_remembered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    job, _ = store.find_or_create(sweep_of(1), "ann", "")

    def full(_path: Path, _raw: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("compress_core.jobs.store.write_file", full)
    store.end(job.id, "failed", "the disk is full")
    assert store.job(job.id).state == "failed"
    with pytest.raises(JobError, match="delete old ones"):
        store.find_or_create(sweep_of(2), "ann", "")
