"""Presets: recipes that were trained before, with their numbers, one click away."""

import streamlit as st

from compress_core.search.presets import Preset, all_presets
from compress_core.search.published import published
from compress_core.wording.numbers import percent
from ui import words
from ui.session import recipe_field
from ui.session.state import Current

HELP = (
    "Trained by this project's own benchmark, and shipped with it. Its file is decoded and "
    "measured here and now."
)


def show(current: Current) -> None:
    """All presets, those of the present model first, and the published marks of these networks."""
    found = sorted(all_presets(), key=lambda preset: preset.model != current.model)
    if not found:
        return
    with st.expander("Trained already: small files of known networks", key="recover_presets"):
        for preset in found:
            _row(preset)
        marks = [
            f"{mark.name} {words.byte_size(mark.stored_bytes)} at {percent(mark.error, 2)} "
            f"({mark.unit}, {mark.source})"
            for model in dict.fromkeys(preset.model for preset in found)
            for mark in published(model)
        ]
        st.caption(f"Published, for comparison: {'; '.join(marks)}.")


def _row(preset: Preset) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Load",
            key=f"recover_preset_{preset.name}",
            help=HELP,
            on_click=_load,
            args=(preset,),
        )
        st.markdown(
            f"**{preset.name}** · {preset.model} · {preset.stored_bytes:,} bytes · "
            f"{percent(preset.error, 2)} wrong ({_of_seeds(preset)})"
        )


def _of_seeds(preset: Preset) -> str:
    if preset.seeds == 1:
        return "trained once"
    return f"mean of {preset.seeds} seeds {percent(preset.mean_error, 2)}"


def _load(preset: Preset) -> None:
    st.session_state.model = preset.model
    recipe_field.write_recipe_text(preset.recipe)
    st.rerun()
