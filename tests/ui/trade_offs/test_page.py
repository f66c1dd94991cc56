"""Trade-offs: the plane shows the core's numbers, and time is measured when it is asked for."""

import threading
import time
from typing import Any

import pytest

from compress_core import MODELS, Prune, Quantize, Recipe, compress, load_dataset, load_model
from compress_core.measurement.cost import Latency
from compress_core.measurement.report import measure
from compress_core.measurement.speed import Speed
from compress_core.search.pareto import pareto_front
from compress_core.search.published import published
from compress_core.wording.speed import speed_in_words
from tests.whole_app import WholeApp, open_app
from ui.figures import AXES
from ui.panels import latency
from ui.panels.latency import Latencies, latencies
from ui.trade_offs import plane

RECIPE = "prune:sparsity=0.9"
DIGITS = [name for name in MODELS if name.startswith("digits")]
MADE_UP = Speed(
    original_macs=1000,
    macs=1000,
    original_weights=4,
    weights=4,
    sparsity=0.9,
    bits=32,
    before=Latency(1.0, 1.5, 200),
    after=Latency(1.0, 1.25, 200),
)


@pytest.fixture
def timed_at_once(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Recipe]]:
    """What was timed: no clock runs."""
    asked: list[tuple[str, Recipe]] = []
    fresh = Latencies()

    def time_nothing(model: str, recipe: Recipe) -> Speed:
        asked.append((model, recipe))
        return MADE_UP

    monkeypatch.setattr(latency, "_measure", time_nothing)
    for module in (
        "ui.panels.latency",
        "ui.trade_offs.plane",
        "ui.trade_offs.work",
        "ui.panels.speed",
    ):
        monkeypatch.setattr(f"{module}.latencies", lambda: fresh)
    return asked


def spec(app: WholeApp) -> str:
    return str(app.get("plotly_chart")[0].proto.spec)


@pytest.mark.parametrize("model", DIGITS)
def test_it_renders_for_every_digits_model(model: str) -> None:
    app = open_app("trade_offs", model=model)
    assert not app.exception
    assert not app.error
    assert not app.warning
    assert '"name":"prune"' in spec(app)
    assert '"name":"Pareto front"' in spec(app)


def test_a_chosen_method_is_measured_as_the_core_does() -> None:
    app = open_app("trade_offs")
    assert '"name":"random prune"' not in spec(app)
    app.get("button_group")[0].set_value(["random_prune"]).run()
    assert '"name":"random prune"' in spec(app)
    strongest = plane.families("digits-cnn")["random_prune"].recipes[-1]
    (row,) = plane.rows("digits-cnn", [strongest])
    report = measure(compress(load_model("digits-cnn"), strongest), load_dataset("digits"))
    assert row["accuracy"] == report.accuracy.accuracy
    assert row["stored_bytes"] == report.size.stored_bytes


def test_the_front_is_the_cores() -> None:
    open_app("trade_offs")
    recipes = plane.families("digits-cnn")["prune"].recipes
    rows = plane.rows("digits-cnn", recipes)
    found = plane.front(rows, AXES["bytes"])
    best = pareto_front([r["stored_bytes"] for r in rows], [r["accuracy"] for r in rows])
    assert found == [rows[i] for i in best]


def test_latency_is_not_measured_unasked(timed_at_once: list[Any]) -> None:
    app = open_app("trade_offs", recipe=RECIPE)
    app.session_state["trade_offs_methods"] = []
    app.session_state["trade_offs_x"] = "latency"
    app.run()
    assert not app.exception
    assert not timed_at_once
    assert app.button(key="trade_offs_measure").label == "Measure the latency of 2 points"
    app.button(key="trade_offs_measure").click().run()
    assert timed_at_once == [("digits-cnn", ()), ("digits-cnn", (Prune(sparsity=0.9),))]
    assert '"name":"present recipe"' in spec(app)
    assert not [button for button in app.button if button.key == "trade_offs_measure"]


def test_the_panel_says_why_it_is_not_faster(timed_at_once: list[Any]) -> None:
    app = open_app("trade_offs", recipe=RECIPE)
    app.button(key="trade_offs_latency").click().run()
    assert timed_at_once == [("digits-cnn", (Prune(sparsity=0.9),))]
    (info,) = app.info
    assert info.value == speed_in_words(MADE_UP)
    assert "Zeros are still multiplied" in info.value
    app.button(key="trade_offs_latency").click().run()  # again
    assert len(timed_at_once) == 2


def test_the_empty_recipe_has_nothing_to_explain() -> None:
    app = open_app("trade_offs")
    assert not [button for button in app.button if button.key == "trade_offs_latency"]


def test_a_model_that_cannot_be_timed_says_so(
    timed_at_once: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_model: str, _recipe: Recipe) -> Speed:
        raise ValueError("it cannot be exported to ONNX")

    monkeypatch.setattr(latency, "_measure", refuse)
    app = open_app("trade_offs", recipe=RECIPE)
    app.button(key="trade_offs_latency").click().run()
    assert not app.exception
    assert "it cannot be exported" in app.error[0].value
    assert not timed_at_once


def test_the_digits_have_no_published_marks() -> None:
    assert plane.published_rows("digits-cnn") == []
    rows = plane.published_rows("mnist-lenet-5")
    assert [row["accuracy"] for row in rows] == [p.accuracy for p in published("mnist-lenet-5")]


def test_the_real_clock_gives_the_rows_their_time() -> None:
    recipe = (Quantize(bits=4),)
    speed = latencies().measure("digits-mlp", recipe)
    assert latencies().known("digits-mlp", recipe) == speed
    columns = plane.latency_columns("digits-mlp", recipe)
    assert columns == {
        "latency_ms": speed.after.latency_ms_p50,
        "latency_ms_p95": speed.after.latency_ms_p95,
    }
    assert speed.bits == 4


def test_two_sessions_are_timed_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0

    def slow(_model: str, _recipe: Recipe) -> Speed:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.05)
        running -= 1
        return MADE_UP

    monkeypatch.setattr(latency, "_measure", slow)
    store = Latencies()
    recipes = [(Prune(sparsity=s),) for s in (0.1, 0.2, 0.3)]
    threads = [threading.Thread(target=store.measure, args=("m", recipe)) for recipe in recipes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert all(store.known("m", recipe) for recipe in recipes)


def test_who_waits_for_a_turn_may_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, end = threading.Event(), threading.Event()

    def block(_model: str, _recipe: Recipe) -> Speed:
        begun.set()
        end.wait(10)
        return MADE_UP

    def give_up() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(latency, "_measure", block)
    store = Latencies()
    first = threading.Thread(target=store.measure, args=("m", ()))
    first.start()
    begun.wait(10)
    with pytest.raises(KeyboardInterrupt):
        store.measure("m", (Prune(sparsity=0.5),), give_up)
    end.set()
    first.join()
    assert store.known("m", ()) == MADE_UP
