"""The viewer's address for a graph of this session."""

import streamlit as st

from compress_core import Recipe
from ui.graph.routes import publish
from ui.session import caches


def was_shown(pane: str) -> bool:
    """Whether this session has seen a graph in that `pane`."""
    return f"graph_address_{pane}" in st.session_state


def viewer_address(pane: str, model: str, recipe: Recipe) -> str:
    """Publish a graph for this session's `pane`; the same graph keeps its address."""
    key = f"graph_address_{pane}"
    name = f"{caches.original(model).name} {pane}.onnx"
    address = publish(caches.graph(model, recipe), name, previous=st.session_state.get(key))
    st.session_state[key] = address
    return f"{address}?theme={st.context.theme.type or 'light'}"
