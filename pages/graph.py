"""Graph: the ONNX graph before and after, drawn by Netron, with our numbers on its nodes."""

from functools import partial

import streamlit as st

from ui import in_view, words
from ui.graph.view import viewer_address
from ui.panels.page import heading
from ui.session import caches, fragments, state
from ui.session.state import Current


@fragments.body
def graph() -> None:
    current = state.current()
    heading(
        "Graph",
        "What a runtime gets: the exported ONNX graph. Click a node's title to see its numbers. "
        "Quantized weights come in through DequantizeLinear, a factor pair is two nodes.",
        r"w = \text{scale} \cdot (q - \text{zero\_point})",
    )
    left, right = st.columns(2)
    for column, title, recipe in ((left, "Before", ()), (right, "After", current.recipe)):
        with column:
            st.markdown(f"**{title}**")
            with st.spinner("Exporting the graph, a few seconds the first time…"):
                address = viewer_address(title.lower(), current.model, recipe)
            st.iframe(address, height=620)

    in_view.lazily("graph_table", partial(table, current), height=250)


def table(current: Current) -> None:
    """Layers before and after."""
    rows = current.size.layers
    original = caches.size(current.model, ()).layers
    st.markdown("**Layers before and after**")
    st.dataframe(
        {
            "layer": [row.name for row in rows],
            "shape": [words.shape(row.shape) for row in rows],
            "bits": [row.bits for row in rows],
            "rank": [str(row.rank or "full") for row in rows],
            "sparsity": [words.percent(row.sparsity) for row in rows],
            "bytes before": [row.bytes for row in original],
            "bytes after": [row.bytes for row in rows],
            "MACs before": [row.macs for row in original],
            "MACs after": [row.macs for row in rows],
        },
        hide_index=True,
        alt="Layers before and after",
    )


graph()
