"""The frame around every page: navigation, model, recipe, metrics strip."""

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ui import panels, presenter, snapshots, state
from ui.state import ROOT

PAGES = {
    "Look": (
        (
            "overview",
            "Overview",
            "visibility",
            "Layers, bytes, and what it gets wrong.",
        ),
        ("graph", "Graph", "account_tree", "The ONNX graph before and after, side by side."),
    ),
    "Method": (
        ("prune", "Prune", "content_cut", "Set the smallest weights to zero."),
        ("quantize", "Quantize", "straighten", "Round the weights to a few levels."),
        ("factorize", "Factorize", "call_split", "Replace a weight by two thinner ones."),
    ),
    "Whole": (
        ("combine", "Combine", "tune", "The whole recipe, layer by layer; downloads."),
        (
            "trade_offs",
            "Trade-offs",
            "scatter_plot",
            "All methods: accuracy against bytes.",
        ),
    ),
}


def page(name: str, title: str, icon: str, text: str) -> StreamlitPage:
    return st.Page(
        ROOT / "pages" / f"{name}.py",
        title=title,
        icon=f":material/{icon}:",
        help=text,
        default=name == "overview",
    )


st.set_page_config(
    page_title="Compress Explorer",
    page_icon=str(ROOT / "assets" / "logo.svg"),
    layout="wide",
    initial_sidebar_state="collapsed" if presenter.on() else 300,
)
state.ensure()
snapshots.ensure()
presenter.apply()
navigation = st.navigation(
    {section: [page(*entry) for entry in entries] for section, entries in PAGES.items()}
)
panels.sidebar()
current = state.current()
accuracy_slot = panels.metrics_strip(current)
panels.notices(current)
alarm_slot = st.empty()
by_stage = navigation.url_path == "combine"  # the one page that encodes each stage's file
alarms = state.current_alarms(current, by_stage=by_stage)
panels.show_alarms(alarm_slot, alarms)
slow = navigation.url_path == "trade_offs"  # a sweep: the strip must not wait for its end
if not slow:  # the page's own pictures first
    navigation.run()
accuracy = panels.fill_accuracy(accuracy_slot, current)
measured = state.current_alarms(current, accuracy, by_stage=by_stage)
if measured != alarms:
    panels.show_alarms(alarm_slot, measured)
if slow:
    navigation.run()
