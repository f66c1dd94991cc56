"""`python -m compress_core jobs`: what it lists, ends and removes."""

import json
from pathlib import Path

import pytest

from compress_core.__main__ import main
from compress_core.command_line.jobs import event_in_words, work_in_words
from compress_core.events import Epoch, Progress
from compress_core.jobs.job import Job
from compress_core.jobs.store import Store
from compress_core.jobs.work import Sweep, Timing

WORK = Timing("digits-mlp", "prune:sparsity=0.5")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("COMPRESS_JOBS_DIR", str(tmp_path))
    return Store()


@pytest.fixture
def job(store: Store) -> Job:
    return store.find_or_create(WORK, "ann", "")[0]


def test_jobs_are_listed(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs"]) == 0
    out = capsys.readouterr().out
    assert job.id in out
    assert "latency digits-mlp prune:sparsity=0.5" in out
    assert "queued, but its server is gone" in out


def test_jobs_are_listed_as_json(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["id"], row["state"], row["work"]["kind"]) == (job.id, "queued", "latency")


def test_the_jobs_of_one_kind_are_listed(
    store: Store, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    curve, _ = store.find_or_create(Sweep("digits-mlp", ("prune:sparsity=0.5",)), "ann", "")
    assert main(["jobs", "--kind", "sweep"]) == 0
    out = capsys.readouterr().out
    assert curve.id in out
    assert job.id not in out


def test_the_table_shows_the_newest_and_says_how_many_more(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compress_core.command_line.jobs.SHOWN", 1)
    for bits in (3, 4, 5):
        store.find_or_create(Timing("digits-mlp", f"quantize:bits={bits}"), "ann", "")
    assert main(["jobs"]) == 0
    out = capsys.readouterr().out
    assert "quantize:bits=5" in out
    assert "quantize:bits=4" not in out
    assert "and 2 older ones" in out


def test_a_job_is_cancelled_and_deleted(
    store: Store, job: Job, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["jobs", "cancel", job.id]) == 0
    assert store.job(job.id).state == "cancelled"
    assert main(["jobs", "delete", job.id]) == 0
    assert store.jobs() == ()
    assert capsys.readouterr().out.endswith("is deleted\n")


def test_a_damaged_job_is_named(store: Store, job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    (store.folder(job.id) / "state.json").write_text("{")
    assert main(["jobs", "--json"]) == 0
    printed = capsys.readouterr()
    assert (json.loads(printed.out), job.id in printed.err) == ([], True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("cancel",), "needs a job's ID"),
        (("cancel", "0123456789abcdef"), "there is no job"),
        (("delete", "../data"), "is no job"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    store: Store, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["jobs", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert store.jobs() == ()


def test_works_and_events_have_words() -> None:
    assert (
        work_in_words(Sweep("digits-mlp", ("", "quantize:bits=4"))) == "sweep digits-mlp 2 recipes"
    )
    assert event_in_words(Progress(0.25, "point 2 of 4")) == "25 % point 2 of 4"
    assert event_in_words(Epoch("finetune", 2, 5, 0.1234, 0.9, 0, 1)) == "epoch 2 of 5, loss 0.123"
    assert event_in_words(None) == ""
