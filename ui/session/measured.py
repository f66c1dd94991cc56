"""What jobs have measured, for all sessions: points of the plane, times."""

from functools import lru_cache
from pathlib import Path
from typing import Any

from compress_core.jobs.store import JobError
from compress_core.jobs.work import (
    Sweep,
    Timing,
    load_points,
    speed_from_json,
)
from compress_core.measurement.speed import Speed
from compress_core.recipe import Recipe, format_recipe, from_json
from ui.session import executor, jobs

MAX_SWEEPS = 200  # in memory, of 100 KB each

Row = dict[str, Any]  # Report.as_dict(), or the recipe and why it was refused


def points(work: Sweep) -> dict[Recipe, Row]:
    """The points of a sweep that are measured by now, also while it runs."""
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
