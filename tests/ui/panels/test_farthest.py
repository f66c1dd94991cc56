"""The button that finds the strongest setting: searched as a job, told in words, applied."""

from typing import Any

import pytest

from compress_core import DataError, compress, load_dataset, load_model
from compress_core.events import Progress
from compress_core.jobs.work import Searching
from compress_core.measurement.report import measure
from compress_core.recipe import format_recipe, parse_recipe
from compress_core.search.farthest import farthest_from_json
from tests.ui.bench import AtOnce, Bench
from tests.whole_app import WholeApp, open_app
from ui import words
from ui.panels import farthest

PAGES = {
    "prune": "prune",
    "quantize": "quantize",
    "factorize": "factorize",
    "share_weights": "share",
    "structured": "structured",
}


def has_button(app: WholeApp, key: str) -> bool:
    return any(button.key == key for button in app.button)


def texts(app: WholeApp) -> str:
    return " ".join([*(m.value for m in app.markdown), *(c.value for c in app.caption)])


@pytest.mark.parametrize(("page", "kind"), PAGES.items())
def test_every_method_finds_its_end_and_applies_it(page: str, kind: str) -> None:
    app = open_app(page, model="digits-mlp")
    button = app.button(key=f"farthest_{kind}_search")
    assert button.label == "As far as it goes for < 0.5 points"
    button.click().run()
    assert "on 600 test images" in texts(app)
    if has_button(app, f"farthest_{kind}_apply"):
        app.button(key=f"farthest_{kind}_apply").click().run()
        assert "It is the present setting." in texts(app)
        assert app.session_state["recipe"]
    assert not app.exception


def test_the_found_setting_keeps_the_other_steps_and_loses_less(at_once: AtOnce) -> None:
    recipe = "prune:sparsity=0.5,scope=layer;quantize:bits=6"
    app = open_app("prune", recipe=recipe)
    app.number_input(key="farthest_prune_points").set_value(2.0).run()
    app.button(key="farthest_prune_search").click().run()
    app.button(key="farthest_prune_apply").click().run()
    prune, quantize = parse_recipe(app.session_state["recipe"])
    assert format_recipe((quantize,)) == "quantize:bits=6"
    assert prune.scope == "layer"  # type: ignore[union-attr]
    made = compress(load_model("digits-cnn"), (prune, quantize))
    assert -measure(made, load_dataset("digits")).change.difference < 0.02
    (job,) = [
        job
        for job in at_once.jobs()
        if isinstance(job.work, Searching) and job.work.tolerance == 0.02
    ]
    found = farthest_from_json(at_once.store.result(job.id))
    assert found.best
    assert parse_recipe(found.best.recipe)[0] == prune
    assert farthest.in_words(found) in texts(app)


def test_in_words_it_says_what_was_measured(at_once: AtOnce) -> None:
    app = open_app("quantize", recipe="quantize:bits=8,clipping=mse")
    app.button(key="farthest_quantize_search").click().run()
    (job,) = [
        job
        for job in at_once.jobs()
        if isinstance(job.work, Searching) and "clipping=mse" in job.work.recipe
    ]
    found = farthest_from_json(at_once.store.result(job.id))
    assert found.best
    size = words.byte_size(found.best.stored_bytes or 0)
    (line,) = [m.value for m in app.markdown if "settings on 600 test images" in m.value]
    assert line.startswith(f"**quantize to {found.best.number} bit")
    assert size in line
    assert f"; {found.best.number - 1} bits: −" in line


def test_while_it_searches_the_page_says_how_far_and_can_stop_it(bench: Bench) -> None:
    app = open_app("prune", model="digits-mlp", recipe="prune:sparsity=0.5")
    app.button(key="farthest_prune_search").click().run()
    bench.run(Progress(0.25, "measuring prune:sparsity=0.52"))
    app.run()
    (bar,) = app.get("progress")
    assert bar.proto.text == "Measuring prune:sparsity=0.52…"
    app.button(key="farthest_stop").click().run()
    assert bench.jobs()[0].state == "cancelled"
    app.run()
    assert has_button(app, "farthest_prune_search")


def test_another_number_is_the_same_search(bench: Bench) -> None:
    for recipe in ("prune:sparsity=0.5", "prune:sparsity=0.9"):
        app = open_app("prune", model="digits-mlp", recipe=recipe)
        if has_button(app, "farthest_prune_search"):
            app.button(key="farthest_prune_search").click().run()
    assert len([job for job in bench.jobs() if isinstance(job.work, Searching)]) == 1


def test_a_search_that_failed_says_why_and_can_go_on(bench: Bench) -> None:
    app = open_app("prune", model="digits-mlp", recipe="prune:sparsity=0.5")
    app.button(key="farthest_prune_search").click().run()
    bench.store.end(bench.jobs()[0].id, "failed", "its process was ended")
    app.run()
    assert "Not found: its process was ended." in texts(app)
    assert has_button(app, "farthest_prune_search")


def test_a_step_without_a_number_says_so() -> None:
    app = open_app("quantize", recipe="binarize")
    assert "As far as it goes: Binarize has no number" in texts(app)
    assert not has_button(app, "farthest_quantize_search")


def test_without_images_there_is_no_button(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, _split: str = "test") -> Any:
        raise DataError(f"{name} is missing")

    monkeypatch.setattr("ui.session.caches.load_dataset", missing)
    app = open_app("prune")
    assert not app.exception
    assert not has_button(app, "farthest_prune_search")
