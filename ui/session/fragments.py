"""The parts of the page that run again after a change, each alone, the most wanted first.

A change of the recipe reruns them all, but not the whole app: the browser keeps everything else as
it is, so that nothing greys out or jumps. The bytes come early, then the pictures, then what takes
longer. When the background has measured, only the accuracy runs again.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from ui import in_view

SIZES, BODY, RECIPE, NOTICES, ACCURACY, ALARMS, HARM, LESSON = (
    "sizes",
    "body",
    "recipe",
    "notices",
    "accuracy",
    "alarms",
    "harm",
    "lesson",
)
ORDER = (SIZES, BODY, RECIPE, NOTICES, ACCURACY, ALARMS)

WHOLE = "drawn_whole"  # key: whether the last run of the whole app came to its end
SCORED = ("overview", "trade_offs", "recover")  # pages whose body shows scores
body = st.fragment(key=BODY)  # every page's function is decorated with it


@contextmanager
def refresh_once() -> Iterator[None]:
    """Several changes of the recipe in one callback, and one rerun after them."""
    st.session_state.refreshes = 0
    try:
        yield
    finally:
        wanted = st.session_state.pop("refreshes")
    if wanted:
        refresh()


def refresh() -> None:
    """The last act of a callback that changed the recipe."""
    if "refreshes" in st.session_state:  # refresh_once will do it
        st.session_state.refreshes += 1
        return
    _rerun([*ORDER, *_lesson(), *_harm()])


def _rerun(parts: list[str]) -> None:
    """These parts alone; the whole app where its last run has not come to its end: Streamlit 1.67
    then passes over the parts that the run had not drawn."""
    if st.session_state.get(WHOLE):
        st.rerun(parts)
    st.rerun()


def refresh_app() -> None:
    """The last act of a callback after which everything looks different. The same click may have
    set off another callback, of a field that was left, which asks for some parts alone."""
    st.rerun()


def refresh_measured(*, body: bool = False) -> None:
    """The last act of a callback when many more images are measured: what depends on them, and the
    page's `body` where more is known that it shows."""
    shows_scores = st.session_state.get("page") in SCORED
    _rerun([ACCURACY, ALARMS, *([BODY] if body or shows_scores else []), *_harm()])


def _harm() -> list[str]:
    """The panel of those who got hurt, where somebody looks at it."""
    return [HARM] if st.session_state.get("shows_harm") and in_view.is_seen(HARM) else []


def _lesson() -> list[str]:
    """The bar of the lesson, while one is on."""
    return [LESSON] if st.session_state.get("lesson_shown") else []


def refresh_snapshots() -> None:
    """The last act of a callback that changed what is pinned."""
    _rerun([RECIPE, BODY])
