"""What the controls of all pages share: linked values, rows of choices."""

import math
import time
from collections.abc import Callable
from typing import Literal

import streamlit as st

from ui.session.state import Current

LAYER_WIDTH, NUMBER_WIDTH = 180, 140  # pixels
ECHO_S = 3.0  # how long a browser may send back a value that we have replaced meanwhile
SAMPLES, MOST_SAMPLES = 256, 4096  # training images that a step looks at


def put(key: str, value: object) -> None:
    """Set a widget's value before it is drawn in this run, and remember what it replaces."""
    before = st.session_state.get(key)
    if before != value:
        st.session_state[key] = value
        if isinstance(before, int | float):
            echoes(key).append((before, time.monotonic()))


def moved(key: str) -> bool:
    """Whether a person moved this widget.

    Two controls that show one quantity write into each other. A person who moves one of them fast
    sends along what the other showed before we wrote into it; that is an echo and no wish.
    """
    now = time.monotonic()
    echoes(key)[:] = [(value, at) for value, at in echoes(key) if now - at < ECHO_S]
    found = st.session_state[key]
    return not any(math.isclose(found, value, rel_tol=1e-5) for value, _ in echoes(key))


def echoes(key: str) -> list[tuple[float, float]]:
    """The values of a widget that we replaced lately, each with the time of that."""
    found: list[tuple[float, float]] = st.session_state.setdefault(f"{key}_echoes", [])
    return found


def choose(
    label: str,
    options: tuple[str, ...],
    key: str,
    text: str,
    *,
    on_change: Callable[[], None] | Literal["rerun"] = "rerun",
) -> None:
    """A row of choices that always has one chosen, the first to begin with."""
    if st.session_state.get(key) not in options:  # the first visit, or the browser's back button
        st.session_state[key] = options[0]
    st.segmented_control(
        label,
        options,
        key=key,
        required=True,
        bind="query-params",
        on_change=on_change,
        help=text,
    )


def choose_layer(current: Current, key: str, *, layers: list[str] | None = None) -> str:
    """A layer of the model; the largest to begin with, it has most to show."""
    names = layers or list(current.original.layers)
    if st.session_state.get(key) not in names:
        put(key, max(names, key=lambda name: current.original.layers[name].weight.numel()))
    st.selectbox(
        "Layer",
        names,
        key=key,
        bind="query-params",
        width=LAYER_WIDTH,
        help="The layer that is drawn below.",
    )
    return str(st.session_state[key])


def choose_samples(key: str, *, on_change: Callable[[], None]) -> None:
    """How many training images a step looks at: MOST_SAMPLES, or more if the recipe says so."""
    if key not in st.session_state:
        put(key, SAMPLES)
    st.number_input(
        "Training images",
        1,
        max(MOST_SAMPLES, st.session_state[key]),
        step=64,
        key=key,
        width=NUMBER_WIDTH,
        persist_state="session",
        on_change=on_change,
        help="What the method is measured on: drawn from the training set, the same number of each "
        "class, by a seed. The test images stay unseen.",
    )
