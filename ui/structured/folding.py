"""Fold: the toggle of batch norms, on each page whose method it helps."""

import streamlit as st

from compress_core.methods.folding import FoldBatchNorm, foldable
from compress_core.methods.step import ALL_LAYERS
from compress_core.recipe_edit import with_step, without_step
from ui.panels.widgets import own_step, put
from ui.session import caches, recipe_field, values
from ui.session.state import Current

FOLD_HELP = (
    "In use, a batch norm only scales and shifts what the layer before it makes: that layer can do "
    "it itself. The network computes the same and has one layer less for each norm; what is "
    "quantized or pruned afterwards are the weights that really run."
)


@st.cache_resource(max_entries=8, show_spinner=False)
def norms(model: str) -> dict[str, str]:
    """The batch norm behind each layer that has one of its own, by name."""
    original = caches.original(model)
    return foldable(original.module, original.examples)


def show_folding(current: Current, page: str) -> None:
    """The toggle, where the model has batch norms that can be folded; `page` prefixes its key."""
    if not norms(current.model):
        return
    key = f"{page}_fold"
    put(key, own_step(current.recipe, "fold", ALL_LAYERS) is not None)
    st.toggle("Fold batch norms", key=key, on_change=_set_folding, args=(key,), help=FOLD_HELP)


def _set_folding(key: str) -> None:
    recipe = recipe_field.session_recipe()
    folded = values.switched(key)
    recipe_field.set_recipe(
        with_step(recipe, FoldBatchNorm()) if folded else without_step(recipe, "fold", ALL_LAYERS)
    )
