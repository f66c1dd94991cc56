"""Figures of a training: its curves, and the weights as they move."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from compress_core.events import Epoch, Frame
from ui import words
from ui.figures.base import figure, weights_in_bin
from ui.language import _
from ui.palette import Palette

Runs = Mapping[str, Sequence[Epoch]]  # by their names: the training first, then its control arm
LOOKS = (("compressed", "solid"), ("original", "dot"))
HEIGHT = 290
MOST_MARKERS = 40  # of a curve; more would touch each other
MOST_FRAMES = 40  # of a time-lapse
FRAME_MS = 350
BOOK_PLACE = -0.07  # of the height: below the bars


def training_curves(runs: Runs, colors: Palette, *, metric: str) -> go.Figure:
    """Loss and score on held-out training images after each epoch, side by side; a `metric` with a
    % in its title is shown in percent."""
    axis = {"gridcolor": colors.grid, "zeroline": False, "automargin": True}
    epochs = max((run[-1].epochs for run in runs.values() if run), default=1)
    ticks = {"range": [0.5, epochs + 0.5], "title": {"text": _("epoch")}, "tickformat": "d"}
    percent = "%" in metric
    shown = figure(
        colors,
        x=_("epoch"),
        y=_("loss"),
        height=HEIGHT,
        xaxis={**axis, **ticks, "domain": [0, 0.4]},
        yaxis={**axis, "title": {"text": _("loss")}, "rangemode": "tozero"},
        xaxis2={**axis, **ticks, "domain": [0.62, 1], "anchor": "y2"},
        yaxis2={**axis, "title": {"text": metric}, "anchor": "x2"},
        showlegend=len(runs) > 1,
    )
    if percent:
        shown.update_layout(yaxis2={"ticksuffix": " %"})
    for (name, run), look in zip(runs.items(), LOOKS, strict=False):
        _add_curve(shown, name, run, look, colors, percent=percent)
    return shown


def _add_curve(
    shown: go.Figure,
    name: str,
    run: Sequence[Epoch],
    look: tuple[str, str],
    colors: Palette,
    *,
    percent: bool,
) -> None:
    role, dash = look
    style: dict[str, Any] = {
        "x": [epoch.epoch for epoch in run],
        "mode": "lines+markers" if len(run) <= MOST_MARKERS else "lines",
        "line": {"color": getattr(colors, role), "width": 2, "dash": dash},
        "marker": {"size": 6},
        "name": name,
        "legendgroup": name,
    }
    shown.add_scatter(
        y=[epoch.loss for epoch in run],
        hovertemplate=_("epoch %{x}: loss %{y:.4g}") + "<extra>" + name + "</extra>",
        **style,
    )
    shown.add_scatter(
        y=[(100 if percent else 1) * epoch.accuracy for epoch in run],
        hovertemplate=_("epoch %{x}: %{y:.4g}") + "<extra>" + name + "</extra>",
        xaxis="x2",
        yaxis="y2",
        showlegend=False,
        **style,
    )


def weights_of_epoch(frame: Frame, colors: Palette, *, top: float) -> go.Figure:
    """The weights of a layer that are not zero, and its codebook; `top` is the axis' end."""
    shown = _lapse_figure(frame, colors, top)
    shown.add_traces(_traces(frame, colors, top))
    return shown


def time_lapse(frames: Sequence[tuple[str, Frame]], colors: Palette) -> go.Figure:
    """The weights of a layer after each epoch, to scrub and to play; each frame has a name."""
    frames = thinned(frames)
    top = tallest(frame for _name, frame in frames)
    name, last = frames[-1]
    shown = _lapse_figure(last, colors, top)
    shown.add_traces(_traces(last, colors, top))
    shown.update_layout(annotations=[_zeros(name, last, colors)], height=HEIGHT + 60)
    shown.frames = [
        {
            "name": name,
            "data": _traces(frame, colors, top),
            "layout": {"annotations": [_zeros(name, frame, colors)]},
        }
        for name, frame in frames
    ]
    names = [name for name, _frame in frames]
    shown.update_layout(sliders=[_slider(names)], updatemenus=[_play()])
    return shown


def thinned(frames: Sequence[tuple[str, Frame]]) -> list[tuple[str, Frame]]:
    """At most MOST_FRAMES of them, the first and the last among them."""
    places = np.linspace(0, len(frames) - 1, min(MOST_FRAMES, len(frames)))
    return [frames[i] for i in dict.fromkeys(places.round().astype(int).tolist())]


def tallest(frames: Any) -> float:
    """The axis' end at which the bars of all frames fit."""
    return 1.05 * max((max(frame.counts) for frame in frames), default=1) or 1.0


def _lapse_figure(frame: Frame, colors: Palette, top: float) -> go.Figure:
    low = 2 * BOOK_PLACE * top if frame.codebook else 0
    shown = figure(colors, x=_("weight w"), y=_("weights per bin"), height=HEIGHT, bargap=0)
    shown.update_layout(
        showlegend=False,
        xaxis={"range": [frame.low, frame.high]},
        yaxis={"range": [low, top]},
    )
    return shown


def _traces(frame: Frame, colors: Palette, top: float) -> list[dict[str, Any]]:
    """As plain data: to build checked objects for each frame would take long."""
    width = (frame.high - frame.low) / len(frame.counts)
    centers = frame.low + width * (np.arange(len(frame.counts)) + 0.5)
    bars = {
        "type": "bar",
        "x": centers.astype(np.float32).tolist(),
        "y": list(frame.counts),
        "width": width,
        "marker": {"color": colors.kept, "line": {"width": 0}},
        "hovertemplate": weights_in_bin() + "<extra></extra>",
    }
    entries = {
        "type": "scatter",
        "x": list(frame.codebook),
        "y": [BOOK_PLACE * top] * len(frame.codebook),
        "mode": "markers",
        "marker": {"symbol": "triangle-up", "size": 10, "color": colors.quantized},
        "hovertemplate": _("value %{x:.4f}") + "<extra>" + _("codebook") + "</extra>",
        "cliponaxis": False,
    }
    return [bars, entries]


def _zeros(name: str, frame: Frame, colors: Palette) -> dict[str, Any]:
    return {
        "text": _(
            "{name}: {share} zeros, left out", name=name, share=words.percent(frame.sparsity)
        ),
        "xref": "paper",
        "yref": "paper",
        "x": 1,
        "y": 1.08,
        "showarrow": False,
        "xanchor": "right",
        "font": {"color": colors.text},
    }


def _slider(names: Sequence[str]) -> dict[str, Any]:
    move = {"mode": "immediate", "frame": {"duration": 0, "redraw": True}}
    return {
        "active": len(names) - 1,
        "x": 0.17,
        "len": 0.83,
        "pad": {"t": 42},
        "currentvalue": {"visible": False},
        "steps": [{"label": n, "method": "animate", "args": [[n], move]} for n in names],
    }


def _play() -> dict[str, Any]:
    run = {"frame": {"duration": FRAME_MS, "redraw": True}, "fromcurrent": False}
    return {
        "type": "buttons",
        "showactive": False,
        "x": 0,
        "y": 0,
        "xanchor": "left",
        "yanchor": "top",
        "pad": {"t": 58},
        "buttons": [{"label": _("Play"), "method": "animate", "args": [None, run]}],
    }
