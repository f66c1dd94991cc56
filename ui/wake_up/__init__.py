"""Rerun the surrounding fragment once, after a while: for a result that is being computed.

`st.fragment(run_every=…)` goes on until its parent runs again; this stops by itself.
"""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from ui import scripts

FIRST_MS, LONGEST_MS = 250, 2000
SECOND = 6  # the turn that comes after about one


def show(key: str, waited: int, first: Callable[[], None] = lambda: None) -> None:
    """Wake the fragment again; `waited` counts the times so far, and each waits longer. Before it,
    `first` is called, which as a callback may rerun other fragments instead."""
    show_after(key, min(LONGEST_MS, FIRST_MS * 1.25**waited) / 1000, first)


def show_after(key: str, seconds: float, first: Callable[[], None] = lambda: None) -> None:
    """The same after so many seconds, at least FIRST_MS."""
    component = st.components.v2.component(
        "wake_up",
        html='<span class="wake-up" hidden></span>',
        js=scripts.telling(Path(__file__).parent / "wake_up.js"),
    )
    after_ms = round(max(FIRST_MS, 1000 * seconds))
    st.session_state[f"{key}_turn"] = turn = st.session_state.get(f"{key}_turn", 0) + 1
    component(key=key, data={"turn": turn, "after_ms": after_ms}, on_now_change=first)
