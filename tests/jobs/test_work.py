"""Works: what they refuse, their keys, and that they do what the library does."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from compress_core.checkpoint import Checkpoint, Profiles, singular_values, sweep_bits
from compress_core.compressed import compress
from compress_core.data import Dataset
from compress_core.events import Event, Silent
from compress_core.jobs.log import append_line
from compress_core.jobs.work import (
    KINDS,
    Leaving,
    Searching,
    Spectrum,
    Sweep,
    Timing,
    Training,
    Weighing,
    Work,
    do,
    load_points,
    searching,
    work_from_json,
    work_key,
    work_to_json,
)
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
    Weighing("weights.safetensors", "as it was", (TEXT,)),
    Spectrum("weights.safetensors", "as it was", "fc1.weight"),
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
    monkeypatch.setattr("compress_core.jobs.work.kinds.ENCODINGS", 0)
    assert work_key(WORKS[0]) != before


@pytest.mark.parametrize(
    ("recipes", "said"), [(("cut:half",), "unknown step 'cut'"), ((), "at least one")]
)
def test_bad_work_is_refused_before_it_waits(recipes: tuple[str, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Sweep("digits-mlp", recipes)


def test_work_on_an_unknown_model_can_be_listed_and_has_no_key() -> None:
    """It may be of an own model that an earlier server was started with."""
    work = work_from_json(work_to_json(Sweep("nothing", (TEXT,))))
    with pytest.raises(ValueError, match="unknown model 'nothing'"):
        work_key(work)


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


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    monkeypatch.setenv("COMPRESS_PROFILES_DIR", str(tmp_path / "profiles"))
    save_file({f"h.{i}.weight": torch.randn(8, 8) for i in range(3)}, tmp_path / "w.safetensors")
    return Checkpoint.open(tmp_path / "w.safetensors")


def test_weighing_goes_on_after_the_tensors_that_it_kept(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    work = Weighing(str(checkpoint.path), checkpoint.identity, ("quantize:bits=4", "ternarize"))
    with pytest.raises(Stopped):
        do(work, Notes(tmp_path, patience=2))
    kept = load_points(tmp_path)
    assert [row["tensor"] for row in kept] == [*["h.0.weight"] * 2, *["h.1.weight"] * 2]
    rows = do(work, Notes(tmp_path))
    assert rows[:4] == kept
    assert rows == [row.as_dict() for row in sweep_bits(checkpoint, work.steps, Notes(tmp_path))]


def test_a_spectrum_is_kept_among_the_profiles(checkpoint: Checkpoint, tmp_path: Path) -> None:
    assert (
        do(Spectrum(str(checkpoint.path), checkpoint.identity, "h.1.weight"), Notes(tmp_path)) == 8
    )
    kept = Profiles(checkpoint).spectrum(checkpoint.entry("h.1.weight"))
    assert kept == pytest.approx(singular_values(checkpoint.entry("h.1.weight")))


def test_a_checkpoint_that_changed_is_other_work(checkpoint: Checkpoint, tmp_path: Path) -> None:
    work = Weighing(str(checkpoint.path), "of another day", ("ternarize",))
    assert work_key(work) != work_key(replace(work, identity=checkpoint.identity))
    with pytest.raises(ValueError, match="changed since it was opened"):
        do(work, Notes(tmp_path))


def test_weighing_refuses_what_is_no_recipe() -> None:
    with pytest.raises(ValueError, match="unknown step 'cut'"):
        Weighing("w", "i", ("cut:half",))
    with pytest.raises(ValueError, match="at least one"):
        Weighing("w", "i", ())
