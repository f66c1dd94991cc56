"""A button that shows an icon alone, and bears a name for those who do not see it."""

from typing import Any

import streamlit as st


def icon_button(name: str, icon: str, key: str, **options: Any) -> None:
    """`name` says what it does, as a screen reader reads it; frame.css hides it from the eye."""
    with st.container(key=f"icon_only_{key}", width="content"):
        st.button(name, key=key, icon=f":material/{icon}:", **options)
