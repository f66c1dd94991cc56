"""The plane of all methods: how well a model does against what it costs, in bytes, MACs or time.

A row is one measured recipe: the name of its `metric`, the columns of that name (accuracy,
accuracy_low, accuracy_high), the columns of AXES that are known, `words`, and `id`, the recipe's
text form, which a click applies.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

from compress_core.tasks import METRICS, MetricName
from ui import words
from ui.figures.base import figure
from ui.figures.curve_styles import Style
from ui.figures.log_ticks import log_ticks
from ui.language import N_, _
from ui.palette import Palette

Row = Mapping[str, Any]
Rows = Sequence[Row]


def value(row: Row, bound: str = "") -> float:
    """What was measured, or a bound of its interval: "_low", "_high"."""
    found: float = row[row["metric"] + bound]
    return found


@dataclass(frozen=True)
class Losses:
    """The y axis of what is lost against the original: points of a share, else the metric's unit.

    The axis is logarithmic, so what loses nothing stands at `floor`, in the axis's unit.
    """

    metric: MetricName
    floor: float

    @property
    def title(self) -> str:
        metric = words.metric(self.metric)
        if METRICS[self.metric].is_share:
            return _("{metric}: points lost against the original (log)", metric=metric)
        return _("{metric}: more of it against the original (log)", metric=metric)

    def value(self, row: Row, bound: str = "") -> float:
        """What a row loses, or a bound of its interval; no less than the floor."""
        metric = METRICS[self.metric]
        sides = {"_low": "_high", "_high": "_low"} if metric.higher_is_better else {}
        lost = metric.lost(row["difference" + sides.get(bound, bound)])
        return max(self.floor, lost * (100 if metric.is_share else 1))

    def ticks(self, losses: Sequence[float]) -> dict[str, list[Any]]:
        """Ticks of the losses above the floor, and the floor's."""
        found = log_ticks([loss for loss in losses if loss > self.floor])
        pairs = zip(found["tickvals"], found["ticktext"], strict=True)
        above = [(at, text) for at, text in pairs if at > 1.2 * self.floor]
        return {
            "tickvals": [self.floor, *(at for at, _text in above)],
            "ticktext": [_("no loss"), *(text for _at, text in above)],
        }


def losses_of(rows: Rows) -> Losses:
    """The axis for rows of one metric: its floor lies below one image of the fewest, or below half
    the smallest loss."""
    metric = metric_of([rows])
    if METRICS[metric].is_share:
        return Losses(metric, 100 / (2 * max(row["n"] for row in rows)))
    lost = [loss for row in rows if (loss := Losses(metric, 0).value(row)) > 0]
    return Losses(metric, min(lost, default=1) / 2)


@dataclass(frozen=True)
class Axis:
    """What x can be: the column of a row, and the column where its whisker ends, if it has one.

    `title` and `hover` are English: `_` translates them where they are shown.
    """

    column: str
    title: str
    hover: str
    high: str | None = None


AXES = {
    "bytes": Axis("stored_bytes", N_("bytes of the stored file (log)"), N_("%{x:,} bytes")),
    "MACs": Axis("macs", N_("multiply-accumulates of one input (log)"), "%{x:,} MACs"),
    "latency": Axis(
        "latency_ms",
        N_("time of one input in onnxruntime, ms: median, whisker to p95 (log)"),
        "%{x:.3f} ms",
        high="latency_ms_p95",
    ),
}


@dataclass(frozen=True)
class Place:
    """Where a row stands: its cost, and its score or what it loses."""

    axis: Axis
    losses: Losses | None = None

    def y(self, row: Row, bound: str = "") -> float:
        return self.losses.value(row, bound) if self.losses else value(row, bound)

    def hover(self, rows: Rows) -> str:
        """What y is, in the words of a hover."""
        if self.losses is None:
            return f"%{{y:{_digits(rows)}}}"
        return "%{customdata[2]}"

    def customdata(self, row: Row) -> list[Any]:
        """What a click and a hover find: the recipe, its words, and the change in words."""
        change = words.score_change(row["metric"], row["difference"]) if self.losses else ""
        return [row["id"], row["words"], change]


MARKS: dict[str, dict[str, Any]] = {
    N_("original"): {"symbol": "star", "size": 15},
    N_("original, estimate"): {"symbol": "star-open", "size": 15, "line": {"width": 2}},
    N_("present recipe, estimate"): {"symbol": "circle-x-open", "size": 15, "line": {"width": 2}},
    N_("snapshot"): {"symbol": "pentagon-open", "size": 14, "line": {"width": 2}},
    N_("present recipe"): {"symbol": "circle-open", "size": 18, "line": {"width": 3}},
}
PUBLISHED_MARKS = {N_("real file"): "diamond-tall", N_("bit accounting"): "diamond-tall-open"}
SIDES = ("top center", "bottom center", "middle right")  # of the labels of neighbours
LABEL = 24  # characters of a name beside its point; all of it on hover
HEADROOM = 0.08  # above the highest share, for labels
NEAR = 0.05  # below the best score: what a closer look shows


def trade_off_plane(
    curves: Mapping[str, Rows],
    singles: Mapping[str, Rows],
    colors: Palette,
    snapshots: Rows = (),
    *,
    styles: Mapping[str, Style] | None = None,
    place: Place | None = None,
    front: Rows = (),
    published: Rows = (),
) -> go.Figure:
    """The score against cost (log), a curve a method, whiskers for the 95 % interval.

    A snapshot's row also has the `name` that is written beside it; a published one `name`, `unit`
    and `source`, and no recipe to click on. `front` are the rows that no other beats. `place` says
    what x and y are, else bytes and the score; published marks have no losses.
    """
    metric = metric_of([*curves.values(), *singles.values(), snapshots, published])
    place = place or Place(AXES["bytes"])
    axis, losses = place.axis, place.losses
    shown = figure(
        colors, x=_(axis.title), y=losses.title if losses else words.metric(metric), height=560
    )
    for name, rows in curves.items():
        if found := _known(rows, axis):
            _add_curve(shown, name, found, (styles or {}).get(name), place, colors)
    for name, rows in singles.items():
        if found := _known(rows, axis):
            marker = {**MARKS[name], "color": colors.text}
            shown.add_scatter(**_points(found, place), name=_(name), mode="markers", marker=marker)
    if losses is None:
        _add_published(shown, _known(published, axis), axis, colors)
    _add_snapshots(shown, _known(snapshots, axis), place, colors)
    _add_front(shown, _known(front, axis), place, colors)
    shown.update_xaxes(type="log", **log_ticks([x for trace in shown.data for x in trace.x]))
    lowest = None if any(_known(rows, axis) for rows in curves.values()) else 0
    if losses:
        found_losses = [y for trace in shown.data for y in trace.y]
        shown.update_yaxes(type="log", autorange="reversed", **losses.ticks(found_losses))
    elif METRICS[metric].is_share:
        shown.update_yaxes(tickformat=".2~%", range=[lowest, 1 + HEADROOM])
    revision = f"{axis.column} losses" if losses else axis.column
    shown.update_layout(clickmode="event+select", hovermode="closest", uirevision=revision)
    return shown


def metric_of(groups: Sequence[Rows]) -> MetricName:
    """The one metric of all rows. Raises ValueError where they have several: none compares."""
    found: dict[MetricName, None] = dict.fromkeys(row["metric"] for rows in groups for row in rows)
    if len(found) > 1:
        raise ValueError(f"rows of {', '.join(found)} do not compare; draw one metric at a time")
    return next(iter(found), "accuracy")


def look_closer(shown: go.Figure, highest: float) -> None:
    """Show the scores within NEAR of the highest, and the costs that they have."""
    low = highest - NEAR
    points = [point for trace in shown.data for point in zip(trace.x, trace.y, strict=True)]
    costs = [math.log10(x) for x, y in points if y >= low]
    margin = 0.05 * (max(costs) - min(costs)) + 0.02
    shown.update_xaxes(
        range=[min(costs) - margin, max(costs) + margin],
        **log_ticks([x for x, y in points if y >= low]),
    )
    shown.update_yaxes(range=[low, highest + NEAR / 8])
    shown.update_layout(uirevision=f"{shown.layout.uirevision} near")


def _known(rows: Rows, axis: Axis) -> list[Mapping[str, Any]]:
    """The rows that have this cost measured, and are not free of it: a log axis has no zero."""
    return [row for row in rows if row.get(axis.column)]


def _add_curve(
    shown: go.Figure, name: str, rows: Rows, style: Style | None, place: Place, colors: Palette
) -> None:
    look = style or Style("compressed", "solid", "circle")
    color = getattr(colors, look.role)
    shown.add_scatter(
        **_points(rows, place),
        name=_(name.replace("_", " ")),
        mode="lines+markers",
        line={"color": color, "dash": look.dash, "width": 2},
        marker={"symbol": look.symbol, "size": 9, "color": color},
    )


def _add_front(shown: go.Figure, rows: Rows, place: Place, colors: Palette) -> None:
    """The best that a cost can buy: stairs, as nothing was measured between the points."""
    if len(rows) > 1:
        shown.add_scatter(
            x=[row[place.axis.column] for row in rows],
            y=[place.y(row) for row in rows],
            name=_("Pareto front"),
            mode="lines",
            line={"color": colors.text, "width": 1.5, "dash": "2px,3px", "shape": "hv"},
            hoverinfo="skip",
        )


def _add_published(shown: go.Figure, rows: Rows, axis: Axis, colors: Palette) -> None:
    """Marks of the literature, their unit in the label: files, and sums of bits, are two things."""
    for unit, symbol in PUBLISHED_MARKS.items():
        found = sorted(
            (row for row in rows if row["unit"] == unit), key=lambda row: row[axis.column]
        )
        if not found:
            continue
        shown.add_scatter(
            x=[row[axis.column] for row in found],
            y=[value(row) for row in found],
            customdata=[[None, row["name"], row["source"]] for row in found],
            hovertemplate=_(
                "<b>%{{customdata[1]}}</b>, published: %{{y:.2%}} at {cost}, {unit}"
                "<br>%{{customdata[2]}}",
                cost=_(axis.hover),
                unit=_(unit),
            )
            + "<extra></extra>",
            name=_("published, {unit}", unit=_(unit)),
            mode="markers+text",
            marker={"symbol": symbol, "size": 12, "color": colors.original, "line": {"width": 2}},
            text=[f"{row['name']}<br>{_(unit)}" for row in found],
            textposition=[SIDES[i % len(SIDES)] for i in range(len(found))],
            textfont={"color": colors.original, "size": 11},
            cliponaxis=False,
            showlegend=False,  # each says what it is
        )


def _add_snapshots(shown: go.Figure, rows: Rows, place: Place, colors: Palette) -> None:
    if not rows:
        return
    names = [row["name"] for row in rows]
    labels = [name if len(name) <= LABEL else name[: LABEL - 1] + "…" for name in names]
    by_cost = sorted(range(len(rows)), key=lambda i: rows[i][place.axis.column])
    sides = {i: ("bottom left", "bottom right")[rank % 2] for rank, i in enumerate(by_cost)}
    points = _points(rows, place)
    shown.add_scatter(
        **points
        | {
            "customdata": [[*place.customdata(row), escape(row["name"])] for row in rows],
            "hovertemplate": "<b>%{customdata[3]}</b><br>" + points["hovertemplate"],
        },
        name=_("snapshot"),
        mode="markers+text",
        marker={**MARKS["snapshot"], "color": colors.text},
        text=[escape(label) for label in labels],  # plotly reads tags in its text
        textposition=[sides[i] for i in range(len(rows))],  # neighbours on different sides
        cliponaxis=False,
        showlegend=False,  # its name stands beside it
    )


def _points(rows: Rows, place: Place) -> dict[str, Any]:
    axis, y = place.axis, place.y
    thin = {"type": "data", "thickness": 1, "width": 3}
    points = {
        "x": [row[axis.column] for row in rows],
        "y": [y(row) for row in rows],
        "error_y": {
            **thin,
            "array": [y(row, "_high") - y(row) for row in rows],
            "arrayminus": [y(row) - y(row, "_low") for row in rows],
        },
        "customdata": [place.customdata(row) for row in rows],
        "hovertemplate": "%{customdata[1]}<br>"
        + _("{value} at {cost}", value=place.hover(rows), cost=_(axis.hover))
        + "<extra></extra>",
    }
    if axis.high:
        high = [row[axis.high] - row[axis.column] for row in rows]
        points["error_x"] = {**thin, "array": high, "arrayminus": [0] * len(high)}
    return points


def _digits(rows: Rows) -> str:
    return ".2%" if METRICS[metric_of([rows])].is_share else ".4g"
