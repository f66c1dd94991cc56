"""What all figures share: an empty one in our colours, bins, bars and matrices."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from ui.language import _
from ui.palette import Palette

Array = NDArray[Any]
HEIGHT = 300
NAMED_ROW = 19  # pixels of a row whose name stands beside it
FONT = '"Source Sans", sans-serif'  # the app's own, from streamlit's package


def figure(colors: Palette, *, x: str, y: str, height: int = HEIGHT, **layout: Any) -> go.Figure:
    """An empty figure with axis titles, our colours and tight margins."""
    axis = {"gridcolor": colors.grid, "zeroline": False, "automargin": True}
    # all at once: each update of a figure costs milliseconds
    return go.Figure(
        layout={
            "height": height,
            "margin": {"l": 10, "r": 10, "t": 30, "b": 10},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"color": colors.text, "size": 13, "family": FONT},
            "legend": {
                "orientation": "h",
                "y": 1.02,
                "yanchor": "bottom",
                "x": 0,
                "xanchor": "left",
            },
            "uirevision": "keep",
            "dragmode": "zoom",
            "xaxis": {"title": {"text": x}, **axis},
            "yaxis": {"title": {"text": y}, **axis},
            **layout,
        }
    )


def add_bins(
    shown: go.Figure,
    counts: Array,
    edges: Array,
    *,
    name: str,
    color: str,
    hover: str | None = None,
) -> None:
    """The bars of a histogram, bin by bin; `hover` says what is counted, usually weights."""
    shown.add_bar(
        x=((edges[:-1] + edges[1:]) / 2).astype(np.float32),
        y=counts,
        width=float(edges[1] - edges[0]),
        marker={"color": color, "line": {"width": 0}},
        name=name,
        hovertemplate=(hover or weights_in_bin()) + "<extra>" + name + "</extra>",
    )


def weights_in_bin() -> str:
    """What a bar of a histogram of weights says on hover."""
    return _("%{x:.4f}<br>%{y:,} weights")


def heatmap(
    values: Array,
    colors: Palette,
    *,
    axes: tuple[str, str],
    title: str,
    rows: Sequence[str] | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
    height: int = HEIGHT,
    ends: tuple[str, str] | None = None,
) -> go.Figure:
    """A matrix as colours, its first row on top; `axes` are the titles of x and y. With names of
    the `rows` it is as high as they need.

    `limits` fix the colour scale; one that reaches below zero gets the colours around zero. `ends`
    are the colours of low and high where these are roles.
    """
    scale = ends or (colors.diverging if limits[0] < 0 else colors.sequential)
    needed = NAMED_ROW * len(rows) + 90 if rows else 0
    shown = figure(colors, x=axes[0], y=axes[1], height=max(height, needed))
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
    shown.update_yaxes(autorange="reversed", showgrid=False, dtick=1 if rows else None)
    return shown
