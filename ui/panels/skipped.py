"""The layers that a step leaves out, because they cannot take it, each with the reason."""

from collections.abc import Sequence

import streamlit as st

from compress_core.compressed import Skipped
from compress_core.steps import AnyStep
from ui import words
from ui.core_sentences import of_core
from ui.language import _, n_

SHOWN = 20  # layers that are listed one by one


def show(step: AnyStep, skipped: Sequence[Skipped], *, key: str) -> None:
    """A line under the step, which can be unfolded; nothing if the step leaves no layer out."""
    left_out = [found for found in skipped if found.step == step]
    if not left_out:
        return
    with st.expander(title(len(left_out)), key=key, type="compact"):
        st.markdown(listed(left_out))


def title(count: int) -> str:
    """ "3 layers left out"."""
    return n_("{n} layer left out", "{n} layers left out", count)


def listed(left_out: Sequence[Skipped]) -> str:
    """A line for each layer: its name and why it cannot take the step."""
    lines = [
        _(
            "- **{layer}** {reason}.",
            layer=words.escape_markdown(found.layer),
            reason=words.escape_markdown(of_core(found.reason)),
        )
        for found in left_out[:SHOWN]
    ]
    more = len(left_out) - SHOWN
    return "\n".join([*lines, *([_("- and {more} more", more=more)] if more > 0 else [])])
