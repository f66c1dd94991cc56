"""Channels: whole filters, neurons and heads leave the network, which really gets smaller."""

from functools import partial

import streamlit as st

from compress_core.recipe import up_to
from ui import in_view
from ui.core_sentences import of_core
from ui.language import _
from ui.panels import farthest, small_plane
from ui.panels.norms import place_for_gain, show_gain
from ui.panels.page import frame, framed_heading
from ui.session import fragments, state
from ui.structured import tables
from ui.structured.controls import KNOWS, show_structured
from ui.structured.pictures import bars, locked, sentence, table


@fragments.body
def structured() -> None:
    current = state.current()
    place = frame()
    with place.title:
        framed_heading(
            _("Channels"),
            _(
                "Remove whole filters, neurons and heads: the network itself gets smaller, with "
                "fewer bytes and fewer MACs."
            ),
            r"W \in \mathbb{R}^{m \times n} \;\to\; W' \in \mathbb{R}^{m' \times n'}",
        )
    with place.controls:
        usual = show_structured(current)
        st.caption(_(KNOWS[usual.importance]))
        farthest.show(current, "structured")
    with place.live:
        pictures, beside = st.columns([2, 1])
    with beside:
        small_plane.show(current, "channels", "pruned")
    gain = place_for_gain(current)
    recipe = up_to(current.recipe, "structured")
    try:
        with st.spinner(_(tables.FOLLOWING)):
            groups = tables.groups(current.model, recipe, usual)
    except ValueError as error:
        st.warning(of_core(error), title=_("These importances cannot be measured"))
        return
    if groups:
        with place.controls:
            sentence(current, recipe, groups)
        with pictures:
            bars(groups)
        in_view.lazily("structured_table", partial(table, current, recipe), height=250)
    locked(current)
    show_gain(current, gain)


structured()
