"""Figures of results: bytes, mistakes, and the plane of accuracy against bytes."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from ui.figures.base import Array, figure
from ui.palette import Palette


def bytes_before_after(
    names: Sequence[str], before: Sequence[int], after: Sequence[int], colors: Palette
) -> go.Figure:
    """Bytes of each layer, original and compressed."""
    height = max(200, 90 + 44 * len(names))
    shown = figure(colors, x="bytes (log)", y="", height=height)
    for name, values, color in (
        ("original", before, colors.original),
        ("compressed", after, colors.compressed),
    ):
        shown.add_bar(
            x=list(values),
            y=list(names),
            orientation="h",
            name=name,
            marker={"color": color},
            texttemplate="%{x:,}",
            hovertemplate="%{y}: %{x:,} bytes<extra>" + name + "</extra>",
        )
    shown.update_layout(barmode="group")
    shown.update_yaxes(autorange="reversed", gridcolor="rgba(0,0,0,0)")
    shown.update_xaxes(type="log", dtick="D2")
    return shown


def waterfall(stages: Sequence[str], sizes: Sequence[int], colors: Palette) -> go.Figure:
    """File size from the original through each stage to the stored file; the steps add up."""
    changes = [sizes[0], *(b - a for a, b in pairwise(sizes)), sizes[-1]]
    shown = figure(colors, x="", y="bytes of the file")
    shown.add_waterfall(
        x=[*stages, "stored file"],
        y=changes,
        measure=["absolute", *["relative"] * (len(sizes) - 1), "total"],
        text=[
            f"{change:+,}" if 0 < i <= len(sizes) - 1 else f"{change:,}"
            for i, change in enumerate(changes)
        ],
        textposition="outside",
        cliponaxis=False,
        decreasing={"marker": {"color": colors.compressed}},
        increasing={"marker": {"color": colors.pruned}},
        totals={"marker": {"color": colors.original}},
        connector={"line": {"color": colors.grid}},
    )
    top = max(sizes)  # room below zero and above the bars for the numbers
    shown.update_yaxes(range=[-0.12 * top, 1.12 * top])
    return shown


def ledger_bars(
    names: Sequence[str],
    sizes: Sequence[int],
    colors: Palette,
    *,
    bound: str | None,
    ours: str,
) -> go.Figure:
    """Bytes of one model in every encoding (log), the largest on top.

    `ours` has the colour of what is compressed; the `bound` is hollow, as it is no file.
    """
    order = sorted(range(len(names)), key=lambda i: -sizes[i])
    shown = figure(colors, x="bytes (log)", y="", height=max(240, 80 + 27 * len(names)))
    fill = {ours: colors.compressed, bound: colors.surface}
    shown.add_bar(
        x=[sizes[i] for i in order],
        y=[names[i] for i in order],
        orientation="h",
        marker={
            "color": [fill.get(names[i], colors.original) for i in order],
            "line": {"width": [2 * (names[i] == bound) for i in order], "color": colors.text},
        },
        text=[f"{sizes[i]:,}" for i in order],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{x:,} bytes<extra></extra>",
    )
    low, high = np.log10(min(sizes)), np.log10(max(sizes))
    room = 0.4 * (high - low) + 0.2  # for the numbers beside the bars
    shown.update_xaxes(type="log", dtick=1, range=[low - 0.35, high + room])
    shown.update_yaxes(autorange="reversed", gridcolor="rgba(0,0,0,0)")
    return shown


def shares(
    names: Sequence[str],
    parts: Mapping[str, Sequence[float]],
    colors: Palette,
    *,
    x: str = "share of the model",
) -> go.Figure:
    """Where bytes and MACs are: one bar a quantity, one segment a layer, as shares of the whole."""
    shown = figure(colors, x=x, y="", height=190, barmode="stack")
    tones = sample_colorscale(list(colors.sequential), np.linspace(0.25, 1, len(names)).tolist())
    totals = {part: sum(values) or 1 for part, values in parts.items()}
    for i, (name, tone) in enumerate(zip(names, tones, strict=True)):
        shown.add_bar(
            x=[values[i] / totals[part] for part, values in parts.items()],
            y=list(parts),
            orientation="h",
            name=name,
            text=name,
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            marker={"color": tone, "line": {"color": colors.surface, "width": 1}},
            hovertemplate=name + ": %{x:.1%} of %{y}<extra></extra>",
        )
    shown.update_layout(showlegend=False, uniformtext={"minsize": 9, "mode": "hide"})
    shown.update_xaxes(tickformat=".0%", range=[0, 1])
    return shown


def confusion(counts: Array, names: Sequence[str], colors: Palette) -> go.Figure:
    """Wrong predictions by true and predicted class; the diagonal would hide them: left out."""
    wrong = counts.astype(np.float32)
    np.fill_diagonal(wrong, np.nan)
    shown = figure(colors, x="predicted", y="true class", height=380)
    shown.add_heatmap(
        z=wrong,
        x=list(names),
        y=list(names),
        colorscale=list(colors.sequential),
        text=np.where(np.isnan(wrong) | (wrong == 0), "", counts.astype(str)),
        texttemplate="%{text}",
        showscale=False,
        xgap=1,
        ygap=1,
        hovertemplate="%{y} taken for %{x}: %{z} images<extra></extra>",
    )
    shown.update_yaxes(autorange="reversed", showgrid=False, type="category")
    shown.update_xaxes(showgrid=False, type="category")
    return shown


def change_by_class(
    names: Sequence[str],
    changes: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    colors: Palette,
) -> go.Figure:
    """Change of each class's accuracy in points with its interval, the first class on top."""
    height = max(200, 70 + 26 * len(names))
    shown = figure(colors, x="change of accuracy, points", y="class", height=height)
    shown.add_bar(
        x=list(changes),
        y=list(names),
        orientation="h",
        marker={"color": [colors.pruned if change < 0 else colors.kept for change in changes]},
        error_x={
            "type": "data",
            "array": [high - x for x, (_, high) in zip(changes, intervals, strict=True)],
            "arrayminus": [x - low for x, (low, _) in zip(changes, intervals, strict=True)],
            "color": colors.text,
            "thickness": 1,
            "width": 3,
        },
        customdata=list(intervals),
        hovertemplate="%{y}: %{x:+.1f} points, 95 % interval "
        "%{customdata[0]:+.1f} … %{customdata[1]:+.1f}<extra></extra>",
    )
    shown.update_yaxes(autorange="reversed", gridcolor="rgba(0,0,0,0)", type="category")
    shown.update_xaxes(zeroline=True, zerolinecolor=colors.original, zerolinewidth=1)
    return shown


CURVES = {  # colour role, dash and marker: three ways to tell the curves apart
    "prune": ("pruned", "solid", "circle"),
    "quantize": ("quantized", "solid", "square"),
    "factorize": ("kept", "solid", "diamond"),
    "prune + quantize": ("compressed", "solid", "triangle-up"),
    "random_prune": ("original", "dot", "x"),
    "prune_taylor": ("pruned", "dash", "circle-open"),
    "prune_wanda": ("pruned", "dashdot", "circle-dot"),
    "n:m": ("pruned", "dot", "hourglass"),
    "channels": ("pruned", "longdash", "bowtie"),
    "gptq": ("quantized", "dash", "square-open"),
    "low-bit": ("quantized", "dot", "cross"),
    "share": ("quantized", "longdash", "star-diamond"),
    "spatial": ("kept", "dash", "diamond-open"),
    "tucker": ("kept", "dot", "diamond-tall"),
    "whitened": ("kept", "dashdot", "diamond-wide"),
    "factorize + prune + share": ("compressed", "dash", "triangle-down"),
}


MARKS: dict[str, dict[str, Any]] = {
    "original": {"symbol": "star", "size": 15},
    "snapshot": {"symbol": "pentagon-open", "size": 14, "line": {"width": 2}},
    "present recipe": {"symbol": "circle-open", "size": 18, "line": {"width": 3}},
}
LABEL = 24  # characters of a snapshot's name beside its point; all of it on hover


def trade_off_plane(
    curves: Mapping[str, Sequence[dict[str, Any]]],
    singles: Mapping[str, Sequence[dict[str, Any]]],
    colors: Palette,
    snapshots: Sequence[dict[str, Any]] = (),
) -> go.Figure:
    """Accuracy against real bytes (log), a curve a method, whiskers for the 95 % interval.

    A row has stored_bytes, accuracy, accuracy_low, accuracy_high, words, and `id` to click on;
    one of a snapshot also the `name` that is written beside it.
    """
    shown = figure(colors, x="bytes of the stored file (log)", y="accuracy", height=520)
    for name, rows in curves.items():
        role, dash, symbol = CURVES[name]
        color = getattr(colors, role)
        shown.add_scatter(
            **_points(rows),
            name=name.replace("_", " "),
            mode="lines+markers",
            line={"color": color, "dash": dash, "width": 2},
            marker={"symbol": symbol, "size": 9, "color": color},
        )
    for name, rows in singles.items():
        if rows:
            marker = {**MARKS[name], "color": colors.text}
            shown.add_scatter(**_points(rows), name=name, mode="markers", marker=marker)
    if snapshots:
        _add_snapshots(shown, snapshots, colors)
    shown.update_xaxes(type="log", dtick="D2")
    shown.update_yaxes(tickformat=".1%", range=None if curves else [0, 1.05])
    shown.update_layout(clickmode="event+select", hovermode="closest")
    return shown


def _add_snapshots(shown: go.Figure, rows: Sequence[dict[str, Any]], colors: Palette) -> None:
    names = [row["name"] for row in rows]
    labels = [name if len(name) <= LABEL else name[: LABEL - 1] + "…" for name in names]
    by_bytes = sorted(range(len(rows)), key=lambda i: rows[i]["stored_bytes"])
    sides = {i: ("bottom left", "bottom right")[rank % 2] for rank, i in enumerate(by_bytes)}
    points = _points(rows)
    shown.add_scatter(
        **points
        | {
            "customdata": [[row["id"], row["words"], escape(row["name"])] for row in rows],
            "hovertemplate": "<b>%{customdata[2]}</b><br>" + points["hovertemplate"],
        },
        name="snapshot",
        mode="markers+text",
        marker={**MARKS["snapshot"], "color": colors.text},
        text=[escape(label) for label in labels],  # plotly reads tags in its text
        textposition=[sides[i] for i in range(len(rows))],  # neighbours on different sides
        cliponaxis=False,
    )


def _points(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "x": [row["stored_bytes"] for row in rows],
        "y": [row["accuracy"] for row in rows],
        "error_y": {
            "type": "data",
            "array": [row["accuracy_high"] - row["accuracy"] for row in rows],
            "arrayminus": [row["accuracy"] - row["accuracy_low"] for row in rows],
            "thickness": 1,
            "width": 3,
        },
        "customdata": [[row["id"], row["words"]] for row in rows],
        "hovertemplate": "%{customdata[1]}<br>%{y:.2%} at %{x:,} bytes<extra></extra>",
    }
