"""Quantize: what is to be said beside the controls."""

import streamlit as st

from compress_core.recipe import without_kinds
from ui import words
from ui.language import _
from ui.session import caches
from ui.session.state import Current

MANY_ZEROS = 0.5  # of all weights, beyond those that were zero before


def fell_on_zero(current: Current) -> None:
    """Where most weights were rounded to zero: that this makes the file small, not the bits."""
    before = caches.size(current.model, without_kinds(current.recipe, ("quantize",)))
    new = current.size.sparsity - before.sparsity
    if new < MANY_ZEROS:
        return
    st.caption(
        _(
            "The file is {smaller} because {share} of the weights fell on **zero**: they are "
            "smaller than half a step between two levels. The zeros are what the file saves, more "
            "than the bits.",
            smaller=words.smaller(current.size.compression_ratio),
            share=words.percent(new, 0),
        )
    )
