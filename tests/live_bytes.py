"""The bytes that a page measures step by step, at once."""

from compress_core.applying.prune import ScoreStep
from compress_core.methods.pruning import Prune
from compress_core.original import Original
from compress_core.recipe import Recipe
from compress_core.views.live_pruning import MAGNITUDE, measure_bytes


def measured_bytes(
    original: Original, others: Recipe, by: Prune | ScoreStep = MAGNITUDE
) -> dict[str, list[float]] | None:
    """What `measure_bytes` returns in the end."""
    measuring = measure_bytes(original, others, by)
    while True:
        try:
            next(measuring)
        except StopIteration as end:
            found: dict[str, list[float]] | None = end.value
            return found
