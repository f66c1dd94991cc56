"""Works: what they refuse, their keys, and that they do what the library does."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from compress_core.compressed import compress
from compress_core.data import DataError, Dataset
from compress_core.events import Event, Silent
from compress_core.jobs.log import append_line
from compress_core.jobs.work import (
    KINDS,
    Leaving,
    Searching,
    Sweep,
    Timing,
    Training,
    Work,
    do,
    load_files,
    load_points,
    searching,
    work_from_json,
    work_key,
    work_to_json,
)
from compress_core.leaving.exports import EXPORTS
from compress_core.measurement.accuracy import Stopped
from compress_core.measurement.report import measure
from compress_core.original import Original
from compress_core.recipe import parse_recipe, to_json
from compress_core.search.farthest import farthest_from_json
from compress_core.trained import NotTrained

TEXT = "prune:sparsity=0.9"
WORKS = (
    Sweep("digits-mlp", (TEXT, "")),
    Timing("digits-mlp", TEXT),
    Training("digits-mlp", f"{TEXT};finetune:epochs=1"),
    Searching("digits-mlp", "prune:sparsity=0.01;quantize:bits=8", 0, 0.01),
    Leaving("digits-mlp", TEXT),
)


@dataclass
class Notes:
    """A watcher that remembers what it is told, and stops after so many events."""

    folder: Path
    patience: int = 1000

    def __post_init__(self) -> None:
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        self.events.append(event)

    def stopped(self) -> bool:
        return len(self.events) >= self.patience


def test_every_kind_of_work_is_tested_here() -> None:
    assert [type(work) for work in WORKS] == [kind.type for kind in KINDS.values()]


@pytest.mark.parametrize("work", WORKS)
def test_a_work_comes_back_from_json(work: Work) -> None:
    assert work_from_json(work_to_json(work)) == work


def test_the_same_recipe_written_otherwise_is_the_same_work() -> None:
    assert work_key(Timing("digits-mlp", "prune: sparsity=.90")) == work_key(WORKS[1])


def test_other_work_has_another_key() -> None:
    others = (*WORKS, Timing("digits-cnn", TEXT), Timing("digits-mlp", "prune:sparsity=0.8"))
    assert len({work_key(work) for work in others}) == len(others)


def test_a_point_that_is_not_trained_fails_the_sweep_and_not_the_other_points(
    tmp_path: Path,
) -> None:
    """Once it is trained, the job can go on: nothing of the refusal is kept."""
    work = Sweep("digits-mlp", ("finetune:epochs=77", "prune:sparsity=0.5"))
    with pytest.raises(NotTrained):
        do(work, Silent(folder=tmp_path))
    (row,) = load_points(tmp_path)
    assert row["sparsity"] == pytest.approx(0.5, abs=1e-3)


def test_other_encodings_are_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes that a job has kept are those of its time."""
    before = work_key(WORKS[0])
    monkeypatch.setattr("compress_core.jobs.work.ENCODINGS", 0)
    assert work_key(WORKS[0]) != before


@pytest.mark.parametrize(
    ("model", "recipes", "said"),
    [
        ("nothing", (TEXT,), "unknown model 'nothing'"),
        ("digits-mlp", ("cut:half",), "unknown step 'cut'"),
        ("digits-mlp", (), "at least one"),
    ],
)
def test_bad_work_is_refused_before_it_waits(
    model: str, recipes: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Sweep(model, recipes)


def test_a_sweep_measures_as_measure_does(
    tmp_path: Path, digits_mlp: Original, digits: Dataset
) -> None:
    rows = do(WORKS[0], Notes(tmp_path))
    expected = [measure(compress(digits_mlp, parse_recipe(text)), digits) for text in (TEXT, "")]
    assert [row["accuracy"] for row in rows] == [report.accuracy.accuracy for report in expected]
    assert [row["stored_bytes"] for row in rows] == [r.size.stored_bytes for r in expected]


def test_a_sweep_goes_on_after_the_points_that_it_kept(tmp_path: Path) -> None:
    kept = {"recipe": to_json(parse_recipe(TEXT)), "accuracy": "kept"}
    append_line(tmp_path / "points.jsonl", kept)
    notes = Notes(tmp_path)
    rows = do(WORKS[0], notes)
    assert [rows[0], len(rows), len(notes.events)] == [kept, 2, 1]


def test_a_sweep_that_is_stopped_keeps_its_points(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        do(WORKS[0], Notes(tmp_path, patience=1))
    assert len(load_points(tmp_path)) == 1


def test_a_sweep_says_what_it_cannot_measure_and_measures_the_others(tmp_path: Path) -> None:
    rows = do(Sweep("digits-mlp", ("prune:sparsity=0.5,layers=nothing", TEXT)), Notes(tmp_path))
    assert "nothing" in rows[0]["refused"]
    assert rows[1]["accuracy"] > 0.5


def test_a_search_is_the_same_whatever_the_number_is_now() -> None:
    keys = {
        work_key(searching("digits-mlp", parse_recipe(f"{step};quantize:bits=8"), 0, 0.01))
        for step in ("prune:sparsity=0.3", "prune:sparsity=0.9", "prune:threshold=0.1")
    }
    assert keys == {work_key(WORKS[3])}


def test_a_search_finds_what_the_library_finds_and_goes_on_with_what_it_kept(
    tmp_path: Path,
) -> None:
    with pytest.raises(Stopped):
        do(WORKS[3], Notes(tmp_path, patience=2))
    kept = len(load_points(tmp_path))
    notes = Notes(tmp_path)
    found = farthest_from_json(do(WORKS[3], notes))
    assert found.best
    assert found.best.lost is not None
    assert found.best.lost < 0.01
    assert found.best in found.tried
    assert kept + len(notes.events) == len(load_points(tmp_path)) == len(found.tried)


@pytest.mark.parametrize(
    ("recipe", "index", "tolerance", "said"),
    [
        ("binarize", 0, 0.01, "has no number"),
        (TEXT, 1, 0.01, "none of the recipe's 1"),
        (TEXT, 0, 0.0, "allows no loss"),
    ],
)
def test_a_search_that_cannot_end_well_is_refused_before_it_waits(
    recipe: str, index: int, tolerance: float, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Searching("digits-mlp", recipe, index, tolerance)


def test_a_take_home_that_was_stopped_goes_on_with_the_next_file(tmp_path: Path) -> None:
    work = Leaving("digits-mlp", TEXT)
    with pytest.raises(Stopped):
        do(work, Notes(tmp_path, patience=2))
    first = load_files(tmp_path)
    assert list(first) == ["original"]  # it ends in the middle of the second
    notes = Notes(tmp_path)
    rows = do(work, notes)
    assert len(notes.events) == len(rows) - 1
    assert [row["name"] for row in rows] == [export.name for export in EXPORTS]
    assert first.items() <= load_files(tmp_path).items()


def test_without_test_images_files_are_measured_but_not_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lack(_model: str) -> Dataset:
        raise DataError("the test images are not here")

    monkeypatch.setattr("compress_core.jobs.work._test_images", lack)
    do(Leaving("digits-mlp", TEXT), Notes(tmp_path))
    found = load_files(tmp_path)["onnx_int8"]
    assert (found.score, found.reason) == (None, "the test images are not here")
    assert found.after is not None
