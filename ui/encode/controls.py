"""Encode: which layer is looked at, and a first step for a model without codes."""

import streamlit as st

from compress_core import Quantize
from compress_core.recipe_edit import with_step
from ui.language import N_, _
from ui.panels.widgets import LAYER_WIDTH, choose, choose_layer, number_field
from ui.session import recipe_field, values
from ui.session.state import Current

EXTENTS = (N_("layer"), N_("total"))
EXTENT_HELP = N_("layer: the drawn layer alone. total: all layers that have something to code.")
FIRST_BITS = 4


def quantize_first() -> None:
    """The callback of the button that quantizes a model without codes."""
    recipe_field.set_recipe(with_step(recipe_field.session_recipe(), Quantize(bits=FIRST_BITS)))


def show_choice(current: Current) -> tuple[str, int, bool]:
    """The layer, which of its factors where it has several, and whether all layers are coded."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        layer = choose_layer("encode_layer")
        parts = len(current.compressed.layers[layer].weights)
        extent = choose(
            _("Coders on"), EXTENTS, "encode_extent", _(EXTENT_HELP), on_change=_nothing
        )
        if parts == 1:
            return layer, 0, extent == "total"
        factor = values.chosen("encode_factor", range(parts))
        values.repair("encode_factor", factor)
        st.selectbox(
            _("Factor"),
            range(parts),
            key="encode_factor",
            persist_state="session",
            format_func=lambda i: _("{n} of {total}", n=i + 1, total=parts),
            width=LAYER_WIDTH,
            help=_(
                "The layer is stored in factors; each is coded on its own. The first acts first."
            ),
        )
    return layer, factor, extent == "total"


def _nothing() -> None:
    """An empty callback: the page's fragment runs again by itself."""


def choose_symbol(count: int) -> int:
    """Which of the first symbols is decoded, from 0."""
    return (
        number_field(
            _("Symbol, 1 … {count}", count=count),
            "encode_symbol",
            1,
            1,
            count,
            help=_("Its way from the root is marked in the tree."),
        )
        - 1
    )


def choose_gap_bits(best: int) -> int:
    """Bits of a distance, the best of the layer to begin with."""
    return number_field(
        _("Bits of a distance"),
        "encode_gap_bits",
        best,
        2,
        8,
        help=_(
            "2 … 8. The file takes the best; few bits need fillers where weights stand far apart."
        ),
    )
