"""Share weights: every weight becomes one of a few values, a codebook that k-means chooses."""

from functools import partial

import streamlit as st

from compress_core.views.codebooks import CodebookView
from ui import figures, in_view
from ui.language import _
from ui.panels import farthest, small_plane
from ui.panels.chart import chart
from ui.panels.page import exceptions, frame, framed_heading
from ui.session import fragments, state
from ui.session.state import Current
from ui.share_weights import codebooks, tables
from ui.share_weights.controls import quantized_too, show_refusal, show_sharing


@fragments.body
def share_weights() -> None:
    current = state.current()
    place = frame()
    with place.title:
        framed_heading(
            _("Share weights"),
            _(
                "Store for each weight only the number of its cluster. The :green[codebook] holds "
                "the means of the clusters."
            ),
            r"w \approx \text{codebook}[\,i\,],\quad \min \textstyle\sum (w - w')^2",
        )
    quantized = quantized_too(current)
    with place.controls:
        layer = show_sharing()
        exceptions(current, "share")
        if quantized:
            show_refusal(quantized)
        farthest.show(current, "share")
    rows = codebooks.rows(current.model, current.recipe)
    with place.live:
        picture, beside = st.columns([2, 1])
    with beside:
        small_plane.show(current, "share", "quantized")
    with picture:
        if any(row.name == layer for row in rows):
            codebook(current, layer)
        else:
            not_shared(current, layer, waits=layer in quantized)
    in_view.lazily("share_tables", partial(more, current), height=200)


def more(current: Current) -> None:
    """The layers in a table, and the same settings on two models."""
    if codebooks.rows(current.model, current.recipe):
        tables.layers(current)
    tables.two_models(current)


def histogram(current: Current, layer: str) -> CodebookView:
    """The drawn layer's weights with the codebook as ticks."""
    view = codebooks.view(current.model, current.recipe, layer)
    chart(
        figures.codebook_histogram(view.counts, view.edges, view.codebook, state.colors()),
        "share_histogram",
        _("Weights of {layer}", layer=layer),
        {_("from"): view.edges[:-1], _("to"): view.edges[1:], _("weights"): view.counts},
    )
    return view


def not_shared(current: Current, layer: str, *, waits: bool) -> None:
    """A layer without a codebook, and how it gets one."""
    histogram(current, layer)
    if waits:
        text = _("{layer} keeps its quantization for now.", layer=layer)
    else:
        text = _(
            "{layer} is not shared. Choose a number of clusters: with 16 of them, a weight is an "
            "index of 4 bits.",
            layer=layer,
        )
    st.info(text, icon=":material/touch_app:")


def codebook(current: Current, layer: str) -> None:
    """The codebook on the weights, how often each entry is used, and what that costs."""
    view = histogram(current, layer)
    chart(
        figures.codebook_usage(view.codebook, view.usage, state.colors(), own_zero=view.zeros > 0),
        "share_usage",
        _("How many weights use each entry"),
        {_("value"): view.codebook, _("weights"): view.usage},
    )
    for sentence in codebooks.sentences(current.model, current.recipe, layer):
        st.markdown(sentence)
    factors = len(current.compressed.layers[layer].weights)
    if factors > 1:
        st.caption(
            _("{layer} is stored in {n} factors; the last one is drawn.", layer=layer, n=factors)
        )
    if view.zeros:
        st.caption(
            _("{n:,} zeros, not in the histogram, have an :orange[own entry].", n=view.zeros)
        )


share_weights()
