"""The trade-off plane: its rows, its picture with legend and table, and a click on a point."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from compress_core import Recipe
from compress_core.recipe import format_recipe, parse_recipe
from compress_core.search.pareto import pareto_front
from compress_core.search.published import published
from compress_core.search.sweep import Family, Row
from compress_core.search.sweep import families as sweep_families
from compress_core.tasks import METRICS
from ui import figures, words
from ui.core_sentences import of_core
from ui.figures import AXES, Axis, Style
from ui.language import N_, _
from ui.panels.chart import chart
from ui.session import caches, measured, measuring, recipe_field, snapshots, state
from ui.session.state import Current

# The methods that are shown first.
TELLING = ("prune", "quantize", "factorize", "prune + quantize", "channels", "trained")
FAMILY_NAMES = (  # what is read in place of the families' keys, and not alike in every language
    N_("prune"),
    N_("quantize"),
    N_("factorize"),
    N_("spatial"),
    N_("prune + quantize"),
    N_("share"),
    N_("low-bit"),
    N_("random prune"),
    N_("prune taylor"),
    N_("prune wanda"),
    N_("whitened"),
    N_("channels"),
    N_("factorize + prune + share"),
    N_("trained"),
)
Rows = list[dict[str, Any]]


def shown_name(family: str) -> str:
    return _(family.replace("_", " "))


def families(model: str) -> dict[str, Family]:
    return sweep_families(caches.original(model))


def styles(known: Mapping[str, Family]) -> dict[str, Style]:
    """How each family's curve looks."""
    kinds = {
        name: {step.kind for recipe in family.recipes for step in recipe}
        for name, family in known.items()
    }
    return figures.curve_styles(kinds)


def rows(model: str, recipes: Iterable[Recipe], points: Mapping[Recipe, Row]) -> Rows:
    """The recipes that are among the measured `points`, as rows of the plane; `id` is a recipe's
    text form.

    They have `latency_ms` where it was measured, too.
    """
    found = []
    for recipe in recipes:
        point = points.get(recipe)
        if point and "refused" not in point:
            numbers = {key: value for key, value in point.items() if key != "layers"}
            about = {"id": format_recipe(recipe), "words": words.describe_recipe(recipe)}
            found.append(numbers | about | latency_columns(model, recipe))
    return found


def latency_columns(model: str, recipe: Recipe) -> dict[str, float]:
    speed = measured.speed(model, recipe)
    if speed is None:
        return {}
    after = speed.after
    return {"latency_ms": after.latency_ms_p50, "latency_ms_p95": after.latency_ms_p95}


def snapshot_rows(model: str) -> Rows:
    """The model's snapshots, with their latency where it was measured; none without the images on
    which they were measured."""
    if measuring.data_problem(model):
        return []
    return [row | latency_columns(model, parse_recipe(row["id"])) for row in snapshots.rows(model)]


def estimate(current: Current) -> Row | None:
    """The present recipe as the strip over the page shows it, until its point is measured: on the
    whole test set or the first images of it. None without test images, and before the first number
    is there."""
    model, recipe = current.model, current.recipe
    if measuring.data_problem(model):
        return None
    n = measuring.measured_size(model, recipe, patience_s=measuring.WAIT_S)
    if not n:
        return None
    score, change = measuring.score(model, recipe, n)
    recipe_words = words.describe_recipe(recipe)
    return {
        **score.as_dict(),
        **change.bounds,
        "stored_bytes": current.size.stored_bytes,
        "compression_ratio": current.size.compression_ratio,
        "macs": current.size.macs,
        "id": format_recipe(recipe),
        "words": _("{recipe} (on all test images)", recipe=recipe_words)
        if n == measuring.test_size(model)
        else _("{recipe} (on {n:,} test images)", recipe=recipe_words, n=n),
        **latency_columns(model, recipe),
    }


def published_rows(model: str) -> Rows:
    """The published marks as rows; they have bytes, but neither MACs nor time, and no recipe."""
    return [
        {
            **vars(point),
            "metric": "accuracy",
            "accuracy": point.accuracy,
            "words": _("published: {name}", name=point.name),
        }
        for point in published(model)
    ]


def front(rows: Sequence[dict[str, Any]], axis: Axis) -> Rows:
    """The rows that no other beats in score and cost at once, the cheapest first."""
    known = [row for row in rows if axis.column in row]
    best = pareto_front([row[axis.column] for row in known], list(map(_worth, known)))
    return [known[i] for i in best]


def _worth(row: dict[str, Any]) -> float:
    """The score with its sign turned if less is better: the more, the better."""
    higher_is_better = METRICS[row["metric"]].higher_is_better
    return figures.value(row) if higher_is_better else -figures.value(row)


@dataclass(frozen=True)
class PlaneRows:
    """Everything on the plane, as rows. The curves, original and present recipe are measured on the
    whole test set; an estimate on a subset of it, a snapshot as it was pinned, a published mark as
    its paper says. `unknown` are the singles of which nothing is known yet."""

    curves: dict[str, Rows]
    singles: dict[str, Rows]
    estimates: dict[str, Rows]
    snapshots: Rows
    published: Rows
    unknown: tuple[str, ...] = ()

    @property
    def measured(self) -> Rows:
        """Those that can be compared: on the same images."""
        return [row for rows in (*self.curves.values(), *self.singles.values()) for row in rows]

    @property
    def ours(self) -> Rows:
        """All but the published ones."""
        estimates = [row for rows in self.estimates.values() for row in rows]
        return [*self.measured, *estimates, *self.snapshots]


def collect(current: Current, chosen: Sequence[Family], points: Mapping[Recipe, Row]) -> PlaneRows:
    """What is known by now of the chosen families and the rest."""
    model = current.model
    singles, estimates, unknown = singles_of(current, points)
    return PlaneRows(
        curves={family.name: rows(model, family.recipes, points) for family in chosen},
        singles=singles,
        estimates=estimates,
        snapshots=snapshot_rows(model),
        published=published_rows(model),
        unknown=unknown,
    )


def singles_of(
    current: Current, points: Mapping[Recipe, Row]
) -> tuple[dict[str, Rows], dict[str, Rows], tuple[str, ...]]:
    """Original and present recipe: those that are measured on all test images, those that are
    estimated on a subset, and the names of those of which nothing is known."""
    recipes = {N_("original"): ()} | (
        {N_("present recipe"): current.recipe} if current.recipe else {}
    )
    measured: dict[str, Rows] = {}
    estimates: dict[str, Rows] = {}
    for name, recipe in recipes.items():
        if found := rows(current.model, [recipe], points):
            measured[name] = found
        elif row := estimate(current if recipe else state.shown_as(current.model, ())):
            whole = row["n"] == measuring.test_size(current.model)
            (measured if whole else estimates)[name if whole else f"{name}, estimate"] = [row]
    known = {name.removesuffix(", estimate") for name in (*measured, *estimates)}
    return measured, estimates, tuple(name for name in recipes if name not in known)


@dataclass(frozen=True)
class View:
    """What the person chose to see: x, a name of AXES; y as losses on a log axis, or the scores,
    all of them or those near the best (`closer`)."""

    axis: str
    closer: bool
    losses: bool


def draw(model: str, points: PlaneRows, styles: Mapping[str, Style], view: View) -> None:
    """The plane, its legend in words, and its table; a sentence where it would be empty."""
    axis = AXES[view.axis]
    known = [row for row in points.measured if axis.column in row]
    metric = words.metric(measuring.metric(model))
    if not any(axis.column in row for row in (*points.ours, *points.published)):
        st.info(_nothing(view.axis), icon=":material/scatter_plot:")
        return
    figure = figures.trade_off_plane(
        points.curves,
        points.singles | points.estimates,
        state.colors(),
        points.snapshots,
        styles=styles,
        place=figures.Place(
            axis, figures.losses_of(points.ours) if view.losses and points.ours else None
        ),
        front=front(points.measured, axis),
        published=points.published,
    )
    if view.closer and known and not view.losses:
        figures.look_closer(figure, max(figures.value(row) for row in known))
    chart(
        figure,
        "trade_offs_plane",
        _("{model}: {metric} against {cost}", model=model, metric=metric, cost=_(view.axis)),
        _table(points),
        on_select=apply_clicked,
        selection_mode="points",
    )
    st.caption(_legend(points, view, metric))


def _nothing(axis: str) -> str:
    """In place of an empty plane: how it fills."""
    if axis == "latency":
        return _(
            "No time is measured yet: press “Measure the latency” above, or choose another cost."
        )
    return _("No point of this model is measured yet: choose a method above and measure it.")


def _legend(points: PlaneRows, view: View, metric: str) -> str:
    """What the marks mean, of those that are there."""
    parts = []
    if points.measured:
        parts += [
            _("Whiskers: 95 % interval of the {metric} on the whole test set.", metric=metric),
            _("Dotted stairs: the Pareto front, which no measured point here beats."),
        ]
    if points.estimates:
        parts.append(_("Hollow or crossed: estimated on a part of the test images; hover for n."))
    parts += [_("The {name} is not measured yet.", name=_(name)) for name in points.unknown]
    if points.snapshots:
        parts.append(
            _(
                "Pentagon: a snapshot, at the {metric} it was pinned with; hover for its n.",
                metric=metric,
            )
        )
    parts += [text] if (text := _published_in_words(points, view)) else []
    return " ".join(parts)


def _published_in_words(points: PlaneRows, view: View) -> str:
    if not points.published:
        return ""
    if view.losses:
        return _("Published results are left out here: they lost against other originals.")
    if view.axis == "bytes":
        return _(
            "Diamonds: published results on this network, trained for it; full where a "
            "real file was measured, hollow where bits were added up."
        )
    return _("The published results have bytes only.")


def _table(points: PlaneRows) -> dict[str, list[Any]]:
    everything = [*points.ours, *points.published]
    metric = figures.metric_of([everything])
    return {
        _("recipe"): [row["words"] for row in everything],
        _("bytes"): [row["stored_bytes"] for row in everything],
        _("ratio"): [row.get("compression_ratio") for row in everything],
        words.metric(metric): [words.measured(metric, figures.value(row), 2) for row in everything],
        _("change, points"): [
            100 * row["difference"] if "difference" in row else None for row in everything
        ],
        "MACs": [row.get("macs") for row in everything],
        _("p50, ms"): [row.get("latency_ms") for row in everything],
        _("p95, ms"): [row.get("latency_ms_p95") for row in everything],
        _("unit and source"): [
            f"{of_core(row['unit'])}, {row['source']}" if "source" in row else _("real file")
            for row in everything
        ],
    }


def apply_clicked() -> None:
    """Callback of a click: the point's recipe becomes the recipe; a published mark has none."""
    found = st.session_state.get("trade_offs_plane")  # gone where the page was left meanwhile
    clicked = found["selection"]["points"] if found else []
    if clicked and clicked[0]["customdata"][0] is not None:
        recipe_field.set_recipe(parse_recipe(clicked[0]["customdata"][0]))
