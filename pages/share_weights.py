"""Share weights: every weight becomes one of a few values, a codebook that k-means chooses."""

import streamlit as st

from ui import codebooks, figures, fragments, panels, state, two_models
from ui.controls.share_weights import (
    chosen_sharing,
    quantized_too,
    show_sharing,
    take_quantization_out,
)
from ui.state import Current


@fragments.body
def share_weights() -> None:
    current = state.current()
    panels.heading(
        "Share weights",
        "Sort the weights into a few clusters, and store for each weight only the number of its "
        "cluster. The :green[codebook] holds the means of the clusters.",
        r"w \approx \text{codebook}[\,i\,],\quad \min \textstyle\sum (w - w')^2",
    )
    layer = show_sharing(current)
    panels.exceptions(current, "share")
    both = quantized_too(current)
    if both:
        refusal(both)
    codebook(current, layer)
    layers(current)
    two_models.show(current)


def refusal(both: list[str]) -> None:
    """Quantize and share on the same layers: why not, and the way out."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.warning(
            f"Quantized already: {', '.join(both)}. A weight is stored either as a code on a grid "
            "of equal steps, or as an index into a codebook; not as both.",
            width="stretch",
        )
        st.button(
            "Take quantization out",
            key="share_unquantize",
            icon=":material/close:",
            on_click=take_quantization_out,
            args=(both,),
            help="These layers are then shared, and no longer quantized.",
        )


def codebook(current: Current, layer: str) -> None:
    """The drawn layer's weights with the codebook as ticks, and how often each entry is used."""
    view, colors = codebooks.view(current.model, current.recipe, layer), state.colors()
    rows = {row.name: row for row in codebooks.rows(current.model, current.recipe)}
    left, right = st.columns([3, 2])
    with left:
        panels.chart(
            figures.codebook_histogram(view.counts, view.edges, view.codebook, colors),
            "share_histogram",
            f"Weights of {layer}",
            {"from": view.edges[:-1], "to": view.edges[1:], "weights": view.counts},
        )
    if layer not in rows:
        right.info(
            f"{layer} is not shared. Choose a number of clusters: 16 make indices of 4 bits, and "
            "only their codebook is stored in floats.",
            icon=":material/touch_app:",
        )
        return
    with right:
        panels.chart(
            figures.codebook_usage(view.codebook, view.usage, colors, own_zero=view.zeros > 0),
            "share_usage",
            "How many weights use each entry",
            {"value": view.codebook, "weights": view.usage},
        )
    shared_by = len(rows) if chosen_sharing(current.recipe).scope == "all" else 1
    st.markdown(codebooks.storage_sentence(rows[layer], shared_by))
    st.markdown(codebooks.error_sentence(current.model, current.recipe, rows[layer], shared_by))
    if view.zeros:
        st.caption(
            f"{view.zeros:,} zeros have an :orange[entry of their own]: not in the histogram."
        )


def layers(current: Current) -> None:
    """What sharing made of each layer."""
    found = codebooks.rows(current.model, current.recipe)
    stored = {row.name: row for row in current.size.layers}
    if not found:
        return
    st.markdown("**Each layer**")
    st.dataframe(
        {
            "layer": [row.name for row in found],
            "clusters": [row.entries for row in found],
            "bits": [row.bits for row in found],
            "SSE": [row.sse for row in found],
            "against the optimum": [codebooks.above_optimum(row) for row in found],
            "SQNR, dB": [stored[row.name].sqnr_db for row in found],
            "bytes": [stored[row.name].bytes for row in found],
            "encoding": [", ".join(stored[row.name].encodings) for row in found],
        },
        hide_index=True,
        column_config={
            "SSE": st.column_config.NumberColumn(format="%.4g"),
            "SQNR, dB": st.column_config.NumberColumn(format="%.1f"),
            "bytes": st.column_config.NumberColumn(format="localized"),
        },
        alt="Clusters, error and bytes of each shared layer",
    )
    st.caption(
        "SSE is Σ (w − w′)² against the weights before sharing; the optimum is that of a codebook "
        "of the layer's own. SQNR is against the trained weights: pruning counts as noise, too. "
        "A common codebook is counted in the first layer that uses it."
    )


share_weights()
