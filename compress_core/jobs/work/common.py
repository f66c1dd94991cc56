"""What the kinds of work share: recipes as texts, networks by name, and the points of a job."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from compress_core.compressed import Compressed, compress
from compress_core.events import Progress, Watcher
from compress_core.jobs.log import append_line, read_lines
from compress_core.measurement.accuracy import Stopped
from compress_core.original import Original
from compress_core.recipe import Recipe, parse_recipe
from compress_core.sources import find_original

POINTS = "points.jsonl"


def check_recipes(recipes: Sequence[str]) -> None:
    """Raise ValueError for a text that is no recipe. The model may be unknown here: one of its
    own that an earlier server was started with; `work_key` and `do` refuse it."""
    for text in recipes:
        parsed(text)


@lru_cache(maxsize=10_000)
def parsed(text: str) -> Recipe:
    """A text is read often: with every change of its job."""
    return parse_recipe(text)


@lru_cache(maxsize=2)
def original_of(model: str) -> Original:
    """A process does several jobs, often on the same network: its exported graphs stay, too."""
    return find_original(model)


def compressed_of(model: str, recipe: str) -> Compressed:
    return compress(original_of(model), parsed(recipe))


def go_on(watcher: Watcher, fraction: float, text: str) -> None:
    """Tell what comes now, unless it is to end here."""
    if watcher.stopped():
        raise Stopped
    watcher.report(Progress(fraction, text))


def folder_of(watcher: Watcher) -> Path:
    """The folder in which a job keeps what it has measured."""
    assert watcher.folder is not None, "a job has a folder"
    return watcher.folder


def keep_point(watcher: Watcher, row: dict[str, Any]) -> None:
    """Write a point down in the job's folder, where `load_points` finds it."""
    append_line(folder_of(watcher) / POINTS, row)


def load_points(kept: Path) -> list[dict[str, Any]]:
    """The points that a job has measured so far, also while it runs, and after it failed."""
    return read_lines(kept / POINTS)
