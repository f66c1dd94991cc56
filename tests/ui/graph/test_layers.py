"""The strip and the table of layers: what they say is what the core counts."""

import re

from compress_core.recipe import parse_recipe
from tests.whole_app import open_app
from ui.graph import layers
from ui.session import state


def shown(text: str) -> state.Current:
    return state.shown_as("digits-cnn", parse_recipe(text))


def test_a_box_is_as_wide_as_the_bytes_of_its_layer() -> None:
    current = shown("quantize:bits=4,layers=fc1")
    assert [box["bytes"] for box in layers.boxes(current)] == [
        row.bytes for row in current.size.layers
    ]


def test_the_layers_that_the_recipe_touches_are_marked() -> None:
    changed = {
        box["name"]: box["changed"] for box in layers.boxes(shown("quantize:bits=4,layers=fc1"))
    }
    assert changed == {"conv1": False, "conv2": False, "fc1": True, "fc2": False}


def test_nothing_is_marked_in_an_untouched_network() -> None:
    assert not any(box["changed"] for box in layers.boxes(shown("")))


def test_the_table_has_a_row_for_each_layer_and_a_dash_where_there_is_nothing() -> None:
    app = open_app("graph", recipe="prune:sparsity=0.5,layers=conv2")
    (table,) = (e.proto.body for e in app.get("html") if 'class="layer-numbers"' in e.proto.body)
    rows = dict(re.findall(r'<tr data-layer="(\w+)".*?</th>(.*?)</tr>', table))
    assert list(rows) == ["conv1", "conv2", "fc1", "fc2"]
    assert "<td>50.0 %</td>" in rows["conv2"]
    assert rows["fc1"].count("<td>—</td>") == 2  # neither rank nor noise
