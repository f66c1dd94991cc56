"""Encode: the same numbers in fewer bits. Nothing is lost, so the accuracy stays as it is."""

from functools import partial

import streamlit as st

from compress_core.views import coding
from compress_core.views.coding import Coding, mean_entropy_bits
from ui import figures, in_view
from ui.encode import codings, tabs
from ui.encode.codings import Place
from ui.encode.controls import FIRST_BITS, quantize_first, show_choice
from ui.panels import ledger as ledger_panel
from ui.panels.chart import chart
from ui.panels.norms import show_rest
from ui.panels.page import heading
from ui.session import fragments, state
from ui.session.state import Current


@fragments.body
def encode() -> None:
    current = state.current()
    heading(
        "Encode",
        "The same numbers in fewer bits: frequent symbols get short codes. Nothing is lost, and "
        "the file takes the shortest code of each layer.",
        r"H = -\sum_s p_s \log_2 p_s \ \text{bits a symbol}",
    )
    layer, part, total = show_choice(current)
    show_rest(current, "encode")
    place = Place(current.model, current.recipe, layer, part)
    found = codings.coding(place)
    if found.meaning == "mask":
        floats(found, layer)
    if found.taken is not None:
        st.markdown(codings.layer_sentence(layer, found, codings.row(place)))
        symbols_and_coders(current, place, found, total=total)
        in_view.lazily("encode_tabs", partial(tabs.show, place, found))
    in_view.lazily("encode_ledger", partial(ledger_panel.show, current))


def floats(found: Coding, layer: str) -> None:
    """Why floats cannot be coded, and that their mask can."""
    what = (
        "What can be coded is the mask, which says where the zeros are: a bit a weight."
        if found.taken
        else "No weight is pruned, so there is not even a mask to code."
    )
    st.info(
        f"{layer} is stored in floats of 32 bits. Nearly every one of them occurs only once, so "
        f"no code is shorter than the floats themselves. {what}",
        icon=":material/info:",
    )
    st.button(
        f"Quantize to {FIRST_BITS} bits",
        key="encode_quantize",
        on_click=quantize_first,
        help="Adds the step to the recipe: codes repeat, and what repeats can be coded.",
    )


def symbols_and_coders(current: Current, place: Place, found: Coding, *, total: bool) -> None:
    """How often each symbol occurs, and the bytes of every coder, for this layer or for all."""
    rows = codings.rows(place.model, place.recipe) if total else (codings.row(place),)
    bars, names = coding.symbol_bars(found), codings.names(found)
    left, right = st.columns(2)
    with left:
        labels = [names[symbol] for symbol in bars.symbols]
        chart(
            figures.symbol_histogram(
                labels, bars.counts, bars.ideal_bits, state.colors(), x=codings.axis(found)
            ),
            "encode_symbols",
            f"Symbols of {place.layer}",
            {codings.axis(found): labels, "count": bars.counts, "−log₂ p, bits": bars.ideal_bits},
        )
    with right:
        table = codings.coder_table(rows)
        chart(
            figures.coder_bars(
                table["coder"],
                table["bytes"],
                table["bits per weight"],
                state.colors(),
                taken=table["in the file"],
                bound=mean_entropy_bits(rows),
            ),
            "encode_coders",
            f"Every coder on {'all layers' if total else place.layer}",
            table,
        )
        floats = {*current.compressed.layers} - {row.layer for row in rows} if total else {}
        st.caption(codings.coders_caption(rows, sorted(floats)))


encode()
