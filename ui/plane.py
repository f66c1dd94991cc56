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


def families(model: str) -> dict[str, Family]:
    return sweep_families(state.original(model))


def point(model: str, recipe: Recipe) -> dict[str, Any]:
    """A measured recipe as a row of the plane; `id` is its text form."""
    report = state.points().measure(model, recipe)
    described = " → ".join(words.describe(step) for step in recipe) or "original"
    row = {"id": words.recipe_text(recipe), "words": described}
    return row | {key: value for key, value in report.as_dict().items() if key != "layers"}


def rows(model: str, family: Family) -> list[dict[str, Any]]:
    """The measured points of a family, mild to strong."""
    known = [recipe for recipe in family.recipes if state.points().known(model, recipe)]
    return [point(model, recipe) for recipe in known]


def measure_missing(model: str, chosen: Sequence[Family]) -> None:
    """Measure what is not measured yet: at once where it is quick, else behind a button."""
    points = state.points()
    missing = [r for family in chosen for r in family.recipes if not points.known(model, r)]
    if not missing:
        return
    images = len(load_dataset(state.dataset_name(model)))
    quick = images * len(missing) <= UNASKED
    text = f"Measure {len(missing)} points on {images:,} images each"
    if not quick and not st.button(text, key="trade_offs_measure"):
        st.caption("The curves appear when they are measured; this is done once for everybody.")
        return
    bar = st.progress(0.0, text=text)
    if not quick:
        st.button("Stop", key="trade_offs_stop", help="Keeps the points measured so far.")
    for i, recipe in enumerate(missing):
        described = " → ".join(words.describe(step) for step in recipe)
        bar.progress(i / len(missing), text=f"{i + 1} of {len(missing)}: {described}")
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
