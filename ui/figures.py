"""Rows → Plotly figures. No streamlit here, and no arithmetic on weights: only drawing.

Every figure has a fixed height and its `uirevision`, so that zoom survives a new threshold.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.colors import sample_colorscale

from ui.palette import Palette

Array = NDArray[Any]
HEIGHT = 300
FONT = '"Source Sans", sans-serif'  # the app's own, from streamlit's package


def figure(colors: Palette, *, x: str, y: str, height: int = HEIGHT, **layout: Any) -> go.Figure:
    """An empty figure with axis titles, our colours and tight margins."""
    shown = go.Figure()
    shown.update_layout(
        height=height,
        margin={"l": 10, "r": 10, "t": 30, "b": 10},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": colors.text, "size": 13, "family": FONT},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "xanchor": "left"},
        uirevision="keep",
        dragmode="zoom",
        **layout,
    )
    shown.update_xaxes(title=x, gridcolor=colors.grid, zeroline=False, automargin=True)
    shown.update_yaxes(title=y, gridcolor=colors.grid, zeroline=False, automargin=True)
    return shown


def pruning_histogram(
    kept: Array, pruned: Array, edges: Array, colors: Palette, *, threshold: float | None
) -> go.Figure:
    """Counts of w (log), kept and pruned stacked in their colours; lines at ±threshold if given."""
    shown = figure(colors, x="weight w", y="weights per bin (log)")
    add_bins(shown, kept, edges, name="kept", color=colors.kept)
    if pruned.any():
        add_bins(shown, pruned, edges, name="pruned", color=colors.pruned)
    for at, text in ((-threshold, "−t"), (threshold, "+t")) if threshold else ():
        line = {"color": colors.text, "dash": "dash", "width": 1}
        shown.add_vline(x=at, line=line, annotation_text=text, annotation_position="top left")
    shown.update_layout(bargap=0, barmode="stack", showlegend=True)
    shown.update_yaxes(type="log")
    return shown


def weight_histogram(counts: Array, edges: Array, colors: Palette) -> go.Figure:
    """Counts of w of a layer as it was trained."""
    shown = figure(colors, x="weight w", y="weights per bin")
    add_bins(shown, counts, edges, name="original", color=colors.original)
    shown.update_layout(bargap=0)
    return shown


def add_bins(shown: go.Figure, counts: Array, edges: Array, *, name: str, color: str) -> None:
    """The bars of a histogram, bin by bin."""
    shown.add_bar(
        x=((edges[:-1] + edges[1:]) / 2).astype(np.float32),
        y=counts,
        width=float(edges[1] - edges[0]),
        marker={"color": color, "line": {"width": 0}},
        name=name,
        hovertemplate="%{x:.4f}<br>%{y:,} weights<extra>" + name + "</extra>",
    )


def levels_histogram(
    weights: Array, levels: Array, low: float, high: float, colors: Palette
) -> go.Figure:
    """Counts of w with the levels as ticks below, and the tails beyond low … high shaded."""
    limit = float(max(np.abs(weights).max(), abs(low), abs(high))) * 1.05 or 1.0
    counts, edges = np.histogram(weights, bins=101, range=(-limit, limit))
    shown = figure(colors, x="weight w", y="weights per bin")
    add_bins(shown, counts, edges, name="original weights", color=colors.original)
    shown.add_scatter(
        x=levels.astype(np.float32),
        y=np.zeros(len(levels)),
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 16, "color": colors.quantized},
        name=f"{len(levels)} levels",
        hovertemplate="level %{x:.4f}<extra></extra>",
        cliponaxis=False,
    )
    for start, stop in ((-limit, low), (high, limit)):
        if start < stop:
            shown.add_vrect(
                x0=start, x1=stop, fillcolor=colors.pruned, opacity=0.15, line={"width": 0}
            )
    shown.update_layout(bargap=0)
    shown.update_xaxes(range=[-limit, limit])
    return shown


def layer_bars(
    names: Sequence[str],
    values: Sequence[float | None],
    colors: Palette,
    *,
    x: str,
    color: str,
    limit: float | None = None,
) -> go.Figure:
    """One horizontal bar a layer, the first on top; None has no bar, `limit` ends the axis."""
    shown = figure(colors, x=x, y="", height=max(180, 70 + 34 * len(names)))
    shown.add_bar(
        x=list(values),
        y=list(names),
        orientation="h",
        marker={"color": color},
        texttemplate="%{x:.1f}",
        textposition="auto",
        textangle=0,
        hovertemplate="%{y}: %{x:.2f}<extra></extra>",
    )
    shown.update_yaxes(autorange="reversed", gridcolor="rgba(0,0,0,0)")
    shown.update_xaxes(range=None if limit is None else [0, limit])
    return shown


def heatmap(
    values: Array,
    colors: Palette,
    *,
    axes: tuple[str, str],
    title: str,
    rows: Sequence[str] | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
    height: int = HEIGHT,
) -> go.Figure:
    """A matrix as colours, its first row on top; `axes` are the titles of x and y.

    `limits` fix the colour scale; one that reaches below zero gets the colours around zero.
    """
    scale = colors.diverging if limits[0] < 0 else colors.sequential
    shown = figure(colors, x=axes[0], y=axes[1], height=height)
    shown.add_heatmap(
        z=values.astype(np.float32),
        y=list(rows) if rows is not None else None,
        colorscale=list(scale),
        zmin=limits[0],
        zmax=limits[1],
        colorbar={"title": {"text": title, "side": "right"}, "thickness": 12, "outlinewidth": 0},
        hovertemplate="%{y}, %{x}: %{z:.3f}<extra></extra>",
    )
    shown.update_xaxes(showgrid=False)
    shown.update_yaxes(autorange="reversed", showgrid=False)
    return shown


def mask_picture(density: Array, colors: Palette) -> go.Figure:
    """Kept and pruned weights of one layer, (out, in), each in its colour."""
    shown = figure(colors, x="input", y="output")
    shown.add_heatmap(
        z=density.astype(np.float32),
        colorscale=[colors.pruned, colors.kept],
        zmin=0,
        zmax=1,
        colorbar={
            "title": {"text": "kept", "side": "right"},
            "thickness": 12,
            "outlinewidth": 0,
            "tickformat": ".0%",
        },
        hovertemplate="output %{y}, input %{x}: %{z:.0%} kept<extra></extra>",
    )
    shown.update_xaxes(showgrid=False)
    shown.update_yaxes(autorange="reversed", showgrid=False)
    return shown


def error_histogram(counts: Array, edges: Array, colors: Palette) -> go.Figure:
    """How far the compressed weights lie from the original ones."""
    shown = figure(colors, x="error w′ − w", y="weights per bin")
    add_bins(shown, counts, edges, name="error", color=colors.compressed)
    shown.update_layout(bargap=0)
    return shown


def spectrum(values: Array, rank: int, break_even: int, colors: Palette) -> go.Figure:
    """Singular values; those kept at `rank`, those dropped, and where the pair begins to grow."""
    index = np.arange(1, len(values) + 1)
    shown = figure(colors, x="index i", y="singular value σᵢ")
    kept = index <= rank
    for name, mask, color in (("kept", kept, colors.kept), ("dropped", ~kept, colors.pruned)):
        shown.add_bar(
            x=index[mask],
            y=values[mask].astype(np.float32),
            name=name,
            marker={"color": color, "line": {"width": 0}},
            hovertemplate="σ%{x} = %{y:.3f}<extra>" + name + "</extra>",
        )
    mark_break_even(shown, break_even, colors)
    shown.update_layout(bargap=0.1, barmode="overlay")
    return shown


def energy_curve(curve: Array, rank: int, break_even: int, colors: Palette) -> go.Figure:
    """Share of Σσ² kept by the first r singular values, with the present rank marked."""
    ranks = np.arange(1, len(curve) + 1)
    shown = figure(colors, x="rank r", y="energy kept")
    shown.add_scatter(
        x=ranks,
        y=curve.astype(np.float32),
        mode="lines",
        line={"color": colors.kept, "width": 2},
        name="energy",
        hovertemplate="rank %{x}: %{y:.2%}<extra></extra>",
    )
    shown.add_scatter(
        x=[rank],
        y=[curve[rank - 1]],
        mode="markers",
        marker={"color": colors.text, "size": 11, "symbol": "diamond"},
        name="present rank",
        hovertemplate="rank %{x}: %{y:.2%}<extra></extra>",
    )
    mark_break_even(shown, break_even, colors, place="bottom left")
    shown.update_yaxes(tickformat=".0%", range=[0, 1.03])
    return shown


def mark_break_even(
    shown: go.Figure, rank: int, colors: Palette, *, place: str = "top left"
) -> None:
    shown.add_vline(
        x=rank + 0.5,
        line={"color": colors.pruned, "dash": "dot", "width": 2},
        annotation_text=f"break-even {rank}: larger from here",
        annotation_position=place,
    )


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


def shares(
    names: Sequence[str], parts: Mapping[str, Sequence[float]], colors: Palette
) -> go.Figure:
    """Where bytes and MACs are: one bar a quantity, one segment a layer, as shares of the whole."""
    shown = figure(colors, x="share of the model", y="", height=190, barmode="stack")
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


CURVES = {  # colour role, dash and marker: three ways to tell the curves apart
    "prune": ("pruned", "solid", "circle"),
    "quantize": ("quantized", "solid", "square"),
    "factorize": ("kept", "solid", "diamond"),
    "prune + quantize": ("compressed", "solid", "triangle-up"),
    "random_prune": ("original", "dot", "x"),
}


MARKS: dict[str, dict[str, Any]] = {
    "original": {"symbol": "star", "size": 15},
    "present recipe": {"symbol": "circle-open", "size": 18, "line": {"width": 3}},
}


def trade_off_plane(
    curves: Mapping[str, Sequence[dict[str, Any]]],
    singles: Mapping[str, Sequence[dict[str, Any]]],
    colors: Palette,
) -> go.Figure:
    """Accuracy against real bytes (log), a curve a method, whiskers for the 95 % interval.

    A row has stored_bytes, accuracy, accuracy_low, accuracy_high, words, and `id` to click on.
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
    shown.update_xaxes(type="log", dtick="D2")
    shown.update_yaxes(tickformat=".1%", range=None if curves else [0, 1.05])
    shown.update_layout(clickmode="event+select", hovermode="closest")
    return shown


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
