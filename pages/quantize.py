"""Quantize: every weight moves to one of a few levels; the ticks show them."""

from functools import partial

import streamlit as st

from ui import in_view
from ui.language import _
from ui.panels import farthest
from ui.panels.norms import show_folding
from ui.panels.page import exceptions, frame, framed_heading
from ui.quantize import charts, live, sentences
from ui.quantize.activations import show_activations, show_correction, show_samples
from ui.quantize.controls import show_quantization
from ui.quantize.methods import FLOAT, QUANTIZERS, is_affine
from ui.session import fragments, state
from ui.session.state import Current


@fragments.body
def quantize() -> None:
    current = state.current()
    place = frame()
    with place.controls:
        choice = show_quantization(current)
        method = QUANTIZERS[choice.method]
        aside = _(
            "{layer} has a step of its own: choose scope one to change it.", layer=choice.layer
        )
        st.caption(aside if choice.stands_aside(current) else _(method.caption))
        exceptions(current, "quantize")
        sentences.fell_on_zero(current)
        farthest.show(current, "quantize")
    with place.title:
        framed_heading(
            _("Quantize"),
            _(
                "Round every weight to one of a few :green[levels], and store the number of the "
                "level. Few levels, or a scale that must serve too many weights, cost accuracy."
            ),
            method.formula,
        )
    with place.live:
        live.show(current, choice)
    if current.compressed.layers[choice.layer].bits != FLOAT:
        in_view.lazily("quantize_pictures", partial(pictures, current, choice.layer))
    charts.layers(current)
    around(current)
    in_view.lazily("quantize_more", partial(more, current, choice.layer))


def around(current: Current) -> None:
    """Inputs, biases, and the images that some steps look at."""
    st.markdown(_("**Around the weights**"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        inputs = show_activations(current)
        show_samples(current)
        show_correction(current)
        show_folding(current, "quantize")
    if inputs:
        st.caption(
            _(
                "Here inputs are rounded, and then multiplied as floats. The accuracy is real, but "
                "only a runtime that multiplies integers changes the speed. The file hardly "
                "changes: it holds the static ranges of the inputs, not the inputs."
            )
        )
    exceptions(current, "activations")


def pictures(current: Current, layer: str) -> None:
    """How far the drawn layer's weights moved, and where to."""
    left, right = st.columns(2)
    with left:
        charts.errors(current, layer)
    with right:
        charts.moves(current, layer)


def more(current: Current, layer: str) -> None:
    """The inputs of the drawn layer, and other formulas."""
    if current.compressed.layers[layer].inputs:
        charts.inputs(current, layer)
    if is_affine(current.compressed.winners("quantize").get(layer)):
        charts.tutorials(current, layer)


quantize()
