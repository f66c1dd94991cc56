"""What is measured: shipped points until this machine has measured them itself."""

import pytest

from compress_core.jobs.work import Sweep
from compress_core.recipe import format_recipe
from compress_core.search.curves import Curves, load_curves
from compress_core.search.sweep import SPARSITIES
from tests.ui.bench import AtOnce, Bench
from ui.session import executor, measured

MODEL = "digits-mlp"
TEXTS = tuple(f"prune:sparsity={share}" for share in SPARSITIES)


@pytest.mark.usefixtures("bench")
def test_a_curve_is_known_before_anything_is_measured_here() -> None:
    rows = measured.curve(MODEL, "prune")
    assert [row["id"] for row in rows] == list(TEXTS)
    shipped = {format_recipe(recipe): row for recipe, row in load_curves(MODEL).rows.items()}
    assert [row | {"id": ""} for row in rows] == [shipped[text] | {"id": ""} for text in TEXTS]


@pytest.mark.usefixtures("bench")
def test_a_curve_goes_from_mild_to_strong() -> None:
    sizes = [row["stored_bytes"] for row in measured.curve("mnist-lenet-5", "quantize")]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.usefixtures("bench")
@pytest.mark.parametrize("name", ["spatial", "no such family"])
def test_nothing_is_known_of_a_family_that_the_model_has_not(name: str) -> None:
    assert measured.curve(MODEL, name) == []


def test_what_this_machine_has_measured_counts_before_what_ships(at_once: AtOnce) -> None:
    work = Sweep(MODEL, TEXTS)
    assert measured.shipped(work).keys() == measured.points(work).keys()
    at_once.submit(work, "ann")
    assert measured.points(work) == measured.measured_here(work)
    assert "layers" in measured.curve(MODEL, "prune")[0]


def test_curves_of_another_checkpoint_are_not_shown(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "load_curves", lambda _model: Curves({}, "of another checkpoint"))
    assert executor.present() is bench
    assert measured.curve(MODEL, "prune") == []
