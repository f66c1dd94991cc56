"""Encode: the same numbers in fewer bits. Nothing is lost, so the accuracy stays as it is."""

from functools import partial

import streamlit as st

from compress_core.views.coding import Coding
from ui import in_view
from ui.encode import coders, codings, tabs
from ui.encode.codings import Place
from ui.encode.controls import FIRST_BITS, quantize_first, show_choice
from ui.language import _
from ui.panels import ledger as ledger_panel
from ui.panels.norms import show_rest
from ui.panels.page import heading
from ui.session import fragments, state


@fragments.body
def encode() -> None:
    current = state.current()
    unit = _("bits a symbol")
    heading(
        _("Encode"),
        _(
            "The same numbers in fewer bits: frequent symbols get short codes. Nothing is lost, "
            "and the file takes the shortest code of each layer."
        ),
        rf"H = -\sum_s p_s \log_2 p_s \ \text{{{unit}}}",
    )
    layer, part, total = show_choice(current)
    show_rest(current, "encode")
    place = Place(current.model, current.recipe, layer, part)
    found = codings.coding(place)
    if found.meaning == "mask":
        floats(found, layer)
    if found.taken is not None:
        with st.spinner(_("Coding the layer in every way…")):
            row = codings.row(place)
        st.markdown(codings.layer_sentence(layer, found, row))
        coders.show(current, place, found, total=total)
        in_view.lazily("encode_tabs", partial(tabs.show, place, found))
    in_view.lazily("encode_ledger", partial(ledger_panel.show, current))


def floats(found: Coding, layer: str) -> None:
    """Why floats cannot be coded, and that their mask can."""
    what = (
        _("What can be coded is the mask, which says where the zeros are: a bit a weight.")
        if found.taken
        else _("No weight is pruned, so there is not even a mask to code.")
    )
    st.info(
        _(
            "{layer} is stored in floats of 32 bits. Nearly every one of them occurs only once, so "
            "no code is shorter than the floats themselves. {what}",
            layer=layer,
            what=what,
        ),
        icon=":material/info:",
    )
    st.button(
        _("Quantize to {bits} bits", bits=FIRST_BITS),
        key="encode_quantize",
        on_click=quantize_first,
        help=_("Adds the step to the recipe: codes repeat, and what repeats can be coded."),
    )


encode()
