"""Trade-offs: the plane shows the core's numbers, and time is measured when it is asked for."""

from typing import Any

import pytest

from compress_core import MODELS, Quantize, compress, load_dataset, load_model
from compress_core.jobs.work import Sweep, Timing
from compress_core.measurement.cost import Latency
from compress_core.measurement.report import Size, measure
from compress_core.measurement.speed import Speed
from compress_core.search.pareto import pareto_front
from compress_core.search.published import published
from compress_core.wording.speed import speed_in_words
from tests.ui.bench import AtOnce, Bench
from tests.whole_app import WholeApp, open_app
from ui.figures import AXES
from ui.session import executor, measured
from ui.trade_offs import plane, work

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
def timed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The MACs of what was timed: no clock runs."""
    found: list[int] = []

    def time_nothing(size: Size, _graphs: tuple[bytes, bytes], _example: Any) -> Speed:
        found.append(size.macs)
        return MADE_UP

    monkeypatch.setattr("compress_core.jobs.work.measure_speed", time_nothing)
    return found


PRUNINGS = plane.families("digits-cnn")["prune"]


def sweeps(bench: Bench) -> list[Sweep]:
    return [job.work for job in bench.jobs() if isinstance(job.work, Sweep)]


def has_button(app: WholeApp, key: str) -> bool:
    return any(button.key == key for button in app.button)


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
    family = plane.families("digits-cnn")["random_prune"]
    strongest = family.recipes[-1]
    measured_points = work.points(work.sweeps("digits-cnn", [family], ()))
    (row,) = plane.rows("digits-cnn", [strongest], measured_points)
    report = measure(compress(load_model("digits-cnn"), strongest), load_dataset("digits"))
    assert row["accuracy"] == report.accuracy.accuracy
    assert row["stored_bytes"] == report.size.stored_bytes


def test_the_front_is_the_cores() -> None:
    open_app("trade_offs")
    rows = plane.rows(
        "digits-cnn", PRUNINGS.recipes, work.points(work.sweeps("digits-cnn", [PRUNINGS], ()))
    )
    found = plane.front(rows, AXES["bytes"])
    best = pareto_front([r["stored_bytes"] for r in rows], [r["accuracy"] for r in rows])
    assert found == [rows[i] for i in best]


def test_latency_is_not_measured_unasked(timed: list[int]) -> None:
    app = open_app("trade_offs", recipe=RECIPE)
    app.session_state["trade_offs_methods"] = []
    app.session_state["trade_offs_x"] = "latency"
    app.run()
    assert not app.exception
    assert not timed
    assert app.button(key="trade_offs_measure").label == "Measure the latency of 2 points"
    app.button(key="trade_offs_measure").click().run()
    assert len(timed) == 2
    assert '"name":"present recipe"' in spec(app)
    assert not has_button(app, "trade_offs_measure")


def test_the_panel_says_why_it_is_not_faster(timed: list[int]) -> None:
    app = open_app("trade_offs", recipe="prune:sparsity=0.91")
    app.button(key="trade_offs_latency").click().run()
    assert len(timed) == 1
    (info,) = app.info
    assert info.value == speed_in_words(MADE_UP)
    assert "Zeros are still multiplied" in info.value
    app.button(key="trade_offs_latency").click().run()  # again
    assert len(timed) == 2


def test_the_empty_recipe_has_nothing_to_explain() -> None:
    app = open_app("trade_offs")
    assert not has_button(app, "trade_offs_latency")


def test_a_model_that_cannot_be_timed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: Any) -> Speed:
        raise ValueError("it cannot be exported to ONNX")

    monkeypatch.setattr("compress_core.jobs.work.measure_speed", refuse)
    app = open_app("trade_offs", recipe="prune:sparsity=0.92")
    app.button(key="trade_offs_latency").click().run()
    assert not app.exception
    assert app.error[0].value == "it cannot be exported to ONNX."
    assert has_button(app, "trade_offs_latency")


def test_the_digits_have_no_published_marks() -> None:
    assert plane.published_rows("digits-cnn") == []
    rows = plane.published_rows("mnist-lenet-5")
    assert [row["accuracy"] for row in rows] == [p.accuracy for p in published("mnist-lenet-5")]


def test_the_real_clock_gives_the_rows_their_time(at_once: AtOnce) -> None:
    recipe = (Quantize(bits=4),)
    at_once.submit(Timing("digits-mlp", "quantize:bits=4"), "ann")
    speed = measured.speed("digits-mlp", recipe)
    assert speed is not None
    columns = plane.latency_columns("digits-mlp", recipe)
    assert columns == {
        "latency_ms": speed.after.latency_ms_p50,
        "latency_ms_p95": speed.after.latency_ms_p95,
    }
    assert speed.bits == 4


def test_a_point_that_is_refused_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: Any, **_named: Any) -> Any:
        raise ValueError("the scores are not finite")

    monkeypatch.setattr("compress_core.jobs.work.measure", refuse)
    app = open_app("trade_offs", recipe="prune:sparsity=0.93")
    assert "the scores are not finite. What could be measured is there." in app.warning[0].value
    assert '"name":"prune"' in spec(app)
    assert not has_button(app, "trade_offs_measure")


def test_big_data_sets_are_measured_when_somebody_asks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "UNASKED", 10)
    app = open_app("trade_offs")
    app.session_state["trade_offs_methods"] = ["prune"]
    app.run()
    assert not sweeps(bench)
    images = len(load_dataset("digits"))
    label = f"Measure {1 + len(PRUNINGS.recipes)} points on {images} images each"
    assert app.button(key="trade_offs_measure").label == label
    app.button(key="trade_offs_measure").click().run()
    assert {len(work.recipes) for work in sweeps(bench)} == {1, len(PRUNINGS.recipes)}


def test_the_plane_grows_while_a_curve_is_measured(bench: Bench) -> None:
    app = open_app("trade_offs", model="digits-mlp")
    bench.run_sweeps(points=2)
    app.run()
    assert '"name":"prune"' in spec(app)
    (bar,) = app.get("progress")
    assert "measured" in bar.proto.text


def test_what_is_stopped_is_not_started_again_unasked(bench: Bench) -> None:
    app = open_app("trade_offs", model="digits-mlp")
    app.button(key="trade_offs_stop").click().run()
    assert {job.state for job in bench.jobs() if isinstance(job.work, Sweep)} == {"cancelled"}
    app.run()
    assert {job.state for job in bench.jobs() if isinstance(job.work, Sweep)} == {"cancelled"}
    assert has_button(app, "trade_offs_measure")


def test_a_curve_that_failed_says_why(bench: Bench) -> None:
    app = open_app("trade_offs", model="digits-mlp")
    for job in bench.jobs():
        bench.store.end(job.id, "failed", "its process was ended by signal 9 (SIGKILL)")
    app.run()
    assert "SIGKILL" in app.warning[0].value
    assert has_button(app, "trade_offs_measure")


def test_without_an_executor_the_page_says_so() -> None:
    executor.close()
    app = open_app("trade_offs")
    assert not app.exception
    assert "start the app by app.py" in app.warning[0].value
