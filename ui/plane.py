"""The points of the trade-off plane: measuring the missing ones, and applying a clicked one."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from compress_core import Recipe, load_dataset
from compress_core.search.sweep import Family
from compress_core.search.sweep import families as sweep_families
from ui import state, words

# What a page may measure unasked: about a second on the digits, whose images are few and small.
UNASKED = 100_000  # images times points
MEASURE_HELP = "The curves appear when they are measured; this is done once for everybody."


def families(model: str) -> dict[str, Family]:
    return sweep_families(state.original(model))


def rows(model: str, recipes: Sequence[Recipe]) -> list[dict[str, Any]]:
    """The recipes that are measured, as rows of the plane; `id` is a recipe's text form."""
    found = []
    for recipe in recipes:
        report = state.points().known(model, recipe)
        if report:
            numbers = {key: v for key, v in report.as_dict().items() if key != "layers"}
            found.append(
                numbers | {"id": words.recipe_text(recipe), "words": words.describe_recipe(recipe)}
            )
    return found


def measure_missing(model: str, recipes: Sequence[Recipe]) -> None:
    """Measure what is not measured yet: at once where it is quick, else behind a button."""
    points = state.points()
    missing = [recipe for recipe in recipes if not points.known(model, recipe)]
    if not missing:
        return
    images = len(load_dataset(state.dataset_name(model)))
    quick = images * len(missing) <= UNASKED
    text = f"Measure {len(missing)} points on {images:,} images each"
    if not quick and not st.button(text, key="trade_offs_measure", help=MEASURE_HELP):
        return
    bar = st.progress(0.0, text=text)
    if not quick:
        st.button("Stop", key="trade_offs_stop", help="Keeps the points measured so far.")
    for i, recipe in enumerate(missing):
        bar.progress(
            i / len(missing), text=f"{i + 1} of {len(missing)}: {words.describe_recipe(recipe)}"
        )
        points.measure(model, recipe)
    if quick:
        bar.empty()
    else:
        st.rerun()  # takes the button and the bar away


def apply_clicked() -> None:
    """Callback of a click: the point's recipe becomes the recipe."""
    clicked = st.session_state.trade_offs_plane["selection"]["points"]
    if clicked:
        state.set_recipe(words.read_recipe(clicked[0]["customdata"][0]))
