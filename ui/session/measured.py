"""What is measured, for all sessions: points of the plane, times, files that leave.

Points ship with the project; what jobs of this machine have measured counts before them.
"""

from functools import lru_cache
from pathlib import Path

from compress_core.jobs.store import JobError
from compress_core.jobs.work import (
    Leaving,
    Searching,
    Sweep,
    Timing,
    load_files,
    load_points,
    speed_from_json,
)
from compress_core.leaving.measuring import MeasuredFile
from compress_core.measurement.speed import Speed
from compress_core.recipe import Recipe, format_recipe, from_json, parse_recipe
from compress_core.search.curves import load_curves
from compress_core.search.farthest import Farthest, farthest_from_json
from compress_core.search.sweep import Row, family
from ui.session import caches, executor, jobs

MAX_SWEEPS = 200  # in memory, of 100 KB each


def curve(model: str, family_name: str) -> list[Row]:
    """What is known of a family of `compress_core.search.sweep`, from mild to strong: the rows of
    `points`, each with its recipe's text form as `id`. None is known of a family that the model
    has not.
    """
    found = family(caches.original(model), family_name)
    if found is None:
        return []
    texts = tuple(map(format_recipe, found.recipes))
    known = points(Sweep(model, texts))
    rows = zip(texts, map(known.get, found.recipes), strict=True)
    return [row | {"id": text} for text, row in rows if row and "refused" not in row]


def original(model: str) -> list[Row]:
    """The row of the network as it came, if it is known."""
    return list(points(Sweep(model, ("",))).values())


def points(work: Sweep) -> dict[Recipe, Row]:
    """The points of a sweep that are known: measured here, also while it runs, else shipped."""
    return shipped(work) | measured_here(work)


def shipped(work: Sweep) -> dict[Recipe, Row]:
    """Those that ship with the project."""
    rows = load_curves(work.model).rows
    recipes = map(parse_recipe, work.recipes)
    return {recipe: rows[recipe] for recipe in recipes if recipe in rows}


def why_none_ship(model: str) -> str | None:
    """Why no points of a model ship; None if some do."""
    return load_curves(model).reason


def measured_here(work: Sweep) -> dict[Recipe, Row]:
    """Those that this machine has measured by now."""
    job, found = jobs.job_of(work), executor.present()
    if job is None or found is None:
        return {}
    kept = found.store.kept(job.id)
    return _points(kept, _version(kept))


def _version(kept: Path) -> tuple[int, ...]:
    """Another one whenever a file in the folder has grown or was made anew."""
    files = (path.stat() for path in kept.glob("*.jsonl"))
    return tuple(number for file in files for number in (file.st_ino, file.st_size))


@lru_cache(maxsize=MAX_SWEEPS)
def _points(kept: Path, _version: tuple[int, ...]) -> dict[Recipe, Row]:
    return {from_json(row["recipe"]): row for row in load_points(kept)}


def speed(model: str, recipe: Recipe) -> Speed | None:
    """The time of a recipe beside the original's; None where it was not measured."""
    job, found = jobs.job_of(Timing(model, format_recipe(recipe))), executor.present()
    if job is None or found is None or job.state != "done":
        return None
    try:
        return speed_from_json(found.store.result(job.id))
    except JobError:  # damaged: as if it were not there
        return None


def files(work: Leaving) -> dict[str, MeasuredFile]:
    """The files of a recipe that this machine has measured by now, by name."""
    job, found = jobs.job_of(work), executor.present()
    if job is None or found is None:
        return {}
    kept = found.store.kept(job.id)
    return _files(kept, _version(kept))


@lru_cache(maxsize=MAX_SWEEPS)
def _files(kept: Path, _version: tuple[int, ...]) -> dict[str, MeasuredFile]:
    return load_files(kept)


def farthest(work: Searching) -> Farthest | None:
    """What a search found; None where it was not done, or its result is damaged."""
    job, found = jobs.job_of(work), executor.present()
    if job is None or found is None or job.state != "done":
        return None
    try:
        return farthest_from_json(found.store.result(job.id))
    except (JobError, KeyError, TypeError):
        return None
