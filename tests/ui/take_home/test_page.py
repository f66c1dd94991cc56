"""Take home: the page's numbers are the core's, and its files are those that were measured."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from compress_core import MODELS, compress, load_dataset, load_model
from compress_core.command_line.parser import build_parser
from compress_core.jobs.work import Leaving
from compress_core.leaving.advice import Advice
from compress_core.leaving.exports import BY_NAME, EXPORTS
from compress_core.leaving.measuring import MeasuredFile
from compress_core.measurement.cost import Latency
from compress_core.measurement.report import measure
from compress_core.recipe import format_step, parse_recipe
from compress_core.wording.exports import TITLES
from tests.ui.bench import Bench
from tests.whole_app import WholeApp, open_app
from ui import words
from ui.session import executor, measured
from ui.take_home import files, more, verdict

RECIPE = "prune:sparsity=0.8;quantize:bits=4"


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Jobs wait until a test does them."""
    found = Bench(tmp_path / "jobs")
    monkeypatch.setattr(executor, "present", lambda: found)
    monkeypatch.setattr(executor, "problem", lambda: "")
    yield found
    found.close()


def cells(app: WholeApp) -> dict[str, list[str]]:
    """The table as one reads it: what stands beside each file."""
    html = next(e.proto.body for e in app.get("html") if 'class="files"' in e.proto.body)
    found = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', html)
    return {
        title.removesuffix(" *"): re.findall(r"<td[^>]*>(.*?)</td>", rest) for title, rest in found
    }


@pytest.mark.parametrize("model", [name for name in MODELS if name.startswith("digits")])
def test_it_renders_for_every_digits_model(model: str, bench: Bench) -> None:
    app = open_app("take_home", model=model, recipe=RECIPE)
    assert not app.exception
    assert not app.error
    assert list(cells(app)) == list(TITLES.values())
    assert not bench.jobs()  # nothing is measured unasked


@pytest.mark.usefixtures("bench")
def test_what_is_not_measured_says_so_but_for_the_stored_file() -> None:
    found = cells(open_app("take_home", recipe=RECIPE))
    size = compress(load_model("digits-cnn"), parse_recipe(RECIPE)).stored_bytes
    assert found["Stored file"][0] == f"{size:,}"
    assert found["ONNX fp32"] == ["not measured yet"]


def test_the_button_measures_and_the_table_shows_the_cores_numbers(bench: Bench) -> None:
    app = open_app("take_home", recipe=RECIPE)
    app.button(key="take_home_measure").click().run()
    assert [job.work for job in bench.jobs()] == [Leaving("digits-cnn", RECIPE)]
    bench.work_off()
    app.run()
    report = measure(
        compress(load_model("digits-cnn"), parse_recipe(RECIPE)), load_dataset("digits")
    )
    stored = cells(app)["Stored file"]
    assert stored[0] == f"{report.size.stored_bytes:,}"
    assert stored[1] == words.ratio(report.size.compression_ratio)
    assert stored[2] == words.score(report.score, 2)
    assert stored[3] == words.point_change("accuracy", report.change.difference)
    rows = measured.files(Leaving("digits-cnn", RECIPE))
    for export in EXPORTS:
        assert cells(app)[TITLES[export.name]][0] == f"{rows[export.name].file_bytes:,}"
    assert "smallest is **Stored file**" in app.info[0].value
    assert app.button(key="take_home_measure").label == "Measure again"


def test_while_the_job_runs_there_is_stop_and_what_is_measured_by_now(bench: Bench) -> None:
    app = open_app("take_home", recipe=RECIPE)
    app.button(key="take_home_measure").click().run()
    bench.run()
    app.run()
    assert not any(button.key == "take_home_measure" for button in app.button)
    app.button(key="take_home_stop").click().run()
    assert bench.jobs()[0].state == "cancelled"


@pytest.mark.usefixtures("bench")
def test_a_file_that_cannot_be_made_has_its_reason_and_no_download() -> None:
    app = open_app("take_home", recipe="prune:sparsity=0.5")
    (reason,) = cells(app)["ONNX as the recipe says"]
    assert "the recipe has no codes" in reason
    buttons = {button.proto.label: button.proto for button in app.get("download_button")}
    assert buttons["ONNX as the recipe says"].disabled
    assert not buttons["ONNX fp32"].disabled


def test_a_star_marks_the_files_of_another_recipe() -> None:
    titles = [files.title_of(export, parse_recipe(RECIPE)) for export in EXPORTS]
    starred = [title for title in titles if title.endswith("*")]
    assert starred == ["ONNX int8 weights *", "ONNX int4 weights *", "ONNX int8, calibrated *"]


@pytest.mark.parametrize("export", EXPORTS, ids=lambda export: export.name)
def test_a_download_is_the_cores_file(export: Any) -> None:
    recipe = parse_recipe(RECIPE)
    made = compress(load_model("digits-mlp"), recipe)
    assert files.make("digits-mlp", recipe, export.name) == BY_NAME[export.name].make(made)


def test_the_verdict_is_judged_from_the_numbers() -> None:
    small, fast = MeasuredFile("stored", 1500), timed("onnx_int8", 3.0)
    said = verdict.advice_in_words(Advice(small, fast, fast))
    assert said == (
        "With no more loss than the recipe: smallest is **Stored file**, 1.5 KB; smallest for "
        "other programs **ONNX int8, calibrated**, 2.0 KB; fastest here **ONNX int8, "
        "calibrated**, 3× the speed of the original."
    )
    assert verdict.advice_in_words(Advice(fast, fast, None)) == (
        "With no more loss than the recipe: smallest is **ONNX int8, calibrated**, 2.0 KB; none is "
        "clearly faster here than the original."
    )


def timed(name: str, speedup: float) -> MeasuredFile:
    times = Latency(speedup, speedup, 200), Latency(1.0, 1.0, 200)
    return MeasuredFile(name, 2000, None, None, *times)


@pytest.mark.parametrize(
    ("recipe", "trains"),
    [("prune:sparsity=0.9", False), ("prune:sparsity=0.9;finetune:epochs=2;share", True)],
)
def test_the_command_makes_the_same_files_and_trains_only_what_trains(
    recipe: str, trains: bool
) -> None:
    steps = parse_recipe(recipe)
    original = load_model("digits-mlp")
    current: Any = SimpleNamespace(model="digits-mlp", recipe=steps, original=original)
    parts = shlex.split(more.command(current).replace("\\\n", " "))
    options = build_parser().parse_args(parts[3:])
    assert options.step == [format_step(step) for step in steps]
    assert (options.model, options.train) == ("digits-mlp", trains)
    assert options.out == Path("digits-mlp")


def test_the_report_holds_what_is_measured() -> None:
    row = timed("onnx_int8", 3.0)
    html = more.report("digits-mlp", parse_recipe(RECIPE), {row.name: row})
    assert html.startswith("<!doctype html>")
    assert "ONNX int8, calibrated" in html
