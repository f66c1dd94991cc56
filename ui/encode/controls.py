"""Encode: which layer is looked at, and a first step for a model without codes."""

import streamlit as st

from compress_core import Quantize
from compress_core.recipe_edit import with_step
from ui.panels.widgets import LAYER_WIDTH, NUMBER_WIDTH, choose, choose_layer
from ui.session import recipe_field
from ui.session.state import Current

EXTENTS = ("layer", "total")
EXTENT_HELP = "layer: the drawn layer alone. total: all layers that have something to code."
FIRST_BITS = 4


def quantize_first() -> None:
    """The callback of the way out of a model without codes."""
    recipe_field.set_recipe(with_step(recipe_field.session_recipe(), Quantize(bits=FIRST_BITS)))


def show_choice(current: Current) -> tuple[str, int]:
    """The layer, and which of its factors where it has several."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = choose_layer(current, "encode_layer")
        parts = len(current.compressed.layers[layer].weights)
        choose("Coders on", EXTENTS, "encode_extent", EXTENT_HELP, on_change=lambda: None)
        if parts == 1:
            return layer, 0
        if st.session_state.get("encode_factor", 0) not in range(parts):
            st.session_state.encode_factor = 0
        factor = st.selectbox(
            "Factor",
            range(parts),
            key="encode_factor",
            format_func=lambda i: f"{i + 1} of {parts}",
            width=LAYER_WIDTH,
            help="The layer is stored in factors; each is coded on its own. The first acts first.",
        )
    return layer, factor


def choose_symbol(count: int) -> int:
    """Which of the first symbols is decoded, from 0."""
    if st.session_state.get("encode_symbol", 1) > count:
        st.session_state.encode_symbol = 1
    return (
        st.number_input(
            f"Symbol, 1 … {count}",
            1,
            count,
            key="encode_symbol",
            width=NUMBER_WIDTH,
            help="Its way from the root is marked in the tree.",
        )
        - 1
    )


def choose_gap_bits(best: int) -> int:
    """Bits of a distance, the best of the layer to begin with."""
    if "encode_gap_bits" not in st.session_state:
        st.session_state.encode_gap_bits = best
    return st.number_input(
        "Bits of a distance",
        2,
        8,
        key="encode_gap_bits",
        width=NUMBER_WIDTH,
        help="2 … 8. The file takes the best; few bits need fillers where weights stand far apart.",
    )
