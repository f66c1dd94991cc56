"""Coverage: how much of the network the methods can reach."""

import streamlit as st

from ui import words
from ui.session.state import Current

LITTLE_MISSED = 0.95  # coverage below which the sentence is a warning
NAMED = 3  # parameters that no method reaches, by name


def show_coverage(current: Current) -> None:
    """A sentence on the share of the parameters, and on the largest of the others."""
    found = current.size.coverage
    left = sorted(found.unreached, key=lambda pair: -pair[1])
    named = ", ".join(f"{key} ({count:,})" for key, count in left[:NAMED])
    more = f" and {len(left) - NAMED} more" if len(left) > NAMED else ""
    rest = f"; the others are biases and norms such as {named}{more}" if left else ""
    text = f"The methods reach {words.percent(found.fraction)} of the parameters{rest}."
    if found.fraction < LITTLE_MISSED:
        st.warning(text)
    else:
        st.caption(text)
