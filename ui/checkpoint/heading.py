"""Checkpoint: the title with what is open, and how one is opened."""

import streamlit as st

from compress_core.checkpoint import Checkpoint
from ui import words
from ui.language import _


def line(found: Checkpoint | None) -> None:
    """The title, and how large the checkpoint is."""
    with st.container(key="checkpoint_line", horizontal=True, vertical_alignment="center"):
        st.title(_("Checkpoint"), anchor=False, width="content")
        if found is not None:
            st.markdown(
                _(
                    "**{name}** · {size} · {tensors:,} tensors · {weights} weights, without a "
                    "network",
                    name=words.escape_markdown(found.path.name),
                    size=words.byte_size(found.bytes),
                    tensors=len(found.entries),
                    weights=words.count(sum(entry.weights for entry in found.entries)),
                ),
                width="content",
            )


def how_to_open() -> None:
    st.info(
        _(
            "No checkpoint is open. Whoever starts the server names one: a .safetensors file, its "
            ".index.json, or their folder, of any size."
        ),
        icon=":material/database:",
    )
    st.code("streamlit run app.py -- --weights-only PATH", language=None)
