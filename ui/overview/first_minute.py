"""The first minute: what this is, and the live picture of the model, before any table."""

import streamlit as st

from compress_core.recipe import up_to
from ui.language import N_, _
from ui.prune import live
from ui.prune.controls import choice_of_recipe
from ui.session import caches
from ui.session.state import ROOT, Current

DOORS = (
    ("learn", "school", N_("Learn"), N_("lessons of five minutes")),
    ("prune", "content_cut", N_("Prune"), N_("set the smallest weights to zero")),
    ("quantize", "straighten", N_("Quantize"), N_("round them to a few levels")),
    ("factorize", "call_split", N_("Factorize"), N_("two thin layers for one")),
    ("recover", "healing", N_("Recover"), N_("train what is left")),
    ("trade_offs", "scatter_plot", N_("Trade-offs"), N_("all methods on one plane")),
)


def first_minute(current: Current) -> None:
    """Name and sentence, and the weights of the largest layer with a line to drag."""
    st.title("Compress Explorer", anchor=False)
    st.markdown(
        _(
            "Make a neural network smaller and see at once what it costs: **drag the line**. "
            ":orange[Pruned] weights become zero; the line of numbers above tells the measured "
            "accuracy and the bytes of the real file."
        )
    )
    cuts = caches.cuts(current.model, up_to(current.recipe, "prune"))
    live.show(current, choice_of_recipe(current, cuts), cuts)


def doors() -> None:
    """Where one goes from here."""
    with st.container(horizontal=True, gap="small", key="doors"):
        for page, icon, title, text in DOORS:
            st.page_link(
                st.Page(ROOT / "pages" / f"{page}.py"),
                label=_("**{page}**: {what}", page=_(title), what=_(text)),
                icon=f":material/{icon}:",
                width="content",
            )
