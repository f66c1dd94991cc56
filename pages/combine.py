"""Combine: the whole recipe as a table, and what each layer and each stage weighs."""

from functools import partial

import streamlit as st

from ui import in_view
from ui.combine import compare, stages, table, where_the_bytes_are
from ui.language import _
from ui.panels import ledger as ledger_panel
from ui.panels.page import heading
from ui.session import fragments, state
from ui.session.state import ROOT


@fragments.body
def combine() -> None:
    current = state.current()
    heading(
        _("Combine"),
        _(
            "All steps together, layer by layer. Edit a cell to give one layer its own setting: it "
            "becomes a later step of the recipe and wins."
        ),
        stages.order(),
    )
    table.show(current)
    in_view.lazily("combine_bytes", partial(where_the_bytes_are.show, current))
    in_view.lazily("combine_ledger", partial(ledger_panel.show, current))
    in_view.lazily("combine_compare", partial(compare.show, current), height=80)
    st.page_link(
        st.Page(ROOT / "pages" / "take_home.py"),
        label=_("Take it with you: every file, measured"),
        icon=":material/download:",
    )


combine()
