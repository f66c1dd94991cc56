"""A page's own frame: title, controls and live picture beside each other, and the layers that its
controls do not show."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from compress_core.methods.step import ALL_LAYERS
from ui import presenter, words
from ui.language import _
from ui.session.state import Current


@dataclass(frozen=True)
class Frame:
    """The three places of a method's page; frame.css lays them out. On a phone the picture comes
    before the controls."""

    title: Any
    live: Any
    controls: Any


def frame() -> Frame:
    """Cause and effect in one glance: controls on the left, what moves beside them."""
    with st.container(key="frame"):
        return Frame(
            title=st.container(key="frame_title"),
            live=st.container(key="frame_live"),
            controls=st.container(key="frame_controls"),
        )


def framed_heading(title: str, sentence: str, formula: str) -> None:
    """The heading in the narrow place of a frame."""
    st.title(title, anchor=False, width="content")
    if not presenter.on():  # the presenter says it
        st.caption(sentence)
    st.latex(formula, width="content")


def heading(title: str, sentence: str, formula: str) -> None:
    """A page's title, its one sentence, and its one formula, which wraps where it is narrow."""
    if presenter.on():
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
        listed = [
            _("{layer}: {step}", layer=name, step=words.describe(step))
            for name, step in own.items()
        ]
        st.caption(_("With a step of their own: {steps}.", steps=_("; ").join(listed)))
