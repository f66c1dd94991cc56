"""The frame around every page: navigation, model, recipe, metrics strip."""

from typing import Literal

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ui import classroom, presenter
from ui.language import N_, _
from ui.learn import bar, composer, place
from ui.panels import harm as harm_panel
from ui.panels.alarms import alarms, notices
from ui.panels.sidebar import sidebar
from ui.panels.strip import accuracy, strip
from ui.session import address, fragments, language_choice, snapshots, state
from ui.session.state import ROOT

PAGES = {
    N_("Look"): (
        (
            "overview",
            N_("Overview"),
            "visibility",
            N_("Layers, bytes, and what it gets wrong."),
        ),
        (
            "own_model",
            N_("Your own model"),
            "upload_file",
            N_("Open a network of your own: ONNX, safetensors, a state dict."),
        ),
        (
            "graph",
            N_("Graph"),
            "account_tree",
            N_("The ONNX graph before and after, side by side."),
        ),
        ("learn", N_("Learn"), "school", N_("Lessons of five minutes: predict, do, see.")),
        ("checkpoint", N_("Checkpoint"), "database", N_("Weights without a network, any size.")),
    ),
    N_("Method"): (
        (
            "prune",
            N_("Prune"),
            "content_cut",
            N_("Set the weights that matter least to zero."),
        ),
        (
            "structured",
            N_("Channels"),
            "view_week",
            N_("Remove whole filters, neurons and heads."),
        ),
        ("quantize", N_("Quantize"), "straighten", N_("Round the weights to a few levels.")),
        (
            "share_weights",
            N_("Share weights"),
            "workspaces",
            N_("Replace the weights by a few shared values."),
        ),
        (
            "factorize",
            N_("Factorize"),
            "call_split",
            N_("Replace a weight by two thinner ones."),
        ),
        (
            "recover",
            N_("Recover"),
            "healing",
            N_("Train what is left, and win accuracy back."),
        ),
    ),
    N_("Whole"): (
        ("encode", N_("Encode"), "data_array", N_("The same numbers in fewer bits.")),
        (
            "combine",
            N_("Combine"),
            "tune",
            N_("The whole recipe, layer by layer."),
        ),
        (
            "trade_offs",
            N_("Trade-offs"),
            "scatter_plot",
            N_("All methods: accuracy against bytes."),
        ),
        ("take_home", N_("Take home"), "download", N_("Every file, measured; script and report.")),
    ),
}
HIDDEN = (("class_answers", N_("Class answers"), "bar_chart", N_("What a class has predicted.")),)
HARM_PAGES = ("prune", "structured", "quantize", "share_weights", "factorize", "combine")


def page(
    name: str,
    title: str,
    icon: str,
    text: str,
    visibility: Literal["visible", "hidden"] = "visible",
) -> StreamlitPage:
    return st.Page(
        ROOT / "pages" / f"{name}.py",
        title=_(title),
        icon=f":material/{icon}:",
        help=_(text),
        default=name == "overview",
        visibility=visibility,
    )


st.set_page_config(
    page_title="Compress Explorer",
    page_icon=str(ROOT / "assets" / "logo.svg"),
    layout="wide",
    initial_sidebar_state="collapsed" if presenter.on() else 300,
)
language_choice.ensure()
state.ensure()
st.session_state[fragments.WHOLE] = False
snapshots.ensure()
language_choice.tell()
presenter.apply()
pages = {_(section): [page(*entry) for entry in entries] for section, entries in PAGES.items()}
pages[""] = [page(*entry, "hidden") for entry in HIDDEN]
if classroom.token():  # its page is for those who know the address
    pages[""].append(st.Page(ROOT / "pages" / "instructor.py", visibility="hidden"))
navigation = st.navigation(pages, expanded=True)
name = navigation.url_path or "overview"
st.session_state.page = name
address.follow_history(name)
place.ensure(name)
st.session_state.shows_harm = name in HARM_PAGES
sidebar()
composer.show(name)
score_place, alarm_place = strip()
notices()
lesson_place = bar.place_for_bar()
navigation.run()  # the page's own pictures first
with score_place:
    accuracy()
with alarm_place:
    alarms()
with lesson_place:
    bar.show(name)
if st.session_state.shows_harm:
    harm_panel.show()
st.session_state[fragments.WHOLE] = True
