"""Figures of weights: histograms, masks, errors, spectra."""

import numpy as np
import plotly.graph_objects as go

from ui.figures.base import Array, add_bins, figure
from ui.language import N_, _
from ui.palette import Palette


def input_histogram(
    counts: Array, edges: Array, levels: Array, low: float, high: float, colors: Palette
) -> go.Figure:
    """Counts of a layer's inputs, the levels as ticks below; what lies beyond low … high shaded."""
    shown = figure(colors, x=_("input x"), y=_("inputs per bin"))
    hover = _("%{x:.4f}<br>%{y:,} inputs")
    add_bins(shown, counts, edges, name=_("inputs"), color=colors.original, hover=hover)
    shown.add_scatter(
        x=levels.astype(np.float32),
        y=np.zeros(len(levels)),
        mode="markers",
        marker={"symbol": "line-ns-open", "size": 16, "color": colors.quantized},
        name=_("{n} levels", n=len(levels)),
        hovertemplate=_("level %{x:.4f}") + "<extra></extra>",
        cliponaxis=False,
    )
    for start, stop, end in ((edges[0], low, low), (high, edges[-1], high)):
        if start < stop:
            shown.add_vrect(
                x0=start, x1=stop, fillcolor=colors.pruned, opacity=0.16, line={"width": 0}
            )
            shown.add_vline(x=end, line={"color": colors.text, "dash": "dash", "width": 1})
    shown.update_layout(bargap=0, showlegend=True)
    return shown


def mask_picture(density: Array, colors: Palette) -> go.Figure:
    """Kept and pruned weights of one layer, (out, in), each in its colour."""
    shown = figure(colors, x=_("input"), y=_("output"))
    shown.add_heatmap(
        z=density.astype(np.float32),
        colorscale=[colors.pruned, colors.kept],
        zmin=0,
        zmax=1,
        colorbar={
            "title": {"text": _("kept"), "side": "right"},
            "thickness": 12,
            "outlinewidth": 0,
            "tickformat": ".0%",
        },
        hovertemplate=_("output %{y}, input %{x}: %{z:.0%} kept") + "<extra></extra>",
    )
    shown.update_xaxes(showgrid=False)
    shown.update_yaxes(autorange="reversed", showgrid=False)
    return shown


def error_histogram(counts: Array, edges: Array, colors: Palette) -> go.Figure:
    """How far the compressed weights lie from the original ones."""
    shown = figure(colors, x=_("error w′ − w"), y=_("weights per bin"))
    add_bins(shown, counts, edges, name=_("error"), color=colors.compressed)
    shown.update_layout(bargap=0)
    return shown


def before_after(counts: Array, edges: Array, colors: Palette) -> go.Figure:
    """Where the weights went, (bins of w', bins of w): on the diagonal they stayed."""
    shown = figure(colors, x=_("weight w before"), y=_("w′ after"))
    middles = ((edges[:-1] + edges[1:]) / 2).astype(np.float32)
    shown.add_heatmap(
        x=middles,
        y=middles,
        z=np.where(counts > 0, np.log10(np.maximum(counts, 1)), np.nan).astype(np.float32),
        customdata=counts,
        colorscale=list(colors.sequential[1:]),
        showscale=False,
        hovertemplate=_("from %{x:.4f} to %{y:.4f}: %{customdata:,} weights") + "<extra></extra>",
    )
    line = {"color": colors.grid, "width": 1}
    shown.add_shape(type="line", x0=edges[0], y0=edges[0], x1=edges[-1], y1=edges[-1], line=line)
    return shown


def channel_bars(
    importances: Array, kept: Array, colors: Palette, *, unit: str, height: int = 180
) -> go.Figure:
    """The importance of each channel, the largest first, kept and pruned in their colours."""
    title = _("{unit}, by importance", unit=unit)
    shown = figure(colors, x=title, y=_("× mean"), height=height)
    order = np.argsort(-importances, kind="stable")
    places = np.arange(1, len(order) + 1)
    for role, mask in ((N_("kept"), kept[order]), (N_("pruned"), ~kept[order])):
        shown.add_bar(
            x=places[mask],
            y=importances[order][mask].astype(np.float32),
            customdata=order[mask],
            name=_(role),
            marker={"color": getattr(colors, role), "line": {"width": 0}},
            hovertemplate=_("number %{customdata}: %{y:.3f}") + f"<extra>{_(role)}</extra>",
        )
    shown.update_layout(bargap=0.15 if len(order) < 40 else 0, barmode="overlay", showlegend=False)
    shown.update_layout(margin={"t": 8})
    shown.update_xaxes(range=[0.5, len(order) + 0.5], showgrid=False)
    shown.update_yaxes(rangemode="tozero")
    return shown
