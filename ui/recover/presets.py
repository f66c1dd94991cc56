"""Presets: recipes that were trained before, with their numbers, one click away."""

import streamlit as st

from compress_core.search.presets import Preset, all_presets
from compress_core.search.published import published
from compress_core.wording.numbers import percent
from ui import words
from ui.core_sentences import of_core
from ui.language import N_, _
from ui.session import recipe_field
from ui.session.state import Current

# What the benchmark's presets are called, behind the name of the network.
NAMES = (
    N_("priced"),
    N_("smaller"),
    N_("smallest"),
    N_("90 % pruned"),
    N_("price 0.1"),
    N_("price 0.3"),
    N_("price 1"),
    N_("price 3"),
    N_("price 10"),
    N_("price 30"),
)
HELP = N_(
    "Trained by this project's own benchmark, and shipped with it. Its file is decoded and "
    "measured here and now."
)


def show(current: Current) -> None:
    """All presets, those of the present model first, and the published marks of these networks."""
    found = sorted(all_presets(), key=lambda preset: preset.model != current.model)
    if not found:
        return
    title = _("Trained already: small files of known networks")
    with st.expander(title, key="recover_presets"):
        for preset in found:
            _row(preset)
        marks = [
            _(
                "{name} {size} at {error} ({unit}, {source})",
                name=mark.name,
                size=words.byte_size(mark.stored_bytes),
                error=percent(mark.error, 2),
                unit=of_core(mark.unit),
                source=mark.source,
            )
            for model in dict.fromkeys(preset.model for preset in found)
            for mark in published(model)
        ]
        st.caption(_("Published, for comparison: {marks}.", marks=_("; ").join(marks)))


def _row(preset: Preset) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            _("Load"),
            key=f"recover_preset_{preset.name}",
            help=_(HELP),
            on_click=_load,
            args=(preset,),
        )
        st.markdown(
            _(
                "**{name}** · {model} · {size:,} bytes · {error} wrong ({seeds})",
                name=_name(preset),
                model=preset.model,
                size=preset.stored_bytes,
                error=percent(preset.error, 2),
                seeds=_of_seeds(preset),
            )
        )


def _name(preset: Preset) -> str:
    network, comma, which = preset.name.partition(", ")
    return _("{network}, {which}", network=network, which=_(which)) if comma else network


def _of_seeds(preset: Preset) -> str:
    if preset.seeds == 1:
        return _("trained once")
    mean = percent(preset.mean_error, 2)
    return _("mean of {n} seeds {mean}", n=preset.seeds, mean=mean)


def _load(preset: Preset) -> None:
    st.session_state.model = preset.model
    recipe_field.write_recipe_text(preset.recipe)
    st.rerun()
