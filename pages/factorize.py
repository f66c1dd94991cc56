"""Factorize: one weight becomes two or three thinner ones; the spectrum shows what is dropped."""

from functools import partial

import streamlit as st

from compress_core import factor_steps
from ui import in_view
from ui.factorize import live, pictures, sentences, table
from ui.factorize.controls import show_factorization
from ui.language import _
from ui.panels import farthest
from ui.panels.page import frame, framed_heading, heading
from ui.session import fragments, state
from ui.session.state import Current

FORMULAS = {
    "channel": r"W \approx U_r \Sigma_r V_r^\top, \qquad r \le \frac{m\,n}{m + n}",
    "spatial": r"W_{oiyx} \approx \sum_{q \le r} a_{qiy}\, b_{oqx}",
    "tucker": r"W_{oi\cdot} \approx \sum_{p,q} U_{op}\, C_{pq\cdot}\, V_{iq}",
}


@fragments.body
def factorize() -> None:
    current = state.current()
    layers = current.compressed.base.layers
    if not factor_steps.able(layers):
        heading(_("Factorize"), _("Run a layer as thinner ones."), FORMULAS["channel"])
        st.info(_("No layer of this model can run as factors."))
        return
    place = frame()
    with place.controls:
        settings = show_factorization(current)
        if settings.whole:
            sentences.of_model(current)
        else:
            sentences.of_layer(current, settings)
        farthest.show(current, "factorize")
    with place.title:
        framed_heading(
            _("Factorize"),
            _(
                "Run one layer as two or three thinner ones that keep its largest singular values. "
                "Only up to the break-even rank are they smaller and faster."
            ),
            FORMULAS[settings.form],
        )
    with place.live:
        live.show(current, settings)
    if not settings.whole:
        pictures.spectrum(current, settings)
    in_view.lazily("factorize_more", partial(more, current, settings.layer))


def more(current: Current, layer: str) -> None:
    """The drawn layer's weights, and a table of all layers."""
    pictures.weights_before_after(current, layer)
    table.show(current)


factorize()
