"""What stands below the fold is drawn when somebody scrolls to it, and costs nothing before.

Once seen, it is drawn with every change, until another page is shown.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st

from ui import scripts

SCRIPT = Path(__file__).parent / "in_view.js"


def lazily(key: str, draw: Callable[[], None], *, height: int = 400) -> None:
    """Call `draw` here as soon as the place is (nearly) in view; until then it is empty, and about
    as high: `height` pixels. `key` is unique on the page."""
    _part(key, draw, height)


def is_seen(key: str) -> bool:
    """Whether the place called `key` was in view since the page was turned to."""
    return key in _seen()


@st.fragment
def _part(key: str, draw: Callable[[], None], height: int) -> None:
    if is_seen(key):
        draw()
        return
    component = st.components.v2.component(
        "in_view", html='<div class="in-view"></div>', js=scripts.telling(SCRIPT)
    )
    with st.container(height=height, border=False):
        component(key=f"{key}_in_view", on_seen_change=partial(_see, key))


def _see(key: str) -> None:
    _seen().add(key)


def _seen() -> set[str]:
    """The places that were in view on the present page."""
    page, seen = st.session_state.get("in_view", (None, set()))
    if page != st.session_state.get("page"):
        page, seen = st.session_state.in_view = (st.session_state.get("page"), set())
    return seen
