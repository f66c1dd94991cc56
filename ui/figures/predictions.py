"""What a class has predicted, as bars."""

from collections.abc import Sequence
from html import escape

import plotly.graph_objects as go

from ui.figures.base import figure
from ui.language import _
from ui.palette import Palette


def predictions(
    labels: Sequence[str],
    counts: Sequence[int],
    colors: Palette,
    *,
    x: str,
    measured: int | None,
) -> go.Figure:
    """How many predicted what; the bar at place `measured` holds the measured answer. The labels
    are plain text."""
    shown = figure(colors, x=x, y=_("predictions"), height=240)
    fill = [colors.compressed if i == measured else colors.original for i in range(len(labels))]
    shown.add_bar(
        x=list(range(len(labels))),
        y=list(counts),
        marker={"color": fill},
        hovertemplate=_("%{y} predictions") + "<extra></extra>",
    )
    plain = [escape(label, quote=False) for label in labels]  # Plotly reads some HTML
    shown.update_xaxes(tickvals=list(range(len(labels))), ticktext=plain, showgrid=False)
    shown.update_yaxes(rangemode="tozero", tickformat="d")
    if measured is not None:
        shown.add_annotation(
            x=measured,
            y=counts[measured],
            text=_("measured"),
            showarrow=False,
            yshift=12,
            font={"color": colors.text},
        )
    return shown
