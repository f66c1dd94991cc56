"""The points of the trade-off plane: measuring the missing ones, and applying a clicked one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from compress_core import Recipe, load_dataset
from compress_core.search.pareto import pareto_front
from compress_core.search.published import published
from compress_core.search.sweep import Family
from compress_core.search.sweep import families as sweep_families
from ui import figures, panels, snapshots, state, words
from ui.figures import AXES, Axis, Style
from ui.latency import latencies
from ui.state import Current

# What a page may measure unasked: about a second on the digits, whose images are few and small.
UNASKED = 100_000  # images times points
MEASURE_HELP = "The curves appear when they are measured; this is done once for everybody."
TELLING = ("prune", "quantize", "factorize", "prune + quantize", "channels")  # shown first
Rows = list[dict[str, Any]]
# what is to be done, in words; how, with a callback for the time that it waits for its turn
Job = tuple[str, Callable[[Callable[[], object]], object]]


def families(model: str) -> dict[str, Family]:
    return sweep_families(state.original(model))


def styles(known: Mapping[str, Family]) -> dict[str, Style]:
    """How each family's curve looks."""
    kinds = {
        name: {step.kind for recipe in family.recipes for step in recipe}
        for name, family in known.items()
    }
    return figures.curve_styles(kinds)


def rows(model: str, recipes: Sequence[Recipe]) -> Rows:
    """The recipes that are measured, as rows of the plane; `id` is a recipe's text form.

    They have `latency_ms` where it was measured, too.
    """
    found = []
    for recipe in recipes:
        report = state.points().known(model, recipe)
        if report:
            numbers = {key: v for key, v in report.as_dict().items() if key != "layers"}
            about = {"id": words.recipe_text(recipe), "words": words.describe_recipe(recipe)}
            found.append(numbers | about | latency_columns(model, recipe))
    return found


def latency_columns(model: str, recipe: Recipe) -> dict[str, float]:
    speed = latencies().known(model, recipe)
    if speed is None:
        return {}
    after = speed.after
    return {"latency_ms": after.latency_ms_p50, "latency_ms_p95": after.latency_ms_p95}


def snapshot_rows(model: str) -> Rows:
    """The model's snapshots, with their latency where it was measured."""
    return [
        row | latency_columns(model, words.read_recipe(row["id"])) for row in snapshots.rows(model)
    ]


def published_rows(model: str) -> Rows:
    """The published marks as rows; they have bytes, but neither MACs nor time, and no recipe."""
    return [
        {**vars(point), "accuracy": point.accuracy, "words": f"published: {point.name}"}
        for point in published(model)
    ]


def front(rows: Sequence[dict[str, Any]], axis: Axis) -> Rows:
    """The rows that no other beats in accuracy and cost at once, the cheapest first."""
    known = [row for row in rows if axis.column in row]
    best = pareto_front([row[axis.column] for row in known], [row["accuracy"] for row in known])
    return [known[i] for i in best]


def measure_missing(model: str, recipes: Sequence[Recipe], *, latency: bool = False) -> None:
    """Measure what is not measured yet: at once where it is quick, else behind a button.

    With `latency` each recipe is also timed, which is never done unasked.
    """
    points, speeds = state.points(), latencies()
    wanted = list(dict.fromkeys(recipes))
    missing = [recipe for recipe in wanted if not points.known(model, recipe)]
    untimed = [recipe for recipe in wanted if latency and not speeds.known(model, recipe)]
    jobs = [_point_job(model, recipe) for recipe in missing]
    jobs += [_latency_job(model, recipe) for recipe in untimed]
    images = len(load_dataset(state.dataset_name(model)))
    quick = images * len(missing) <= UNASKED and not untimed
    with st.container():  # the chart below keeps its place
        if jobs and (quick or _asked_for(len(missing), images, len(untimed))):
            _work(jobs, quick=quick)


def _point_job(model: str, recipe: Recipe) -> Job:
    return words.describe_recipe(recipe), lambda _waiting: state.points().measure(model, recipe)


def _latency_job(model: str, recipe: Recipe) -> Job:
    text = f"latency of {words.describe_recipe(recipe)}"
    return text, lambda waiting: latencies().measure(model, recipe, waiting)


def _asked_for(points: int, images: int, latencies: int) -> bool:
    """The button that says what there is to measure."""
    parts = [f"{points} point{'s' * (points > 1)} on {images:,} images each"] * (points > 0)
    parts += [f"the latency of {latencies} point{'s' * (latencies > 1)}"] * (latencies > 0)
    text = f"Measure {' and '.join(parts)}"
    return st.button(text, key="trade_offs_measure", icon=":material/timer:", help=MEASURE_HELP)


def _work(jobs: Sequence[Job], *, quick: bool) -> None:
    """Do the jobs under a progress bar, with a way to stop where they are many."""
    bar = st.progress(0.0, text="Measuring…")
    if not quick:
        st.button("Stop", key="trade_offs_stop", help="Keeps the points measured so far.")
    for i, (text, job) in enumerate(jobs):
        show = partial(bar.progress, i / len(jobs))
        show(text=f"{i + 1} of {len(jobs)}: {text}")
        try:
            job(partial(show, text=f"{i + 1} of {len(jobs)}: waiting, others measure now"))
        except ValueError as error:
            st.warning(f"{error}. The other points are there.", title=f"Not measured: {text}")
            return
    if quick:
        bar.empty()
    else:
        st.rerun()  # takes the button and the bar away


@dataclass(frozen=True)
class Points:
    """Everything on the plane, as rows. The curves, original and present recipe are measured on the
    whole test set; a snapshot as it was pinned, a published mark as its paper says."""

    curves: dict[str, Rows]
    singles: dict[str, Rows]
    snapshots: Rows
    published: Rows

    @property
    def measured(self) -> Rows:
        """Those that can be compared: on the same images."""
        return [row for rows in (*self.curves.values(), *self.singles.values()) for row in rows]


def collect(current: Current, chosen: Sequence[Family]) -> Points:
    """What is known by now of the chosen families and the rest."""
    model = current.model
    return Points(
        curves={family.name: rows(model, family.recipes) for family in chosen},
        singles={
            "original": rows(model, [()]),
            "present recipe": rows(model, [current.recipe]) if current.recipe else [],
        },
        snapshots=snapshot_rows(model),
        published=published_rows(model),
    )


def draw(
    model: str, points: Points, styles: Mapping[str, Style], axis_name: str, *, closer: bool
) -> None:
    """The plane, its legend in words, and its table."""
    axis = AXES[axis_name]
    figure = figures.trade_off_plane(
        points.curves,
        points.singles,
        state.colors(),
        points.snapshots,
        styles=styles,
        axis=axis,
        front=front(points.measured, axis),
        published=points.published,
    )
    known = [row for row in points.measured if axis.column in row]
    if closer and known:
        figures.look_closer(figure, max(row["accuracy"] for row in known))
    panels.chart(
        figure,
        "trade_offs_plane",
        f"{model}: accuracy against {axis_name}",
        _table(points),
        on_select=apply_clicked,
        selection_mode="points",
    )
    st.caption(_legend(points, axis_name))


def _legend(points: Points, axis_name: str) -> str:
    """What the marks mean, of those that are there."""
    if not points.measured:
        return "No point of this model is measured yet."
    parts = [
        "Whiskers: 95 % interval of the accuracy on the whole test set.",
        "Dotted stairs: the Pareto front, which no measured point here beats.",
    ]
    if points.snapshots:
        parts.append("Pentagon: a snapshot, at the accuracy it was pinned with; hover says its n.")
    if points.published and axis_name == "bytes":
        parts.append(
            "Diamonds: published results on this network, trained for it; full where a "
            "real file was measured, hollow where bits were added up."
        )
    elif points.published:
        parts.append("The published results have bytes only.")
    return " ".join(parts)


def _table(points: Points) -> dict[str, list[Any]]:
    everything = [*points.measured, *points.snapshots, *points.published]
    return {
        "recipe": [row["words"] for row in everything],
        "bytes": [row["stored_bytes"] for row in everything],
        "ratio": [row.get("compression_ratio") for row in everything],
        "accuracy": [words.percent(row["accuracy"], 2) for row in everything],
        "change, points": [
            100 * row["difference"] if "difference" in row else None for row in everything
        ],
        "MACs": [row.get("macs") for row in everything],
        "p50, ms": [row.get("latency_ms") for row in everything],
        "p95, ms": [row.get("latency_ms_p95") for row in everything],
        "unit and source": [
            f"{row['unit']}, {row['source']}" if "source" in row else "real file"
            for row in everything
        ],
    }


def apply_clicked() -> None:
    """Callback of a click: the point's recipe becomes the recipe; a published mark has none."""
    clicked = st.session_state.trade_offs_plane["selection"]["points"]
    if clicked and clicked[0]["customdata"][0] is not None:
        state.set_recipe(words.read_recipe(clicked[0]["customdata"][0]))
