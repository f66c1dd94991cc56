"""The training that a recipe asks for."""

from dataclasses import dataclass
from typing import Any

from compress_core.events import Watcher
from compress_core.jobs.work.common import check_recipes, original_of, parsed
from compress_core.measurement.report import measure
from compress_core.sources import find_test_data


@dataclass(frozen=True)
class Training:
    """Train every step of a recipe that trains and has no result yet, and keep the results.

    Result: the fields of `Report.as_dict()` on all test images.
    """

    model: str
    recipe: str

    def __post_init__(self) -> None:
        check_recipes((self.recipe,))


def run_training(work: Training, watcher: Watcher) -> dict[str, Any]:
    from compress_core.training.recovering import train_steps  # only for this kind

    original = original_of(work.model)
    compressed = train_steps(original, parsed(work.recipe), watcher=watcher)
    return measure(compressed, find_test_data(work.model)).as_dict()
