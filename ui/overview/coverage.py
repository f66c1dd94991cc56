"""Coverage: how much of the network the methods can reach."""

from collections.abc import Iterable

import streamlit as st

from ui import words
from ui.language import _
from ui.session.state import Current

LITTLE_MISSED = 0.95  # coverage below which the sentence is a warning
NAMED = 3  # parameters that no method reaches, by name


def show_coverage(current: Current) -> None:
    """A sentence on the share of the parameters, and on the largest of the others."""
    found = current.size.coverage
    share = words.percent(found.fraction)
    if found.unreached:
        text = _(
            "The methods reach {share} of the parameters; the others are biases and norms such as "
            "{names}.",
            share=share,
            names=_largest(found.unreached),
        )
    else:
        text = _("The methods reach {share} of the parameters.", share=share)
    if found.fraction < LITTLE_MISSED:
        st.warning(text)
    else:
        st.caption(text)


def _largest(unreached: Iterable[tuple[str, int]]) -> str:
    """The largest by name, and how many more there are."""
    left = sorted(unreached, key=lambda pair: -pair[1])
    names = ", ".join(f"{key} ({count:,})" for key, count in left[:NAMED])
    if len(left) <= NAMED:
        return names
    return _("{names} and {more} more", names=names, more=len(left) - NAMED)
