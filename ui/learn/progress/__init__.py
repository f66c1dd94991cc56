"""Which steps of lessons were done: kept by the browser itself, nothing of it on the server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

SCRIPT = Path(__file__).parent / "progress.js"
MOST_KEYS = 500


def note(*done: str) -> None:
    """Let the browser keep these as done."""
    _component("lesson_note", {"add": list(done)})


def known(*, forget: str = "") -> frozenset[str]:
    """What this browser has done, as far as it has told by now; it reruns the fragment when it
    tells more. A new word to `forget` by lets it forget everything, once."""
    before = st.session_state.get("lesson_done")
    told = _told(before)
    found = _component("lesson_done", {"known": sorted(told), "forget": forget, "tells": True})
    return _told(found)


def _told(found: Any) -> frozenset[str]:
    """The browser may send anything."""
    keys: Any = getattr(found, "done", None)
    if not isinstance(keys, Sequence) or isinstance(keys, str):
        return frozenset()
    return frozenset(key for key in keys[:MOST_KEYS] if isinstance(key, str))


def _component(key: str, data: dict[str, Any]) -> Any:
    component = st.components.v2.component(
        "lesson_progress", html="<span hidden></span>", js=SCRIPT.read_text()
    )
    return component(key=key, data=data, on_done_change=lambda: None)
