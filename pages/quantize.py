"""Quantize: every weight moves to the nearest of 2ᵏ levels; the ticks show them."""

import streamlit as st

from compress_core import summaries
from ui import controls, figures, harm_panel, panels, state, words

current = state.current()
colors = state.colors()
panels.heading(
    "Quantize",
    "Round every weight to one of 2ᵏ :green[levels], and store the number of the level. Few "
    "levels, or a scale that must serve too many weights, cost accuracy.",
    r"w \approx \text{scale} \cdot (q - \text{zero\_point})",
)
controls.show_quantization(current)
panels.exceptions(current, "quantize")
layers = current.compressed.layers
rows = {row.name: row for row in current.size.layers}
quantized = [name for name, stored in layers.items() if stored.bits < controls.FLOAT]

left, right = st.columns([1, 1], vertical_alignment="bottom")
with left:
    layer = controls.choose_layer(current, "quantize_layer")
channels = layers[layer].layer.shape[0]
with right:
    if st.session_state.get("quantize_channel", 0) >= channels:
        controls.put("quantize_channel", 0)
    channel = st.number_input(
        f"Output channel, 0 … {channels - 1}",
        0,
        channels - 1,
        key="quantize_channel",
        persist_state="session",
        disabled=layer not in quantized or st.session_state.quantize_granularity == "tensor",
        help="Each output channel has its own scale, and so its own levels; this one is drawn.",
    )

left, right = st.columns([3, 2])
with left:
    if layer in quantized:
        view = summaries.levels_view(layers[layer], int(channel))
        what = layer if layers[layer].rank is None else f"the second factor of {layer}"
        panels.chart(
            figures.levels_histogram(view.weights, view.levels, view.low, view.high, colors),
            "quantize_histogram",
            f"Weights of {what} that share a scale, and their levels",
            {"level": view.levels},
        )
        st.caption(
            f"{len(view.weights):,} weights share this scale; {words.percent(view.clipped, 2)} lie "
            f"in the shaded tails beyond {view.low:.4f} … {view.high:.4f} and are clipped."
        )
    else:
        counts, edges = layers[layer].layer.profile.histogram()
        panels.chart(
            figures.weight_histogram(counts, edges, colors),
            "quantize_histogram",
            f"Weights of {layer}, not quantized",
            {"from": edges[:-1], "to": edges[1:], "weights": counts},
        )
        st.caption("Move the bits below 32 to see the levels.")
with right:
    if quantized:
        noise = [rows[name].sqnr_db for name in quantized]
        panels.chart(
            figures.layer_bars(quantized, noise, colors, x="SQNR, dB", color=colors.quantized),
            "quantize_sqnr",
            "Signal to quantization noise of each layer",
            {
                "layer": quantized,
                "SQNR, dB": noise,
                "bits": [rows[name].bits for name in quantized],
                "bytes": [rows[name].bytes for name in quantized],
                "encoding": [", ".join(rows[name].encodings) for name in quantized],
            },
        )
        st.caption(
            "Against the original weights: pruning and factorizing count as noise too. A layer "
            "without a bar is exact."
        )

if layer in quantized:
    counts, edges = summaries.error_histogram(layers[layer])
    panels.chart(
        figures.error_histogram(counts, edges, colors),
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
            table = summaries.textbook_table(layers[layer].layer.weight, layers[layer].bits)
        except ValueError as error:
            textbook.info(str(error))
        else:
            textbook.dataframe(table, hide_index=True, alt=f"Weights of {layer} by three formulas")

harm_panel.show(current)
