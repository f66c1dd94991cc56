"""What the scripts share with Python stands once, in Python, and is handed over."""

import json
import re
from typing import Any

import pytest

from compress_core.methods.quantization.ranges import CLIP_GRID
from compress_core.views.live_pruning import BYTES_EVERY
from tests.whole_app import open_app
from ui.live_histogram.routes import FOLDER
from ui.prune.callbacks import MOST

RECIPES = {"prune": "prune:sparsity=0.5", "quantize": "quantize:bits=4", "factorize": ""}


def constants_of(page: str, **query: str) -> dict[str, Any]:
    app = open_app(page, recipe=RECIPES[page], **query)
    (live,) = [found for found in app.get("bidi_component") if "live" in found.proto.id]
    found: dict[str, Any] = json.loads(live.proto.json)["constants"]
    return found


def used_in(*scripts: str) -> set[str]:
    """The constants that scripts ask for."""
    text = "".join((FOLDER / script).read_text() for script in scripts)
    destructured = re.findall(r"\{ (\w+) \} = this\.constants", text)
    return {*re.findall(r"\bconstants\.(\w+)", text), *destructured}


@pytest.mark.parametrize(
    ("page", "query", "scripts"),
    [
        ("prune", {}, ("prune.js", "prune_row.js")),
        ("quantize", {}, ("quantize.js",)),
        ("factorize", {}, ("factorize.js",)),
        ("factorize", {"factorize_scope": "whole model"}, ("budget.js",)),
    ],
)
def test_a_script_gets_exactly_the_constants_that_it_asks_for(
    page: str, query: dict[str, str], scripts: tuple[str, ...]
) -> None:
    assert constants_of(page, **query).keys() == used_in(*scripts)


def test_the_most_that_is_pruned_and_the_byte_knots_are_pythons() -> None:
    found = constants_of("prune")
    assert found["most"] == pytest.approx(MOST / 100)
    assert found["bytes_every"] == BYTES_EVERY


def test_the_grid_of_clipped_ranges_is_the_cores_widest_first() -> None:
    clips = constants_of("quantize")["clips"]
    assert clips == sorted(CLIP_GRID.tolist(), reverse=True)
