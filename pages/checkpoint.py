"""Checkpoint: weights without a network, of any size, one tensor at a time."""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from compress_core.checkpoint import Checkpoint, Entry
from ui import in_view, words
from ui.checkpoint import details, follows, heading, live, opened, sweep
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
        heading.line(None)
        tell(error)
        return
    heading.line(found)
    if found is None:
        heading.how_to_open()
        return
    left, middle, right = st.columns([0.36, 0.43, 0.21], gap="medium")
    with left:
        entry = choose_tensor(found)
    if entry is not None:
        with middle:
            picture(found, entry, right)
        if entry.is_weight:
            more = partial(or_why_not, partial(details.show, found, entry, chosen_steps()))
            in_view.lazily("checkpoint_details", more)
    in_view.lazily("checkpoint_sweep_part", partial(or_why_not, partial(sweep.show, found)))


def or_why_not(draw: Callable[[], None]) -> None:
    """Draw it, or say why it cannot be: steps that do not fit, a file that changes meanwhile."""
    try:
        draw()
    except (ValueError, OSError) as error:
        tell(error)


def tell(error: Exception) -> None:
    st.error(of_core(error), icon=":material/error:")


def picture(found: Checkpoint, entry: Entry, right: Any) -> None:
    """The tensor with its control, and in the place at the right what follows."""
    if not entry.is_weight:
        st.info(
            _(
                "{name} ({dtype}, {shape}) stays as it is: methods act on floats of at least two "
                "dimensions.",
                name=words.escape_markdown(entry.name),
                dtype=entry.dtype,
                shape=words.shape(entry.shape) or "1",
            )
        )
        return
    with st.container(key="checkpoint_settings"):
        show_controls()
    or_why_not(partial(follow, found, entry, right))


def follow(found: Checkpoint, entry: Entry, right: Any) -> None:
    """What the chosen steps do. Raises ValueError where the tensor cannot take them."""
    steps = chosen_steps()
    weighed = follows.weigh(found, entry, steps)
    live.show(found, entry, steps, weighed)
    follows.facts(entry, opened.census(found, entry.name))
    with right:
        follows.show(found, entry, steps, weighed)


checkpoint()
