"""Where a picture will stand: a frame of its size that says what comes, and when."""

import streamlit as st


def placeholder(text: str, *, height: int) -> None:
    """`height` is that of the picture, in pixels, so that nothing jumps when it comes."""
    with st.container(
        border=True,
        height=height,
        horizontal_alignment="center",
        vertical_alignment="center",
    ):
        st.caption(text, text_alignment="center")
