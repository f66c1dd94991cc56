"""What the page of channels shows: what is left, in a sentence, in bars and in a table."""

import streamlit as st

from compress_core import Recipe
from compress_core.methods.structured import PruneStructured
from compress_core.recipe import format_recipe
from compress_core.views.channels import ChannelGroup
from ui import figures, words
from ui.panels.chart import chart, twin
from ui.panels.page import exceptions
from ui.session import caches, measured, state
from ui.session.state import Current
from ui.structured import tables

COLUMNS = 2


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
