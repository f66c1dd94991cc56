"""What the page of channels shows: what is left, in a sentence, in bars and in a table."""

import streamlit as st

from compress_core import Recipe
from compress_core.methods.structured import PruneStructured
from compress_core.recipe import format_recipe
from compress_core.views.channels import ChannelGroup
from ui import figures, words
from ui.core_sentences import of_core
from ui.language import N_, _
from ui.panels.chart import chart, twin
from ui.panels.page import exceptions
from ui.session import caches, measured, state
from ui.session.state import Current
from ui.structured import tables

COLUMNS = 2
UNITS = (N_("filters"), N_("neurons"), N_("heads"), N_("channels"))  # the core's words


def sentence(current: Current, recipe: Recipe, groups: tuple[ChannelGroup, ...]) -> None:
    """How much of the network is left."""
    kept, units = sum(g.kept.sum() for g in groups), sum(g.kept.size for g in groups)
    before, after = (caches.size(current.model, steps).macs for steps in ((), recipe))
    st.markdown(
        _(
            "**{model}** keeps :blue[{kept:,}] of the {units:,} channels that can go, and {share} "
            "of its multiply-accumulates: {after} of {before}.",
            model=current.model,
            kept=kept,
            units=units,
            share=words.percent(after / before),
            after=words.count(after),
            before=words.count(before),
        )
    )
    exceptions(current, "structured")
    st.caption(one_shot(current))


def one_shot(current: Current) -> str:
    """What such a cut does without training, by the curve of this model, if it has one."""
    step = PruneStructured(0.3)
    rows = {row["id"]: row for row in measured.curve(current.model, "channels")}
    row = rows.get(format_recipe((step,)))
    if row is None:
        return _(
            "Removing whole channels is a coarse cut, and nothing is trained again afterwards: "
            "*Recover* does."
        )
    return _(
        "Removing whole channels is a coarse cut, and nothing is trained again afterwards: {step} "
        "of {model} leaves {found} {metric} ({change}, n = {n:,}). *Recover* trains it again.",
        step=words.describe(step),
        model=current.model,
        found=words.measured(row["metric"], figures.value(row)),
        metric=words.metric(row["metric"]),
        change=words.point_change(row["metric"], row["difference"]),
        n=row["n"],
    )


def bars(groups: tuple[ChannelGroup, ...]) -> None:
    """The importances of each group, sorted: what is removed stands at the right end."""
    for start in range(0, len(groups), COLUMNS):
        row = groups[start : start + COLUMNS]
        for column, group in zip(st.columns(COLUMNS), row, strict=False):
            shown = figures.channel_bars(
                group.relative, group.kept, state.colors(), unit=_(group.units)
            )
            with column:
                chart(shown, f"structured_{'_'.join(group.layers)}", _title(group), None)
    st.caption(
        _(
            "A bar is the importance of a channel, :blue[kept] or :orange[pruned], in units of its "
            "layer's mean. Layers with a + are coupled: their channels can only go together."
        )
    )
    title = _("Importance of each channel")
    twin("structured_importances", title, tables.importance_table(groups))


def _title(group: ChannelGroup) -> str:
    facts = {
        "layers": " + ".join(group.layers),
        "kept": group.kept.sum(),
        "all": group.kept.size,
        "units": _(group.units),
    }
    if group.floored:
        return _("{layers}: {kept} of {all} {units} kept, stopped by the floor", **facts)
    return _("{layers}: {kept} of {all} {units} kept", **facts)


def table(current: Current, recipe: Recipe) -> None:
    st.markdown(_("**What is left of each layer, before the later steps of the recipe**"))
    rows = tables.layer_table(current.model, recipe)
    whole = st.column_config.NumberColumn(format="localized")
    st.dataframe(
        rows,
        hide_index=True,
        placeholder="—",
        column_config=dict.fromkeys(map(_, tables.COUNTS), whole),
        alt=_("Channels, multiply-accumulates and bytes of each layer"),
    )


def locked(current: Current) -> None:
    """Why some layers keep all of their channels."""
    with st.spinner(_(tables.FOLLOWING)):
        reasons = tables.reasons(current.model)
    if reasons:
        lines = [
            _("- **{layers}**: {why}.", layers=", ".join(names), why=of_core(why))
            for why, names in reasons.items()
        ]
        title = _("**These keep all of their output channels**")
        st.markdown("\n".join([f"{title}\n", *lines]))
