"""The parts of the page that run anew after a change, each alone, in the order people want them.

A change of the recipe reruns them all, but not the whole app: the browser keeps everything else as
it is, so that nothing greys out or jumps. The bytes come early, then the pictures, then what takes
longer. The measurement in the background wakes only the accuracy.
"""

import streamlit as st

SIZES, BODY, RECIPE, ACCURACY, ALARMS, HARM = (
    "sizes",
    "body",
    "recipe",
    "accuracy",
    "alarms",
    "harm",
)
ORDER = (SIZES, BODY, RECIPE, ACCURACY, ALARMS)

body = st.fragment(key=BODY)  # every page's function is decorated with it


def refresh() -> None:
    """The last act of a callback that changed the recipe."""
    st.rerun([*ORDER, *([HARM] if st.session_state.get("shows_harm") else [])])


def refresh_snapshots() -> None:
    """The last act of a callback that changed what is pinned."""
    st.rerun([RECIPE, BODY])
