"""Graph: the ONNX graph before and after, drawn by Netron, with our numbers on its nodes."""

from functools import partial

import streamlit as st

from ui import in_view, words
from ui.graph.view import viewer_address
from ui.panels.page import heading
from ui.panels.placeholder import placeholder
from ui.session import caches, fragments, state
from ui.session.state import Current

HEIGHT = 620  # pixels of a viewer


@fragments.body
def graph() -> None:
    current = state.current()
    heading(
        "Graph",
        "What a runtime gets: the exported ONNX graph. Click a node's title to see its numbers. "
        "Quantized weights come in through DequantizeLinear, a factor pair is two nodes.",
        r"w = \text{scale} \cdot (q - \text{zero\_point})",
    )
    viewers(current)
    in_view.lazily("graph_table", partial(table, current), height=250)


def viewers(current: Current) -> None:
    """Netron twice; a frame stands where a graph is still being exported."""
    columns, panes = st.columns(2), (("Before", ()), ("After", current.recipe))
    places = []
    for column, (title, _) in zip(columns, panes, strict=True):
        with column:
            st.markdown(f"**{title}**")
            places.append(st.empty())
    for place in places:
        with place:
            placeholder("Exporting the graph, a few seconds the first time…", height=HEIGHT)
    for place, (title, recipe) in zip(places, panes, strict=True):
        address = viewer_address(title.lower(), current.model, recipe)
        place.iframe(address, height=HEIGHT)


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
        placeholder="—",
        alt="Layers before and after",
    )


graph()
