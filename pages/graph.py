"""Graph: the ONNX graph before and after, drawn by Netron, with our numbers on its nodes."""

from typing import Any

import streamlit as st

from compress_core import Recipe
from ui.core_sentences import of_core
from ui.graph import layers
from ui.graph.view import viewer_address, was_shown
from ui.language import N_, _
from ui.panels.page import heading
from ui.panels.placeholder import placeholder
from ui.session import fragments, state
from ui.session.state import Current

HEIGHT = 620  # pixels of a viewer


@fragments.body
def graph() -> None:
    current = state.current()
    heading(
        _("Graph"),
        _(
            "What a runtime gets: the exported ONNX graph. Click a node's title to see its "
            "numbers. Quantized weights come in through DequantizeLinear, a factor pair is two "
            "nodes."
        ),
        r"w = \text{scale} \cdot (q - \text{zero\_point})",
    )
    layers.strip(current)
    viewers(current)
    layers.table(current)


def viewers(current: Current) -> None:
    """Netron twice; at first a frame stands where a graph is still being exported."""
    panes = ((N_("Before"), ()), (N_("After"), current.recipe))
    places = [viewer_place(*both) for both in zip(st.columns(2), panes, strict=True)]
    for place, (title, recipe) in zip(places, panes, strict=True):
        try:
            place.iframe(viewer_address(title.lower(), current.model, recipe), height=HEIGHT)
        except ValueError as error:  # somebody's network may have no graph
            place.info(of_core(error), icon=":material/info:")


def viewer_place(column: Any, pane: tuple[str, Recipe]) -> Any:
    """Under its title; what is shown there already stays until the next graph comes."""
    title, _recipe = pane
    with column:
        st.markdown(f"**{_(title)}**")
        if was_shown(title.lower()):
            return st.container()
        place = st.empty()
        with place:
            text = _("Exporting the graph, a few seconds the first time…")
            placeholder(text, height=HEIGHT)
        return place


graph()
