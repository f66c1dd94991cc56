"""Own model: a file of one's own becomes the model of all pages, its data what it is judged on."""

import streamlit as st

from compress_core.opening.opened import Opened
from ui.language import _
from ui.own_model import card, choosing, formats, judged
from ui.panels.page import heading
from ui.session import fragments, state


@fragments.body
def own_model() -> None:
    current = state.current()
    heading(
        _("Your own model"),
        _(
            "Bring a network: every page works with it. It is opened in a sandbox, stays on this "
            "server until a day after its last use, and only who has its link sees it."
        ),
        r"\text{file} \to \text{layers} \to \text{recipe} \to \text{file}",
    )
    original = current.original
    left, right = st.columns([2, 3], gap="large")
    with left:
        choosing.show()
        if isinstance(original, Opened):
            judged.show(current, original.facts)
        formats.show()
    with right:
        if isinstance(original, Opened):
            card.show(current, original.facts)
        else:
            st.info(
                _(
                    "{model} is one that ships. Drop a file on the left to work with yours.",
                    model=current.model,
                )
            )


own_model()
