"""How far jobs are, and the button that stops them."""

from collections.abc import Callable
from typing import Any

import streamlit as st


def job_bar(
    fraction: float, text: str, *, key: str, stop: Callable[[Any], None], of: Any, help_text: str
) -> None:
    """A bar with its text, and Stop, which calls `stop(of)`."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(fraction, text=text)
        st.button(
            "Stop", key=key, icon=":material/stop:", on_click=stop, args=(of,), help=help_text
        )
