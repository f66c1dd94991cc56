"""What follows for the tensor, and for the whole checkpoint if all of it got the same step."""

import streamlit as st

from compress_core.checkpoint import Census, Checkpoint, Entry, Total, Weighed
from compress_core.recipe import Recipe
from ui import words
from ui.checkpoint import opened
from ui.language import _
from ui.session import values

SECONDS_A_WEIGHT = 6e-8  # to quantize and encode, measured
EXACT = "checkpoint_exact"  # key: the tensor and steps of which all weights were asked for


def weigh(checkpoint: Checkpoint, entry: Entry, steps: Recipe) -> Weighed:
    """By some rows, or by all where the button asked for it. Raises ValueError for steps that the
    tensor cannot take."""
    this = (entry.name, steps)
    exact = values.chosen(EXACT, (None, this)) == this
    with st.spinner(_("Encoding all of it…"), show_time=exact):
        return opened.weighed(checkpoint, entry.name, steps, exact=exact)


def show(checkpoint: Checkpoint, entry: Entry, steps: Recipe, weighed: Weighed) -> None:
    """The numbers beside the picture."""
    about = "" if weighed.is_exact else "≈ "
    st.markdown(_("**This tensor**"))
    _sizes(weighed.own_bytes, weighed.stored_bytes, about)
    st.caption(
        _(
            "SQNR {sqnr}, error {error:.3g} rms, {zeros} zeros",
            sqnr=_decibels(weighed.sqnr_db, about),
            error=weighed.rms_error,
            zeros=words.percent(weighed.sparsity),
        )
    )
    if not weighed.is_exact:
        _exact_button(entry, steps, weighed)
    st.markdown(_("**The whole checkpoint**, every weight alike"))
    total = opened.total(checkpoint, steps)
    _whole(total)


def facts(entry: Entry, census: Census) -> None:
    """What the tensor is, in a line."""
    text = _(
        "{shape}, {dtype}: {n} weights of {distinct} distinct values, σ = {std:.4g}, max |w| = "
        "{limit:.4g}",
        shape=words.shape(entry.shape),
        dtype=entry.dtype,
        n=words.count(entry.weights),
        distinct=words.count(census.values.size) if census.exact else _("many"),
        std=census.std,
        limit=census.limit,
    )
    st.caption(text)


def _whole(total: Total) -> None:
    _sizes(total.own_bytes, total.stored_bytes, "≈ ")
    st.caption(
        _(
            "SQNR {sqnr}. An estimate, by some rows of one tensor of each group; the sweep below "
            "looks at all tensors. Norms and biases stay as they are.",
            sqnr=_decibels(total.sqnr_db, "≈ "),
        )
    )


def _sizes(before: int, after: int, about: str) -> None:
    st.metric(
        _("stored bytes"),
        about + words.byte_size(after),
        _(
            "{smaller}, of {size}",
            smaller=words.smaller(before / max(1, after)),
            size=words.byte_size(before),
        ),
        delta_color="off",
        delta_arrow="off",
        label_visibility="collapsed",
    )


def _decibels(value: float | None, about: str) -> str:
    return _("exact") if value is None else f"{about}{value:.1f} dB"


def _exact_button(entry: Entry, steps: Recipe, weighed: Weighed) -> None:
    st.button(
        _("Weigh all of it"),
        key="checkpoint_weigh",
        icon=":material/scale:",
        on_click=_ask_exact,
        args=(entry.name, steps),
        help=_(
            "The numbers are scaled up from {seen} of {n} weights, in rows that lie evenly over "
            "the tensor. All of them take about {seconds}.",
            seen=words.count(weighed.seen),
            n=words.count(weighed.weights),
            seconds=words.seconds(weighed.weights * SECONDS_A_WEIGHT),
        ),
    )


def _ask_exact(name: str, steps: Recipe) -> None:
    st.session_state[EXACT] = (name, steps)
