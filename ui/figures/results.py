"""Figures of results: bytes and mistakes."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from ui.figures.base import Array, figure
from ui.language import _
from ui.palette import Palette


def bytes_before_after(
    names: Sequence[str], before: Sequence[int], after: Sequence[int], colors: Palette
) -> go.Figure:
    """Bytes of each layer, original and compressed."""
    height = max(200, 90 + 44 * len(names))
    shown = figure(colors, x=_("bytes (log)"), y="", height=height)
    for name, values, color in (
        (_("original"), before, colors.original),
        (_("compressed"), after, colors.compressed),
    ):
        shown.add_bar(
            x=list(values),
            y=list(names),
            orientation="h",
            name=name,
            marker={"color": color},
            texttemplate="%{x:,}",
            textposition="outside",
            textfont={"size": 11},
            cliponaxis=False,
            hovertemplate=_("%{y}: %{x:,} bytes") + "<extra>" + name + "</extra>",
        )
    shown.update_layout(barmode="group")
    shown.update_yaxes(autorange="reversed", gridcolor="rgba(0,0,0,0)")
    largest, smallest = max(*before, *after), max(1, min(*before, *after))
    low, high = np.log10(smallest), np.log10(largest)  # and room for the numbers beside the bars
    shown.update_xaxes(type="log", dtick=1, range=[low - 0.35, high + 0.25 * (high - low) + 0.2])
    return shown


def waterfall(stages: Sequence[str], sizes: Sequence[int], colors: Palette) -> go.Figure:
    """File size from the original through each stage to the stored file; the steps add up. What a
    stage takes off is pale, what one adds has the colour of what is lost."""
    steps = [b - a for a, b in pairwise(sizes)]
    added = [colors.pruned if step > 0 else _pale(colors.original) for step in steps]
    shown = figure(colors, x="", y=_("bytes of the file"))
    shown.add_bar(
        x=[*stages, _("stored file")],
        y=[sizes[0], *map(abs, steps), sizes[-1]],
        base=[0, *map(min, sizes, sizes[1:]), 0],
        text=[f"{sizes[0]:,}", *map(_signed, steps), f"{sizes[-1]:,}"],
        textposition="outside",
        cliponaxis=False,
        marker={"color": [colors.original, *added, colors.compressed], "line": {"width": 0}},
        hovertemplate=_("%{x}: %{text} bytes") + "<extra></extra>",
    )
    top = max(sizes)  # room below zero and above the bars for the numbers
    shown.update_yaxes(range=[-0.12 * top, 1.12 * top])
    return shown


def _pale(color: str) -> str:
    """A colour like #50545B at a third of its strength."""
    return f"rgba({', '.join(str(int(color[i : i + 2], 16)) for i in (1, 3, 5))}, 0.33)"


def _signed(change: int) -> str:
    return f"{change:+,}".replace("-", "−") if change else "±0"


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
    shown = figure(colors, x=_("bytes (log)"), y="", height=max(240, 80 + 27 * len(names)))
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
        hovertemplate=_("%{y}: %{x:,} bytes") + "<extra></extra>",
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
    x: str | None = None,
) -> go.Figure:
    """Where bytes and MACs are: one bar a quantity, one segment a layer, as shares of the whole,
    which is the model if `x` names no other."""
    title = x or _("share of the model")
    shown = figure(colors, x=title, y="", height=190, barmode="stack")
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
            hovertemplate=_("{name}: %{{x:.1%}} of %{{y}}", name=name) + "<extra></extra>",
        )
    shown.update_layout(showlegend=False, uniformtext={"minsize": 9, "mode": "hide"})
    shown.update_xaxes(tickformat=".0%", range=[0, 1])
    return shown


def confusion(counts: Array, names: Sequence[str], colors: Palette) -> go.Figure:
    """Wrong predictions by true and predicted class; the diagonal would hide them: left out."""
    wrong = counts.astype(np.float32)
    np.fill_diagonal(wrong, np.nan)
    shown = figure(colors, x=_("predicted"), y=_("true class"), height=380)
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
        hovertemplate=_("%{y} taken for %{x}: %{z} images") + "<extra></extra>",
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
    shown = figure(colors, x=_("change of accuracy, points"), y=_("class"), height=height)
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
        hovertemplate=_(
            "%{y}: %{x:+.1f} points, 95 % interval %{customdata[0]:+.1f} … %{customdata[1]:+.1f}"
        )
        + "<extra></extra>",
    )
    shown.update_yaxes(autorange="reversed", gridcolor="rgba(0,0,0,0)", type="category")
    shown.update_xaxes(zeroline=True, zerolinecolor=colors.original, zerolinewidth=1)
    return shown


def cost_after(shares: Mapping[str, float], colors: Palette) -> go.Figure:
    """What is left of each cost, as a share of the original's; a line marks the original."""
    shown = figure(colors, x=_("share of the original"), y="", height=190)
    shown.add_bar(
        x=list(shares.values()),
        y=[f"{cost}: {share:.0%}" for cost, share in shares.items()],
        orientation="h",
        marker={"color": colors.compressed},
        hovertemplate=_("%{y} of the original") + "<extra></extra>",
    )
    shown.add_vline(x=1, line={"color": colors.original, "width": 2, "dash": "dash"})
    shown.update_xaxes(tickformat=".0%", range=[0, 1.05 * max(1, *shares.values())])
    shown.update_yaxes(autorange="reversed", gridcolor="rgba(0,0,0,0)")
    return shown
