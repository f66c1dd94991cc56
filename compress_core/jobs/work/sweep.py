"""Many recipes, each measured on all test images."""

import json
from dataclasses import dataclass
from typing import Any

from compress_core.dataset import DataError
from compress_core.events import Watcher
from compress_core.jobs.work.common import (
    check_recipes,
    folder_of,
    go_on,
    keep_point,
    load_points,
    original_of,
    parsed,
)
from compress_core.recipe import to_json
from compress_core.search.sweep import baseline_of, point
from compress_core.sources import find_test_data
from compress_core.trained import NotTrained


@dataclass(frozen=True)
class Sweep:
    """Measure each recipe (its text) on all test images.

    Result: `Report.as_dict()` of each; {"recipe": …, "refused": why} where one cannot be measured.
    """

    model: str
    recipes: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.recipes:
            raise ValueError("a sweep of no recipes measures nothing; give at least one")
        check_recipes(self.recipes)


def run_sweep(work: Sweep, watcher: Watcher) -> list[dict[str, Any]]:
    """Points that an earlier run of the job has measured are not measured again.

    Raises NotTrained or DataError at the end, where one of them kept a point from being measured:
    that may change, and then the job can go on.
    """
    original, data = original_of(work.model), find_test_data(work.model)
    recipes = [parsed(text) for text in work.recipes]
    known = {json.dumps(row["recipe"]): row for row in load_points(folder_of(watcher))}
    baseline = baseline_of(original, data)
    lacking: ValueError | None = None
    for i, recipe in enumerate(recipes):
        name = json.dumps(to_json(recipe))
        if name not in known:
            go_on(watcher, i / len(recipes), f"point {i + 1} of {len(recipes)}")
            try:
                known[name] = point(original, recipe, data, baseline)
            except (NotTrained, DataError) as error:
                lacking = error
            else:
                keep_point(watcher, known[name])
    if lacking is not None:
        raise lacking
    return [known[json.dumps(to_json(recipe))] for recipe in recipes]
