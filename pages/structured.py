"""Channels: whole filters, neurons and heads leave the network, which really gets smaller."""

from functools import partial

import streamlit as st

from compress_core import Recipe
from compress_core.methods.structured import PruneStructured
from compress_core.recipe import format_recipe, up_to
from compress_core.views.channels import ChannelGroup
from ui import figures, in_view, words
from ui.panels import farthest, small_plane
from ui.panels.chart import chart, twin
from ui.panels.norms import place_for_gain, show_gain
from ui.panels.page import exceptions, frame, framed_heading
from ui.session import caches, fragments, measured, state
from ui.session.state import Current
from ui.structured import tables
from ui.structured.controls import KNOWS, show_structured

COLUMNS = 2


@fragments.body
def structured() -> None:
    current = state.current()
    place = frame()
    with place.title:
        framed_heading(
            "Channels",
            "Remove whole filters, neurons and heads: the network itself gets smaller, with fewer "
            "bytes and fewer MACs.",
            r"W \in \mathbb{R}^{m \times n} \;\to\; W' \in \mathbb{R}^{m' \times n'}",
        )
    with place.controls:
        usual = show_structured(current)
        st.caption(KNOWS[usual.importance])
        farthest.show(current, "structured")
    with place.live:
        pictures, beside = st.columns([2, 1])
    with beside:
        small_plane.show(current, "channels", "pruned")
    gain = place_for_gain(current)
    recipe = up_to(current.recipe, "structured")
    try:
        groups = tables.groups(current.model, recipe, usual)
    except ValueError as error:
        st.warning(str(error), title="These importances cannot be measured")
        return
    if groups:
        with place.controls:
            sentence(current, recipe, groups)
        with pictures:
            bars(groups)
        in_view.lazily("structured_table", partial(table, current, recipe), height=250)
    locked(current)
    show_gain(current, gain)


def sentence(current: Current, recipe: Recipe, groups: tuple[ChannelGroup, ...]) -> None:
    """How much of the network is left."""
    kept, units = sum(g.kept.sum() for g in groups), sum(g.kept.size for g in groups)
    before, after = (caches.size(current.model, steps).macs for steps in ((), recipe))
    st.markdown(
        f"**{current.model}** keeps :blue[{kept:,}] of the {units:,} channels that can go, and "
        f"{words.percent(after / before)} of its multiply-accumulates: {words.count(after)} of "
        f"{words.count(before)}."
    )
    exceptions(current, "structured")
    st.caption(one_shot(current))


def one_shot(current: Current) -> str:
    """What such a cut does without training, by the curve of this model, if it has one."""
    text = "Removing whole channels is a coarse cut, and nothing is trained again afterwards"
    step = PruneStructured(0.3)
    rows = {row["id"]: row for row in measured.curve(current.model, "channels")}
    row = rows.get(format_recipe((step,)))
    if row is None:
        return f"{text}: *Recover* does."
    found = words.measured(row["metric"], figures.value(row))
    change = words.point_change(row["metric"], row["difference"])
    name = words.metric(row["metric"])
    return (
        f"{text}: {words.describe(step)} of {current.model} leaves {found} {name} ({change}, n = "
        f"{row['n']:,}). *Recover* trains it again."
    )


def bars(groups: tuple[ChannelGroup, ...]) -> None:
    """The importances of each group, sorted: what is removed stands at the right end."""
    for start in range(0, len(groups), COLUMNS):
        row = groups[start : start + COLUMNS]
        for column, group in zip(st.columns(COLUMNS), row, strict=False):
            shown = figures.channel_bars(
                group.relative, group.kept, state.colors(), unit=group.units
            )
            left = f"{group.kept.sum()} of {group.kept.size} {group.units} kept"
            floor = ", stopped by the floor" if group.floored else ""
            title = f"{' + '.join(group.layers)}: {left}{floor}"
            with column:
                chart(shown, f"structured_{'_'.join(group.layers)}", title, None)
    st.caption(
        "A bar is the importance of a channel, :blue[kept] or :orange[pruned], in units of its "
        "layer's mean. Layers "
        "with a + are coupled: their channels can only go together."
    )
    title = "Importance of each channel"
    twin("structured_importances", title, tables.importance_table(groups))


def table(current: Current, recipe: Recipe) -> None:
    st.markdown("**What is left of each layer, before the later steps of the recipe**")
    rows = tables.layer_table(current.model, recipe)
    whole = st.column_config.NumberColumn(format="localized")
    st.dataframe(
        rows,
        hide_index=True,
        placeholder="—",
        column_config={name: whole for name in rows if name.startswith(("MACs", "bytes"))},
        alt="Channels, multiply-accumulates and bytes of each layer",
    )


def locked(current: Current) -> None:
    """Why some layers keep all of their channels."""
    reasons = tables.reasons(current.model)
    if reasons:
        lines = [f"- **{', '.join(names)}**: {why}." for why, names in reasons.items()]
        st.markdown("\n".join(["**These keep all of their output channels**\n", *lines]))


structured()
