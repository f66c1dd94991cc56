"""The whole test set: first a subset, then what a job answers; a newer wish replaces the older."""

import pytest

from compress_core import compress, load_dataset, load_model, measure
from compress_core.jobs.work import Answering
from compress_core.recipe import parse_recipe
from tests.ui.bench import Bench
from tests.whole_app import WholeApp, open_app, strip_cells, strip_numbers
from ui import words
from ui.session import executor, measured, measuring

MODEL = "digits-mlp"
RECIPE = "prune:sparsity=0.9"


@pytest.fixture(autouse=True)
def small_subset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "SUBSET", 100)


def open_page(recipe: str = RECIPE) -> WholeApp:
    app = open_app("prune", model=MODEL, recipe=recipe)
    assert not app.exception
    return app


def shown_images(app: WholeApp) -> str:
    """Under the accuracy: of how many images it is."""
    return strip_cells(app)["Accuracy"][2].removeprefix("Accuracy, ")


def wanted(bench: Bench, state: str = "queued") -> set[str]:
    """The recipes whose answers jobs in this state shall find."""
    jobs = [job for job in bench.jobs() if job.state == state]
    return {job.work.recipe for job in jobs if isinstance(job.work, Answering)}


def test_the_subset_comes_first_and_the_whole_test_set_after_its_job(bench: Bench) -> None:
    app = open_page()
    assert shown_images(app) == "n = 100"
    assert wanted(bench) == {"", RECIPE}
    bench.work_off()
    app.run()
    data = load_dataset("digits")
    assert shown_images(app) == f"exact, n = {len(data)}"
    report = measure(compress(load_model(MODEL), parse_recipe(RECIPE)), data)
    assert strip_numbers(app)["Accuracy"] == words.score(report.score, 2)


def test_a_newer_wish_takes_the_place_of_the_older(bench: Bench) -> None:
    app = open_page()
    app.text_input(key="recipe").set_value("prune:sparsity=0.8").run()
    assert wanted(bench) == {"", "prune:sparsity=0.8"}
    assert wanted(bench, "cancelled") == {RECIPE}


def test_what_another_session_waits_for_goes_on(bench: Bench) -> None:
    open_page()
    app = open_page()
    app.text_input(key="recipe").set_value("").run()
    assert wanted(bench) == {"", RECIPE}


def test_a_failed_job_leaves_the_subset_and_is_not_asked_for_in_a_circle(bench: Bench) -> None:
    app = open_page()
    for job in bench.jobs():
        bench.store.end(job.id, "failed", "the checkpoint is gone")
    app.run()
    assert shown_images(app) == "n = 100"
    assert not wanted(bench)


@pytest.mark.parametrize("left", [0, 2, 300])
def test_damaged_answers_are_found_anew(bench: Bench, left: int) -> None:
    open_page()
    bench.work_off()
    for job in bench.jobs():
        file = bench.store.kept(job.id) / "answers.npz"
        file.write_bytes(file.read_bytes()[:left])
    assert measured.exact_answers(MODEL, ()) is None
    assert shown_images(open_page()) == "n = 100"
    assert wanted(bench) == {"", RECIPE}


def test_a_job_whose_server_is_gone_has_failed(bench: Bench) -> None:
    app = open_page()
    bench.close()
    app.run()
    assert {job.state for job in bench.jobs()} == {"failed"}
    assert shown_images(app) == "n = 100"


def test_without_an_executor_the_subset_stays() -> None:
    executor.close()
    assert shown_images(open_page()) == "n = 100"
