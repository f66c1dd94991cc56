"""Encode: the symbols of a layer, and what each coder makes of them."""

import streamlit as st

from compress_core.views import coding
from compress_core.views.coding import Coding, mean_entropy_bits
from ui import figures
from ui.encode import codings
from ui.encode.codings import Place
from ui.language import _
from ui.panels.chart import chart
from ui.session import state
from ui.session.state import Current


def show(current: Current, place: Place, found: Coding, *, total: bool) -> None:
    """How often each symbol occurs, and the bytes of every coder, for this layer or for all."""
    with st.spinner(_("Coding every layer in every way…")):
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
            _("Symbols of {layer}", layer=place.layer),
            {
                codings.axis(found): labels,
                _("count"): bars.counts,
                _("−log₂ p, bits"): bars.ideal_bits,
            },
        )
    with right:
        coders = codings.coders(rows)
        chart(
            figures.coder_bars(
                coders.names,
                coders.sizes,
                coders.bits,
                state.colors(),
                taken=coders.taken,
                bound=mean_entropy_bits(rows),
            ),
            "encode_coders",
            _("Every coder on {layers}", layers=_("all layers") if total else place.layer),
            {
                _("coder"): coders.names,
                _("bits per weight"): coders.bits,
                _("bytes"): coders.sizes,
                _("in the file"): coders.taken,
                _("layers"): coders.counts,
            },
        )
        floats = {*current.compressed.layers} - {row.layer for row in rows} if total else {}
        st.caption(codings.coders_caption(rows, sorted(floats)))
