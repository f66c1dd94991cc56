"""The singular values of a tensor."""

import numpy as np
import plotly.graph_objects as go

from ui.figures.base import Array, figure
from ui.language import _
from ui.palette import Palette

MOST_POINTS = 500


def spectrum_curve(values: Array, energies: Array, colors: Palette) -> go.Figure:
    """Singular values, descending, and the share of energy that the first r of them keep."""
    shown = figure(
        colors,
        x=_("rank r"),
        y=_("singular value σ"),
        yaxis2={
            "title": {"text": _("energy kept")},
            "overlaying": "y",
            "side": "right",
            "range": [0, 1.02],
            "tickvals": [0, 0.25, 0.5, 0.75, 1],
            "tickformat": ".0%",
            "showgrid": False,
        },
    )
    at = np.unique(np.linspace(0, len(values) - 1, min(MOST_POINTS, len(values))).astype(int))
    ranks = at + 1
    shown.add_scatter(
        x=ranks,
        y=values[at].astype(np.float32),
        name=_("singular values"),
        line={"color": colors.original},
        hovertemplate="σ %{x}: %{y:.4g}<extra></extra>",
    )
    shown.add_scatter(
        x=ranks,
        y=energies[at].astype(np.float32),
        name=_("energy kept"),
        line={"color": colors.kept},
        yaxis="y2",
        hovertemplate=_("rank %{x} keeps %{y:.1%}") + "<extra></extra>",
    )
    shown.update_yaxes(rangemode="tozero", selector=0)
    return shown
