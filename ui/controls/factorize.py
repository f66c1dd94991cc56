"""Factorize: widgets and what was dragged → the step."""

from typing import Any

import streamlit as st

from compress_core import Factorize
from compress_core.methods.low_rank import energy_curve, full_rank
from compress_core.recipe_edit import step_for, with_layer_step
from ui import state
from ui.controls.common import NUMBER_WIDTH, moved, put
from ui.state import Current


def set_rank() -> None:
    """The callback of the rank; the full rank means: not factorized."""
    if moved("factorize_rank"):
        release_rank({"rank": st.session_state.factorize_rank})


def release_rank(wish: dict[str, Any]) -> None:
    """What was dragged: the rank of the drawn layer."""
    layer, rank = st.session_state.factorize_layer, int(wish["rank"])
    full = full_rank(state.original(st.session_state.model).layers[layer].shape)
    _set_factorization(layer, Factorize(rank=rank) if rank < full else None)


def set_energy() -> None:
    """The callback of the energy; all of it means: not factorized."""
    if moved("factorize_energy"):
        layer, energy = st.session_state.factorize_layer, st.session_state.factorize_energy
        step = Factorize(energy=round(energy / 100, 6)) if energy < 100 else None
        _set_factorization(layer, step)


def _set_factorization(layer: str, step: Factorize | None) -> None:
    names = state.original(st.session_state.model).layers
    recipe = with_layer_step(state.session_recipe(), "factorize", layer, step, names)
    state.set_recipe(recipe)


def show_factorization(current: Current, layer: str) -> int:
    """Rank and energy of one layer; returns the rank in use, the full one if not factorized."""
    stored = current.compressed.layers[layer]
    full = full_rank(stored.layer.shape)
    rank = stored.rank or full
    step = step_for(current.recipe, "factorize", layer)
    kept = float(energy_curve(stored.layer.profile.spectrum)[rank - 1])
    asked = step.energy if isinstance(step, Factorize) and step.energy else kept
    put("factorize_rank", rank)
    put("factorize_energy", round(100 * asked, 1) if stored.rank else 100.0)
    st.number_input(
        f"Rank r of {full}",
        1,
        full,
        key="factorize_rank",
        width=NUMBER_WIDTH,
        on_change=set_rank,
        disabled=full == 1,
        help="How many singular values are kept; all of them: not factorized. Drag it below.",
    )
    st.number_input(
        "Energy kept, % of Σσ²",
        0.1,
        100.0,
        step=0.1,
        format="%.1f",
        key="factorize_energy",
        width=NUMBER_WIDTH,
        on_change=set_energy,
        help="The least rank that keeps this share of the squared singular values is taken.",
    )
    return rank
