"""Presets: recipes that reach a number, whose trained steps ship with the project.

`python -m benchmarks.deep_compression --ship` writes them, from trainings of its own.
"""

import json
from dataclasses import dataclass
from functools import cache

from compress_core.assets import ASSETS

FILE = ASSETS / "presets.json"


@dataclass(frozen=True)
class Preset:
    """A recipe's text, the bytes of its file, and the fraction `error` of all test images that it
    gets wrong: of this file, and `mean_error` over the `seeds` of its benchmark."""

    name: str
    model: str
    recipe: str
    stored_bytes: int
    error: float
    mean_error: float
    seeds: int


def presets(model: str) -> tuple[Preset, ...]:
    """The presets of a reference network, the largest file first; none for other networks."""
    return tuple(preset for preset in all_presets() if preset.model == model)


@cache
def all_presets() -> tuple[Preset, ...]:
    """The presets of all networks."""
    if not FILE.is_file():
        return ()
    return tuple(Preset(**entry) for entry in json.loads(FILE.read_text()))
