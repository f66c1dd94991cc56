"""A page's own frame: its title, and the layers that its controls do not show."""

import streamlit as st

from compress_core.methods.step import ALL_LAYERS
from ui import presenter, words
from ui.session.state import Current


def heading(title: str, sentence: str, formula: str) -> None:
    """A page's title, its one sentence, and its one formula, which wraps where it is narrow."""
    if presenter.on():  # the presenter says the sentence
        with st.container(horizontal=True, vertical_alignment="center", gap="large"):
            st.title(title, anchor=False, width="content")
            st.latex(formula, width="content")
        return
    st.title(title, anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(sentence, width=560)
        st.latex(formula, width="content")


def exceptions(current: Current, kind: str) -> None:
    """A line on the layers that have a step of their own, which a page's controls do not show."""
    steps = current.compressed.winners(kind)
    own = {name: step for name, step in steps.items() if step.layers != ALL_LAYERS}
    if own:
        listed = "; ".join(f"{name}: {words.describe(step)}" for name, step in own.items())
        st.caption(f"With a step of their own: {listed}.")
