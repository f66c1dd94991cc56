"""What the page of quantization shows of one layer: its errors, its inputs, other formulas."""

import streamlit as st

from compress_core import Recipe
from compress_core.methods.quantization import InputQuantizer, QuantizeActivations
from compress_core.views import summaries
from compress_core.views.summaries import InputView
from ui import figures, words
from ui.core_sentences import of_core
from ui.language import _
from ui.panels.chart import chart, twin
from ui.session import caches, state
from ui.session.state import Current


def errors(current: Current, layer: str) -> None:
    """How far the layer's weights moved."""
    counts, edges = summaries.error_histogram(current.compressed.layers[layer])
    chart(
        figures.error_histogram(counts, edges, state.colors()),
        "quantize_error",
        _("Error of the weights of {layer}", layer=layer),
        {_("from"): edges[:-1], _("to"): edges[1:], _("weights"): counts},
    )


def moves(current: Current, layer: str) -> None:
    """Where each weight went: the levels are the rows."""
    counts, edges = summaries.before_after(current.compressed.layers[layer])
    chart(
        figures.before_after(counts, edges, state.colors()),
        "quantize_moves",
        _("Weights of {layer}, before → after; darker: more weights", layer=layer),
        {_("w′ from"): edges[:-1], _("w′ to"): edges[1:], _("weights"): counts.sum(1)},
    )


def inputs(current: Current, layer: str) -> None:
    """What comes into a layer whose inputs are rounded, on the calibration images."""
    step = current.compressed.winners("activations").get(layer)
    assert isinstance(step, QuantizeActivations)
    with st.spinner(_("Looking at calibration images…")):
        view = input_view(current.model, current.recipe, layer, step)
    chart(
        figures.input_histogram(
            view.counts, view.edges, view.levels, view.low, view.high, state.colors()
        ),
        "quantize_inputs",
        _("Inputs of {layer} on {n} training images", layer=layer, n=step.samples),
        {_("from"): view.edges[:-1], _("to"): view.edges[1:], _("inputs"): view.counts},
    )
    noise = _("exact") if view.sqnr_db is None else f"{view.sqnr_db:.1f} dB SQNR"
    fate = _("{share} are :orange[clipped]", share=words.percent(view.clipped, 2))
    if step.mode == "dynamic":
        fate = _(
            "the range of all these images is shown, each image or row has its own, narrower one"
        )
    st.caption(
        _(
            "{zeros} are exactly 0, always a level, and are not drawn; {fate}; {noise}.",
            zeros=words.percent(view.zeros),
            fate=fate,
            noise=noise,
        )
    )


@caches.keep(max_entries=64, show_spinner=False)
def input_view(model: str, recipe: Recipe, layer: str, step: QuantizeActivations) -> InputView:
    compressed = caches.compressed(model, recipe)
    quantizer = compressed.layers[layer].inputs
    assert isinstance(quantizer, InputQuantizer)
    seen = compressed.base.calibrate(step.samples, step.seed).input_values(layer)
    return summaries.input_view(seen, quantizer)


def tutorials(current: Current, layer: str) -> None:
    """What the formulas of tutorials would have done to the layer, behind a click."""
    closed = st.expander(
        _("The formulas of tutorials"), key="quantize_textbook", type="compact", on_change="rerun"
    )
    if not closed.open:
        return
    closed.markdown(
        _(
            "Many tutorials quantize by round((w − min) / (max − min) · (2ᵏ − 1)). That is the "
            "asymmetric formula, shifted so that zero may fall between two levels. "
            ":orange[round(w · 255)] is no general quantizer: it only fits weights from 0 to 1; "
            "all others are cut off."
        )
    )
    stored = current.compressed.layers[layer]
    try:
        table = summaries.textbook_table(stored.layer.weight, stored.bits)
    except ValueError as error:
        closed.info(of_core(error))
    else:
        closed.dataframe(
            {of_core(formula): weights for formula, weights in table.items()},
            hide_index=True,
            placeholder="—",
            alt=_("Weights of {layer} by three formulas", layer=layer),
        )


def layers(current: Current) -> None:
    """The table for those who do not see the rows of the live picture."""
    rows = current.size.layers
    winners = current.compressed.winners("quantize")
    steps = [winners.get(row.name) for row in rows]
    twin(
        "quantize_layers",
        _("Signal to quantization noise of each layer"),
        {
            _("layer"): [row.name for row in rows],
            _("step"): [words.describe(step) if step else _("not quantized") for step in steps],
            _("SQNR, dB"): [row.sqnr_db for row in rows],
            _("bits"): [row.bits for row in rows],
            _("bytes"): [row.bytes for row in rows],
            _("encoding"): [", ".join(row.encodings) for row in rows],
        },
    )
