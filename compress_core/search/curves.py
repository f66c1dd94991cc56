"""Curves that ship: each family of a reference network, measured on its whole test set.

`python -m compress_core sweep MODEL --all --out assets/curves/MODEL.json` writes them, a line a
point. They count only for what they were measured of: the checkpoint, the encodings, the test set.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from compress_core.assets import ASSETS
from compress_core.data import Dataset
from compress_core.models.checkpoints import load_card
from compress_core.original import Original
from compress_core.recipe import Recipe, format_recipe, from_json, parse_recipe, to_json
from compress_core.search.sweep import Row, baseline_of, families, point
from compress_core.storage.container import ENCODINGS
from compress_core.writing import write_file

FOLDER = ASSETS / "curves"
VERSION = 1  # of the file's form
DIGITS = 6  # significant ones of each number: a share of 10,000 images needs four
NOT_KEPT = ("layers", "left_out")  # of a row: most of its length, and no curve shows them


@dataclass(frozen=True)
class About:
    """What curves are measured of: the checkpoint's sha256, the version of the code that counts
    bytes, the dataset's name and the size `n` of its test set."""

    model: str
    checkpoint: str
    encodings: int
    dataset: str
    n: int


@dataclass(frozen=True)
class Curves:
    """Recipe → row, as `Report.as_dict()` without what is NOT_KEPT; none, with the `reason`, where
    there is no file that belongs to the network as it is now."""

    rows: Mapping[Recipe, Row]
    reason: str | None = None


def curve_recipes(original: Original) -> tuple[Recipe, ...]:
    """The network as it came, and the recipes of all its families."""
    recipes = [recipe for family in families(original).values() for recipe in family.recipes]
    return tuple(dict.fromkeys(((), *recipes)))


def load_curves(model: str) -> Curves:
    """The curves that ship for a network; none, with the reason, for one that has none."""
    return _load(model, FOLDER / f"{model}.json")


@cache
def _load(model: str, path: Path) -> Curves:
    if not path.is_file():
        return Curves({}, f"no curves of {model} ship with the project")
    return read_curves(path, about(model))


def read_curves(path: Path, wanted: About) -> Curves:
    """The curves in a file; none, with the reason, if it is damaged or belongs to another state."""
    try:
        data = json.loads(path.read_text())
        found = data["version"], About(**data["about"])
        rows = {parse_recipe(row["recipe"]): data["same"] | row for row in data["points"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Curves({}, f"{path.name} is damaged: {error}; measure it anew")
    if found != (VERSION, wanted):
        return Curves({}, f"{path.name} was measured of {_difference(*found, wanted)}")
    return Curves({recipe: row | {"recipe": to_json(recipe)} for recipe, row in rows.items()})


def _difference(version: int, found: About, wanted: About) -> str:
    if version != VERSION:
        return f"another version of this file, {version} in place of {VERSION}"
    fields = [name for name, value in asdict(wanted).items() if value != asdict(found)[name]]
    return " and ".join(f"another {name} ({asdict(found)[name]})" for name in fields)


def about(model: str) -> About:
    """What the curves of a reference network have to be measured of to count now."""
    card = load_card(model)
    return About(model, card.sha256, ENCODINGS, card.dataset, card.test_n)


def measure_curves(original: Original, data: Dataset, path: Path) -> Iterator[tuple[int, int]]:
    """Measure all recipes on `data`, the whole test set, and write `path` after each of them.

    What the file has already is kept. Gives (points measured by now, points in all).
    """
    recipes, state = curve_recipes(original), about(original.name)
    known = read_curves(path, state).rows if path.is_file() else {}
    rows = {recipe: known[recipe] for recipe in recipes if recipe in known}
    baseline = baseline_of(original, data)
    for recipe in recipes:
        if recipe not in rows:
            rows[recipe] = rounded(point(original, recipe, data, baseline))
            ordered = [rows[r] for r in recipes if r in rows]
            write_file(path, format_curves(state, ordered).encode())
        yield len(rows), len(recipes)


def rounded(row: Row) -> Row:
    """A row as it is kept: without what is NOT_KEPT, its numbers of DIGITS digits."""
    return {
        key: float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
        for key, value in row.items()
        if key not in NOT_KEPT
    }


def format_curves(state: About, rows: list[Row]) -> str:
    """The file: a line a point, and what is the same in all points once."""
    same = {
        key: value
        for key, value in rows[0].items()
        if key != "recipe" and all(key in row and row[key] == value for row in rows)
    }
    head: dict[str, Any] = {"version": VERSION, "about": asdict(state), "same": same}
    lines = (
        json.dumps(
            {"recipe": format_recipe(from_json(row["recipe"]))}
            | {key: value for key, value in row.items() if key not in (*same, "recipe")}
        )
        for row in rows
    )
    return json.dumps(head, indent=1)[:-2] + ',\n "points": [\n' + ",\n".join(lines) + "\n]}\n"
