"""Norm recalibration: its switch, and what it gives, on the pages whose methods shift what the
norms see."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from compress_core.methods.recalibration import RecalibrateNorms, norms_with_statistics
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe import without_kinds
from compress_core.recipe_edit import own_step, with_step, without_step
from ui import words
from ui.panels.widgets import put
from ui.session import measuring, recipe_field, values
from ui.session.state import Current

HELP = (
    "A batch norm subtracts the mean and divides by the spread that it saw in training. With other "
    "weights it sees other outputs: here it measures both anew, on training images, without a "
    "gradient. The test images stay unseen."
)


def show_recalibration(current: Current, page: str) -> DeltaGenerator:
    """The switch, where the network has batch norms; returns the place beside it for what it gives,
    which takes a moment to measure. `page` prefixes its key."""
    with st.container(horizontal=True, vertical_alignment="center"):
        if norms_with_statistics(current.compressed.base.module):
            key = f"{page}_recalibrate"
            put(key, own_step(current.recipe, "recalibrate", ALL_LAYERS) is not None)
            st.toggle("Recalibrate norms", key=key, on_change=_set, args=(key,), help=HELP)
        return st.container()


def _set(key: str) -> None:
    recipe = recipe_field.session_recipe()
    wanted = values.switched(key)
    recipe_field.set_recipe(
        with_step(recipe, RecalibrateNorms())
        if wanted
        else without_step(recipe, "recalibrate", ALL_LAYERS)
    )


def show_gain(current: Current) -> None:
    """What recalibration gives: the score with it and without, on the same test images."""
    without = without_kinds(current.recipe, ("recalibrate",))
    if without == current.recipe or measuring.data_problem(current.model):
        return
    n = measuring.subset_size(current.model)
    before, after = (
        measuring.score(current.model, recipe, n)[0] for recipe in (without, current.recipe)
    )
    change = measuring.change(current.model, without, current.recipe, n)
    st.markdown(
        f"Recalibrated norms: {words.metric(after.metric)} **{words.score(after)}** with them, "
        f"{words.score(before)} without "
        f"({words.score_change(after.metric, change.difference)} on the same {n:,} images)."
    )
