"""The strongest setting of a step that loses little enough."""

from dataclasses import dataclass
from typing import Any

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
from compress_core.recipe import Recipe, format_recipe, format_step, from_json
from compress_core.search.curves import load_curves
from compress_core.search.farthest import check_movable, farthest, grid_of, with_number
from compress_core.search.sweep import Row, baseline_of, point
from compress_core.sources import find_test_data


@dataclass(frozen=True)
class Searching:
    """Find the strongest setting of the step at `index` that loses less than `tolerance` on all
    test images (see search.farthest; `searching` makes equal searches equal).

    Result: `Farthest.as_dict()`; `farthest_from_json` reads it.
    """

    model: str
    recipe: str
    index: int
    tolerance: float

    def __post_init__(self) -> None:
        check_recipes((self.recipe,))
        check_movable(parsed(self.recipe), self.index)
        if not self.tolerance > 0:
            raise ValueError(f"tolerance={self.tolerance} allows no loss; 0.005 is half a point")


def searching(model: str, recipe: Recipe, index: int, tolerance: float) -> Searching:
    """The search over the number of a step, whatever that number is now."""
    check_movable(recipe, index)
    moved = (*recipe[:index], with_number(recipe[index]), *recipe[index + 1 :])
    return Searching(model, format_recipe(moved), index, tolerance)


def run_searching(work: Searching, watcher: Watcher) -> dict[str, Any]:
    """It begins with the curves that ship, and with what an earlier run of the job has measured."""
    original, data = original_of(work.model), find_test_data(work.model)
    baseline = baseline_of(original, data)
    kept = {from_json(row["recipe"]): row for row in load_points(folder_of(watcher))}

    def look(recipe: Recipe, fraction: float) -> Row:
        go_on(watcher, fraction, f"measuring {format_step(recipe[work.index])}")
        row = point(original, recipe, data, baseline)
        keep_point(watcher, row)
        return row

    grid = grid_of(original, parsed(work.recipe), work.index)
    known = {**load_curves(work.model).rows, **kept}
    return farthest(grid, look, known, tolerance=work.tolerance).as_dict()
