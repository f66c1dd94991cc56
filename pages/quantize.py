"""Quantize: every weight moves to the nearest of 2ᵏ levels; the ticks show them."""

import streamlit as st

from compress_core import summaries
from ui import figures, fragments, live, panels, state
from ui.controls.quantize import FLOAT, show_quantization
from ui.state import Current


@fragments.body
def quantize() -> None:
    current = state.current()
    panels.heading(
        "Quantize",
        "Round every weight to one of 2ᵏ :green[levels], and store the number of the level. Few "
        "levels, or a scale that must serve too many weights, cost accuracy.",
        r"w \approx \text{scale} \cdot (q - \text{zero\_point})",
    )
    layer, channel = show_quantization(current)
    panels.exceptions(current, "quantize")
    live.quantize(current, layer, channel)
    st.caption(
        "Drag an end of the range to clip there: the step then keeps that percentile of |w|. SQNR "
        "is against the original weights: pruning and factorizing count as noise, too."
    )
    rows = current.size.layers
    panels.twin(
        "quantize_layers",
        "Signal to quantization noise of each layer",
        {
            "layer": [row.name for row in rows],
            "SQNR, dB": [row.sqnr_db for row in rows],
            "bits": [row.bits for row in rows],
            "bytes": [row.bytes for row in rows],
            "encoding": [", ".join(row.encodings) for row in rows],
        },
    )
    if current.compressed.layers[layer].bits < FLOAT:
        errors(current, layer)


def errors(current: Current, layer: str) -> None:
    """How far the layer's weights moved, and what the formulas of tutorials would have done."""
    stored = current.compressed.layers[layer]
    counts, edges = summaries.error_histogram(stored)
    panels.chart(
        figures.error_histogram(counts, edges, state.colors()),
        "quantize_error",
        f"Error of the weights of {layer}",
        {"from": edges[:-1], "to": edges[1:], "weights": counts},
    )
    textbook = st.expander(
        "The formulas of tutorials", key="quantize_textbook", type="compact", on_change="rerun"
    )
    if textbook.open:
        textbook.markdown(
            "Many tutorials quantize by round((w − min) / (max − min) · (2ᵏ − 1)). That is the "
            "asymmetric formula, shifted so that zero may fall between two levels. "
            ":orange[round(w · 255)] is no general quantizer: it only fits weights from 0 to 1; "
            "all others are cut off."
        )
        try:
            table = summaries.textbook_table(stored.layer.weight, stored.bits)
        except ValueError as error:
            textbook.info(str(error))
        else:
            textbook.dataframe(table, hide_index=True, alt=f"Weights of {layer} by three formulas")


quantize()
