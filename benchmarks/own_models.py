"""Models of other people: from the file to the first picture, and from a release to its numbers.

The files are those in the folder `models` beside $COMPRESS_DATA_DIR. Each is opened as by the page,
in a sandbox; then a recipe is compressed and encoded here, and answered there.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compress_core import sandbox
from compress_core.command_line.console import print_table
from compress_core.compressed import compress
from compress_core.measurement.report import measure_size
from compress_core.opening import store
from compress_core.opening.facts import SOURCE
from compress_core.opening.opened import Opened
from compress_core.opening.rooms import close_rooms
from compress_core.recipe import parse_recipe
from compress_core.sources import find_original
from compress_core.views.live_pruning import pruning_profile

RECIPES = ("prune:sparsity=0.5", "prune:sparsity=0.6", "quantize:bits=6")
FIRST = 250  # rows of a first number
COLUMNS = (
    "model",
    "layers",
    "opened, s",
    "first picture, s",
    "bytes after a release, s",
    "agreement after it, s",
    "rows",
    "difference",
)


def run() -> None:
    folder = Path(os.environ.get("COMPRESS_DATA_DIR", ".")).parent / "models"
    with tempfile.TemporaryDirectory() as opened:
        os.environ[store.FOLDER_VARIABLE] = opened
        print_table(COLUMNS, [list(_row(file)) for file in sorted(folder.glob("*.onnx"))])
        close_rooms()


def _row(file: Path) -> Iterator[Any]:
    started = time.perf_counter()
    name, place = store.new_folder(file.name)
    (place / SOURCE).write_bytes(file.read_bytes())
    sandbox.run("open_network", {"title": file.name}, place)
    opened_s = time.perf_counter() - started
    original = find_original(name)
    assert isinstance(original, Opened)
    for stored in compress(original, ()).layers.values():
        pruning_profile(stored)
    picture_s = time.perf_counter() - started
    size_s, answer_s = zip(*(_release(original, recipe) for recipe in RECIPES), strict=True)
    yield from (file.stem, str(len(original.layers)), f"{opened_s:.1f}", f"{picture_s:.1f}")
    yield from (f"{sorted(size_s)[1]:.2f}", f"{sorted(answer_s)[1]:.2f}")
    yield from (str(original.facts.batch), f"{original.facts.difference:.1e}")


def _release(original: Opened, recipe: str) -> tuple[float, float]:
    """Seconds until the bytes, and until the first agreement, are there."""
    assert original.elsewhere is not None
    started = time.perf_counter()
    measure_size(compress(original, parse_recipe(recipe)))
    size_s = time.perf_counter() - started
    original.elsewhere.answers(recipe, slice(0, FIRST))
    return size_s, time.perf_counter() - started
