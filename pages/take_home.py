"""Take home: everything that leaves, as files that were measured, and what makes them again."""

import streamlit as st

from ui.language import _
from ui.panels.missing_data import needs_data
from ui.panels.page import heading
from ui.session import fragments, measured, state
from ui.take_home import files, more, verdict, work


@fragments.body
def take_home() -> None:
    current = state.current()
    file, size, score = _("file"), _("bytes"), _("score")
    heading(
        _("Take home"),
        _(
            "Everything that leaves, as real files. Each is made when you ask for it, and measured "
            "as it is read by somebody who gets it."
        ),
        rf"\text{{{file}}} \to \text{{{size}}},\ \text{{{score}}} \pm 95\,\%,\ \text{{ms}}",
    )
    needs_data(current.model)
    rows = measured.files(work.work_of(current))
    with st.container():  # the table below keeps its place
        work.show(current)
        verdict.show(rows)
    files.show(current, rows)
    more.show(current, rows)


take_home()
