"""Checkpoint: weights without a network, of any size, one tensor at a time."""

from functools import partial
from typing import Any

import streamlit as st

from compress_core.checkpoint import Checkpoint, Entry
from ui import in_view, words
from ui.checkpoint import details, follows, live, opened, sweep
from ui.checkpoint.controls import chosen_steps, show_controls
from ui.checkpoint.table import choose_tensor
from ui.core_sentences import of_core
from ui.language import _
from ui.session import fragments
from ui.session.state import ROOT

STYLE = ROOT / "ui" / "checkpoint" / "style.css"


@fragments.body
def checkpoint() -> None:
    st.html(STYLE)
    try:
        found = opened.checkpoint()
    except (ValueError, OSError) as error:
        line(None)
        st.error(of_core(error), icon=":material/error:")
        return
    line(found)
    if found is None:
        how_to_open()
        return
    left, middle, right = st.columns([0.36, 0.43, 0.21], gap="medium")
    with left:
        entry = choose_tensor(found)
    if entry is not None:
        picture(found, entry, (middle, right))
    in_view.lazily("checkpoint_sweep_part", partial(sweep.show, found))


def line(found: Checkpoint | None) -> None:
    """The title, and how large the checkpoint is."""
    with st.container(key="checkpoint_line", horizontal=True, vertical_alignment="center"):
        st.title(_("Checkpoint"), anchor=False, width="content")
        if found is not None:
            st.markdown(
                _(
                    "**{name}** · {size} · {tensors:,} tensors · {weights} weights, without a "
                    "network",
                    name=words.escape_markdown(found.path.name),
                    size=words.byte_size(found.bytes),
                    tensors=len(found.entries),
                    weights=words.count(sum(entry.weights for entry in found.entries)),
                ),
                width="content",
            )


def how_to_open() -> None:
    st.info(
        _(
            "No checkpoint is open. Whoever starts the server names one: a .safetensors file, its "
            ".index.json, or their folder, of any size."
        ),
        icon=":material/database:",
    )
    st.code("streamlit run app.py -- --weights-only PATH", language="bash")


def picture(found: Checkpoint, entry: Entry, places: tuple[Any, Any]) -> None:
    """The tensor with its control, and what follows."""
    middle, right = places
    with middle:
        if not entry.is_weight:
            st.info(
                _(
                    "{name} ({dtype}, {shape}) stays as it is: methods act on floats of at least "
                    "two dimensions.",
                    name=words.escape_markdown(entry.name),
                    dtype=entry.dtype,
                    shape=words.shape(entry.shape) or "1",
                )
            )
            return
        with st.container(key="checkpoint_settings"):
            show_controls()
        steps = chosen_steps()
        try:
            weighed = follows.weigh(found, entry, steps)
        except ValueError as error:
            st.error(of_core(error), icon=":material/error:")
            return
        live.show(found, entry, steps, weighed)
        follows.facts(entry, opened.census(found, entry.name))
    with right:
        follows.show(found, entry, steps, weighed)
    in_view.lazily("checkpoint_details", partial(details.show, found, entry, steps))


checkpoint()
