"""The small plane beside every live picture: the measured curve of the method at hand, and where
the present state stands on it."""

from collections.abc import Callable, Mapping
from typing import Any

from compress_core import Recipe
from compress_core.recipe import format_recipe, from_json
from compress_core.search.sweep import Row
from compress_core.tasks import METRICS
from ui import figures, live_histogram, words
from ui.session import measured, measuring
from ui.session.state import Current

Place = Callable[[Recipe, Row], float | None]  # where a point stands along its curve


def no_place(_recipe: Recipe, _row: Row) -> None:
    """Of a curve along which nothing is dragged: its points are found by their bytes."""


def data(
    current: Current,
    family: str,
    role: str,
    *,
    place: Place = no_place,
    at: float | None = None,
    settings: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What the plane of a page shows: the curve of `family` in the colour of `role`, and the
    present state, which stands `at` this place of it (None: it is found by its bytes).

    `settings` are those that the curve was measured with, where a drag may have others.
    """
    metric = METRICS[measuring.metric(current.model)]
    known = [*measured.curve(current.model, family), *measured.original(current.model)]
    rows = [(from_json(row["recipe"]), row) for row in known]
    points = [_point(recipe, row, place(recipe, row)) for recipe, row in rows]
    scores = [point["value"] for point in points]
    return {
        "of": current.label,
        "model": current.model,
        "metric": words.metric(measuring.metric(current.model)).capitalize(),
        "is_share": metric.is_share,
        "measurable": not measuring.data_problem(current.model),
        "role": role,
        "points": points,
        "at": at,
        "bytes": current.size.stored_bytes,
        "original_bytes": current.size.original_bytes,
        "best": max(scores, default=None),
        "worst": min(scores, default=None),
        "settings": settings or {},
    }


def _point(recipe: Recipe, row: Row, at: float | None) -> dict[str, Any]:
    return {
        "id": format_recipe(recipe),
        "words": words.describe_recipe(recipe),
        "bytes": row["stored_bytes"],
        "value": figures.value(row),
        "low": figures.value(row, "_low"),
        "high": figures.value(row, "_high"),
        "at": at,
    }


def show(current: Current, family: str, role: str) -> None:
    """The plane by itself, on a page whose picture is not dragged."""
    live_histogram.show("plane", {"plane": data(current, family, role)}, on_release=_nothing)


def _nothing(_wish: dict[str, Any]) -> None:
    """A click on a point is applied by the component itself."""
