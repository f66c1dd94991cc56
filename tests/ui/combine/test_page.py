"""The page of combining: the table tells what is stored, the bars add up to the file."""

from itertools import pairwise

import onnx
import pandas as pd
import pytest

from compress_core import Recipe, compress, load_model
from compress_core.graph import to_onnx
from compress_core.measurement.ledger import finding, ledger
from compress_core.measurement.report import measure_size
from compress_core.measurement.waterfall import waterfall
from compress_core.recipe import parse_recipe
from compress_core.steps import KINDS
from compress_core.wording.ledger import ledger_in_words
from tests.whole_app import WholeApp, open_app
from ui import figures
from ui.combine import stages
from ui.combine import table as combine_table
from ui.combine.edits import BITS, CHANNELS, CLUSTERS, PRUNE, RANK
from ui.palette import LIGHT
from ui.panels import ledger as ledger_panel
from ui.session import caches
from ui.session.state import Current

CHAIN = "prune_structured:pruning_ratio=0.25;factorize:rank=12,layers=fc1;prune:sparsity=0.5;"
CHAIN += "quantize_gptq:bits=4,layers=conv*;share:clusters=8,layers=fc*"


def current(text: str, model: str = "digits-cnn") -> Current:
    recipe, original = parse_recipe(text), load_model(model)
    made = compress(original, recipe)
    return Current(model, original, recipe, (), (), made, measure_size(made))


def frame(app: WholeApp, column: str) -> pd.DataFrame:
    return next(table.value for table in app.dataframe if column in table.value)


@pytest.mark.parametrize("model", ["digits-cnn", "digits-mlp", "digits-transformer"])
def test_the_page_renders_for_every_model(model: str) -> None:
    app = open_app("combine", model=model, recipe="prune:sparsity=0.5;quantize:bits=4")
    assert not app.exception
    assert not app.error


def test_the_page_renders_with_every_kind_of_step() -> None:
    app = open_app("combine", recipe=CHAIN)
    assert not app.exception
    assert not app.error


def test_the_table_tells_what_is_stored() -> None:
    now = current(CHAIN)
    table = combine_table.cells(now).set_index("layer")
    assert list(table["bytes"]) == [row.bytes for row in now.size.layers]
    assert list(table[BITS]) == [4, 4, 3, 3]  # of shared weights those of an index
    assert list(table[CLUSTERS].fillna(0)) == [0, 0, 8, 8]
    assert list(table[RANK].fillna(0)) == [0, 0, 12, 0]
    assert table.loc["conv1", CHANNELS] == 25
    assert table.loc["fc2", CHANNELS] == 0  # the classes stay
    assert table.loc["conv1", "shape"] == "12 × 1 × 3 × 3"
    assert table.loc["fc1", "how"] == "channels by l2 · channel · magnitude · k-means, optimal"
    assert table.loc["conv2", "how"].endswith("GPTQ")


def test_the_sparsity_in_the_table_is_that_of_pruning_alone() -> None:
    table = combine_table.cells(current("prune:sparsity=0.5,scope=layer;quantize:bits=2"))
    assert list(table[PRUNE]) == [50.0, 50.0, 50.0, 50.0]


def test_every_kind_of_step_has_a_name_as_a_stage() -> None:
    assert {*KINDS, "original", "encode"} == {*stages.ORDER, *stages.OTHERS}


def test_a_kind_that_comes_again_gets_a_number() -> None:
    assert stages.shown_names(["prune", "train", "prune"]) == ["prune", "train", "prune 2"]


def test_the_waterfall_of_the_page_is_the_cores() -> None:
    recipe = parse_recipe(CHAIN)
    made = compress(load_model("digits-cnn"), recipe)
    assert caches.stages_of("digits-cnn", recipe) == waterfall(made)
    assert caches.stages_of("digits-cnn", recipe)[-1].file_bytes == len(made.container)


def test_the_bars_of_the_waterfall_end_at_the_stored_file() -> None:
    found = caches.stages_of("digits-cnn", parse_recipe(CHAIN))
    sizes = [stage.file_bytes for stage in found]
    shown = figures.waterfall([stage.name for stage in found], sizes, LIGHT)
    (bars,) = shown.data
    assert bars.y[0] == found[0].file_bytes
    assert bars.y[0] + sum(after - before for before, after in pairwise(sizes)) == bars.y[-1]
    assert [base + y for base, y in zip(bars.base, bars.y, strict=True)][1:-1] == [
        max(pair) for pair in pairwise(sizes)
    ]


def test_a_stage_that_changes_nothing_says_so() -> None:
    (bars,) = figures.waterfall(["original", "prune", "encode"], [100, 100, 30], LIGHT).data
    assert bars.text == ("100", "±0", "−70", "30")


def test_the_files_in_between_can_be_coded_ones() -> None:
    app = open_app("combine", recipe="prune:sparsity=0.9;quantize:bits=4")
    app.selectbox(key="combine_files").set_value("coded after each stage").run()
    app.session_state["combine_waterfall_table"] = True
    app.run()
    table = frame(app, "after")
    recipe: Recipe = parse_recipe("prune:sparsity=0.9")
    pruned = compress(load_model("digits-cnn"), recipe).stored_bytes
    assert list(table["after"]) == ["original", "prune", "quantize"]
    assert table["bytes"][1] == pruned


def test_the_ledger_shows_the_cores_rows_and_its_sentence() -> None:
    app = open_app("combine", recipe="prune:sparsity=0.9;quantize:bits=4")
    now = current("prune:sparsity=0.9;quantize:bits=4")
    rows = ledger(now.compressed)
    table = frame(app, "× smaller")
    assert list(table["bytes"].dropna()) == [row.total_bytes for row in rows if row.total_bytes]
    assert [name for name in table["stored as"] if "no file" in name] == ["entropy bound (no file)"]
    assert ledger_in_words(finding(rows, now.size.sparsity)) in [box.value for box in app.info]


def test_the_onnx_file_joins_the_ledger_on_demand() -> None:
    app = open_app("combine", recipe="prune:sparsity=0.9")
    before = frame(app, "× smaller").set_index("stored as")
    assert "see below" in before.loc["ONNX", "note"]
    app.button(key="ledger_add_onnx").click().run()
    now = current("prune:sparsity=0.9")
    graph = to_onnx(now.compressed)
    table = frame(app, "× smaller").set_index("stored as")
    assert table.loc["ONNX", "bytes"] == len(graph)
    found = finding(ledger(now.compressed, graph), now.size.sparsity)
    assert ledger_in_words(found) in [box.value for box in app.info]
    assert not [button for button in app.button if button.key == "ledger_add_onnx"]


def test_another_structure_asks_for_its_onnx_file_anew() -> None:
    app = open_app("combine", recipe="prune:sparsity=0.9")
    app.button(key="ledger_add_onnx").click().run()
    app.text_input(key="recipe_typed").set_value("factorize:rank=9,layers=fc1").run()
    assert [button for button in app.button if button.key == "ledger_add_onnx"]


def test_the_ledger_opens_layer_by_layer() -> None:
    app = open_app("combine", recipe="quantize:bits=4")
    app.session_state["ledger_layers"] = True
    app.run()
    table = frame(app, "whole file")
    parts = table[["conv1", "conv2", "fc1", "fc2", "rest"]].sum(axis=1)
    assert list(parts) == list(table["whole file"])


def test_the_bound_is_the_only_hollow_bar_and_ours_the_only_coloured_one() -> None:
    rows = [row for row in ledger(current("quantize:bits=4").compressed) if row.total_bytes]
    shown = figures.ledger_bars(
        [row.name for row in rows],
        [row.total_bytes or 0 for row in rows],
        LIGHT,
        bound="entropy bound",
        ours=ledger_panel.OURS,
    )
    (trace,) = shown.data
    widths = zip(trace.y, trace.marker.line.width, strict=True)
    hollow = [name for name, width in widths if width]
    colours = dict(zip(trace.y, trace.marker.color, strict=True))
    coloured = [name for name, colour in colours.items() if colour == LIGHT.compressed]
    assert hollow == ["entropy bound"]
    assert colours["entropy bound"] == LIGHT.surface
    assert coloured == [ledger_panel.OURS]
    assert list(trace.x) == sorted(trace.x, reverse=True)
    assert shown.layout.xaxis.type == "log"
    assert "bytes" in shown.layout.xaxis.title.text


def test_the_downloaded_onnx_file_is_the_cores() -> None:
    recipe = parse_recipe("prune:sparsity=0.9;quantize:bits=4")
    raw = caches.onnx_file("digits-cnn", recipe)
    assert raw == to_onnx(compress(load_model("digits-cnn"), recipe))
    assert onnx.load_from_string(raw).graph.input[0].name == "images"
