"""Trade-offs: the plane shows the core's numbers, and time is measured when it is asked for."""

import re
from typing import Any

import pytest

from compress_core import MODELS, DataError, Quantize, compress, load_dataset, load_model
from compress_core.jobs.work import Sweep, Timing
from compress_core.measurement.cost import Latency
from compress_core.measurement.report import Size, measure
from compress_core.measurement.speed import Speed
from compress_core.search.curves import Curves
from compress_core.search.pareto import pareto_front
from compress_core.search.published import published
from compress_core.search.sweep import MAKERS
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

    monkeypatch.setattr("compress_core.jobs.work.timing.measure_speed", time_nothing)
    return found


@pytest.fixture
def unshipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no curves shipped."""
    monkeypatch.setattr(measured, "load_curves", lambda _model: Curves({}, "none are here"))


PRUNINGS = plane.families("digits-cnn")["prune"]


def sweeps(bench: Bench) -> list[Sweep]:
    return [job.work for job in bench.jobs() if isinstance(job.work, Sweep)]


def has_button(app: WholeApp, key: str) -> bool:
    return any(button.key == key for button in app.button)


def captions(app: WholeApp) -> str:
    return " ".join(caption.value for caption in app.caption)


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


@pytest.mark.usefixtures("unshipped")
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


def test_every_family_has_a_name_to_translate() -> None:
    said_alike = {"tucker", "n:m", "gptq"}
    names = {name.replace("_", " ") for name in MAKERS}
    assert names - said_alike == set(plane.FAMILY_NAMES)


@pytest.mark.usefixtures("unshipped")
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

    monkeypatch.setattr("compress_core.jobs.work.timing.measure_speed", refuse)
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

    monkeypatch.setattr("compress_core.search.sweep.measure", refuse)
    app = open_app("trade_offs", recipe="prune:sparsity=0.93")
    told = [warning.value for warning in app.warning]
    assert "the scores are not finite. What could be measured is there." in told
    assert '"name":"prune"' in spec(app)
    assert not has_button(app, "trade_offs_measure")


@pytest.mark.usefixtures("unshipped")
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


@pytest.mark.usefixtures("unshipped")
def test_the_plane_grows_while_a_curve_is_measured(bench: Bench) -> None:
    app = open_app("trade_offs", model="digits-mlp")
    bench.run_sweeps(points=2)
    app.run()
    assert '"name":"prune"' in spec(app)
    (bar,) = app.get("progress")
    assert "measured" in bar.proto.text


@pytest.mark.usefixtures("unshipped")
def test_what_is_stopped_is_not_started_again_unasked(bench: Bench) -> None:
    app = open_app("trade_offs", model="digits-mlp")
    app.button(key="trade_offs_stop").click().run()
    assert {job.state for job in bench.jobs() if isinstance(job.work, Sweep)} == {"cancelled"}
    app.run()
    assert {job.state for job in bench.jobs() if isinstance(job.work, Sweep)} == {"cancelled"}
    assert has_button(app, "trade_offs_measure")


@pytest.mark.usefixtures("unshipped")
def test_a_curve_that_failed_says_why(bench: Bench) -> None:
    app = open_app("trade_offs", model="digits-mlp")
    for job in bench.jobs():
        bench.store.end(job.id, "failed", "its process was ended by signal 9 (SIGKILL)")
    app.run()
    assert "SIGKILL" in app.warning[0].value
    assert has_button(app, "trade_offs_measure")


@pytest.mark.usefixtures("unshipped")
def test_without_an_executor_the_page_says_so() -> None:
    executor.close()
    app = open_app("trade_offs")
    assert not app.exception
    assert "start the app by app.py" in app.warning[0].value


@pytest.mark.parametrize("model", ["digits-cnn", "mnist-lenet-5"])
def test_at_the_first_visit_the_plane_is_full_of_shipped_points(bench: Bench, model: str) -> None:
    app = open_app("trade_offs", model=model)
    assert not sweeps(bench)
    assert spec(app).count('"mode":"lines+markers"') >= 5
    assert '"name":"original"' in spec(app)
    told = r"(\d+) points shipped: .*, with this same code. Measured here: 0."
    count = re.search(told, captions(app))
    assert count
    assert int(count[1]) >= 50
    assert not has_button(app, "trade_offs_measure")


def test_shipped_points_can_be_measured_again_here(bench: Bench) -> None:
    app = open_app("trade_offs", model="digits-mlp")
    app.session_state["trade_offs_methods"] = ["n:m"]
    app.run()
    assert app.button(key="trade_offs_again").label == "Measure again here"
    app.button(key="trade_offs_again").click().run()
    assert sum(len(work.recipes) for work in sweeps(bench)) == 6
    bench.run_sweeps(points=1)
    app.run()
    assert "4 points shipped" in captions(app)
    assert "Measured here: 2." in captions(app)
    assert app.get("progress")[0].proto.text.startswith("2 of 6 measured")
    assert not has_button(app, "trade_offs_again")
    bench.work_off()


def test_without_images_the_shipped_points_are_there(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str, _split: str = "test") -> Any:
        raise DataError(f"{name} is missing")

    monkeypatch.setattr("ui.session.caches.load_dataset", missing)
    app = open_app("trade_offs", model="mnist-lenet-5", recipe="prune:sparsity=0.77")
    assert not app.exception
    assert '"name":"prune"' in spec(app)
    assert "The present recipe is not measured yet." in captions(app)
    assert not has_button(app, "trade_offs_measure")
    assert not has_button(app, "trade_offs_again")
    assert not bench.jobs()


@pytest.mark.usefixtures("unshipped", "bench")
def test_before_they_are_measured_original_and_recipe_are_estimated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ui.session.measuring.measured_size", lambda *_, **_options: 100)
    monkeypatch.setattr(work, "UNASKED", 10)
    app = open_app("trade_offs", recipe="prune:sparsity=0.77")
    assert '"name":"original, estimate"' in spec(app)
    assert '"name":"present recipe, estimate"' in spec(app)
    assert "(on 100 test images)" in spec(app)
    assert "estimated on a part of the test images" in captions(app)


@pytest.mark.usefixtures("bench")
def test_the_loss_axis_is_logarithmic_and_has_a_floor() -> None:
    app = open_app("trade_offs", model="mnist-lenet-5")
    app.toggle(key="trade_offs_losses").set_value(True).run()
    assert '"no loss"' in spec(app)
    assert "points lost against the original (log)" in spec(app)
    assert "Published results are left out" in captions(app)
    assert app.toggle(key="trade_offs_closer").disabled


@pytest.mark.usefixtures("bench")
def test_an_empty_plane_says_how_it_fills_and_leaves_no_chart() -> None:
    app = open_app("trade_offs")
    app.session_state["trade_offs_x"] = "latency"
    app.run()
    assert not app.get("plotly_chart")
    assert "No time is measured yet" in app.info[0].value
