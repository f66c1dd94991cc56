"""Factorize: the widgets, of one layer or of the whole model, and what they show."""

from typing import Any

import streamlit as st

from compress_core import factor_steps
from compress_core.methods.low_rank import Factorize, full_rank
from ui.core_sentences import of_core
from ui.factorize import factors
from ui.factorize.callbacks import (
    PERCENT,
    SAMPLES,
    SCOPES,
    WHOLE,
    chosen_form,
    chosen_samples,
    factorizing_step,
    rewrite,
    set_budget,
    set_energy,
    set_form,
    set_rank,
    set_whole_energy,
    settings,
)
from ui.factorize.factors import Choice
from ui.language import N_, _
from ui.panels.widgets import NUMBER_WIDTH, choose, choose_layer, number_field, put
from ui.session import measuring, values
from ui.session.state import Current

SCOPE_HELP = N_(
    "one layer: its rank, or the share of its energy. whole model: one budget of weights, or one "
    "energy, from which each layer gets its rank."
)
FORM_HELP = {
    N_("channel"): N_("k × k with r outputs, then 1 × 1. Of a linear layer: two thinner ones."),
    N_("spatial"): N_(
        "k × 1 with r outputs, then 1 × k: a kernel becomes its columns and its rows."
    ),
    "tucker": N_("1 × 1, then k × k between fewer channels, then 1 × 1 (Tucker-2)."),
}
AWARE_HELP = N_(
    "Minimizes the error of the layer's outputs instead of the error of its weights, measured on "
    "images of the training set. For the form channel."
)


def show_factorization(current: Current) -> Choice:
    """Scope, layer and form; calibration; then rank and energy, or budget and energy."""
    layers = current.compressed.base.layers
    with st.container(key="pairs"):
        scope = choose(_("Ranks of"), SCOPES, "factorize_scope", _(SCOPE_HELP), on_change=_nothing)
        layer = choose_layer("factorize_layer", layers=factor_steps.able(layers))
        whole = scope == WHOLE
        _take_over(current, layer, whole=whole)
        _form_buttons(current, layer, whole=whole)
        if whole:
            _whole_numbers(current)
        else:
            _layer_numbers(current, layer)
        _calibration(current)
    return settings()


def _nothing() -> None:
    """An empty callback: the scope only changes which controls are shown."""


def _take_over(current: Current, layer: str, *, whole: bool) -> None:
    """Put what the recipe says into the session; what it does not say stays as it was chosen."""
    layers = current.compressed.base.layers
    values.repair("factorize_whiten", values.switched("factorize_whiten"))
    values.repair("factorize_samples", chosen_samples())
    if whole:
        step = factor_steps.whole_step(current.recipe, layers)
        form = factor_steps.form_in_use(current.recipe, layers)
    else:
        step = factorizing_step(current, layer)
        form = step.form if step else None
    form = form or chosen_form()
    names = factor_steps.able(layers) if whole else [layer]
    is_possible = form in factor_steps.possible_forms(layers, names)
    st.session_state.factorize_form = form if is_possible else "channel"
    if step is not None and step.form == "channel":
        put("factorize_whiten", step.whiten)
        if step.whiten:
            put("factorize_samples", step.samples)


def _form_buttons(current: Current, layer: str, *, whole: bool) -> None:
    layers = current.compressed.base.layers
    names = factor_steps.able(layers) if whole else [layer]
    with st.container(gap="xxsmall", key="factorize_form_choice"):
        title, text = _("Form"), _("How the parts share the work of a kernel.")
        st.markdown(f":small[{title}]", help=text)
        with st.container(horizontal=True, gap=None, key="factorize_forms"):
            for form, refusal in factors.form_refusals(layers, names).items():
                st.button(
                    _(form),
                    key=f"factorize_form_{form}",
                    type="primary" if form == chosen_form() else "secondary",
                    disabled=refusal is not None,
                    help=_("Not here: {why}.", why=refusal) if refusal else _(FORM_HELP[form]),
                    on_click=set_form,
                    args=(form,),
                )
    _refusals(current, names)


def _refusals(current: Current, names: list[str]) -> None:
    """A caption on why some forms cannot be chosen: help texts need a mouse."""
    found = factors.form_refusals(current.compressed.base.layers, names)
    refused = {form: why for form, why in found.items() if why}
    if refused:
        forms, why = _(" or ").join(map(_, refused)), next(iter(refused.values()))
        st.caption(_("Not {forms}: {why}.", forms=forms, why=why), width="content")


def _layer_numbers(current: Current, layer: str) -> None:
    """Rank and energy of one layer; the full rank and all energy mean: not factorized."""
    form = chosen_form()
    stored, step = current.compressed.layers[layer], factorizing_step(current, layer)
    full = full_rank(stored.layer.shape, form)
    kept = factors.energy_kept(current, layer)
    asked = step.energy if step and step.energy else kept
    put("factorize_rank", min(full, stored.ranks[-1]) if stored.ranks else full)
    put("factorize_energy", round(100 * asked, 1) if stored.ranks else 100.0)
    name = "r_out" if form == "tucker" else "r"
    number_field(
        _("Rank {name} of {full}", name=name, full=full),
        "factorize_rank",
        full,
        1,
        full,
        on_change=set_rank,
        disabled=full == 1,
        help=_(
            "How many channels stand between the parts; all of them: not factorized. Drag it in "
            "the picture. Of a Tucker triple r_in follows in proportion."
        ),
    )
    _energy_input("factorize_energy", set_energy)


def _whole_numbers(current: Current) -> None:
    """Budget and energy of all layers."""
    step = factor_steps.whole_step(current.recipe, current.compressed.base.layers)
    share, kept = factors.share_kept(current), factors.mean_energy(current)
    budget = step.budget if step and step.budget else share
    energy = step.energy if step and step.energy else kept
    put("factorize_budget", min(100.0, max(0.1, round(100 * budget, 1))))
    put("factorize_whole_energy", min(100.0, max(0.1, round(100 * energy, 1))))
    number_field(
        _("Budget, % of weights"),
        "factorize_budget",
        100.0,
        *PERCENT,
        step=1.0,
        format="%.1f",
        width=NUMBER_WIDTH + 30,
        on_change=set_budget,
        help=_(
            "The share of weights that all layers together may keep. More go to layers where they "
            "keep more energy; a layer that keeps all stays in one piece. Drag it in the picture."
        ),
    )
    _energy_input("factorize_whole_energy", set_whole_energy)


def _energy_input(key: str, on_change: Any) -> None:
    number_field(
        _("Energy kept, %"),
        key,
        100.0,
        *PERCENT,
        step=0.1,
        format="%.1f",
        on_change=on_change,
        help=_(
            "Share of Σσ², the squared singular values: of the outputs where the form is "
            "data-aware. The fewest weights that keep it are taken; 100 %: not factorized."
        ),
    )


def _calibration(current: Current) -> None:
    problem = measuring.data_problem(current.model)
    channel = chosen_form() == "channel"
    st.toggle(
        _("Data-aware"),
        key="factorize_whiten",
        persist_state="session",
        on_change=rewrite,
        disabled=not channel or problem is not None,
        help=_("Not here: {why}", why=of_core(problem)) if problem else _(AWARE_HELP),
    )
    if channel and values.switched("factorize_whiten") and not problem:
        number_field(
            _("Training images"),
            "factorize_samples",
            Factorize().samples,
            *SAMPLES,
            step=16,
            on_change=rewrite,
            help=_("Of the training set, class by class, never of the test set."),
        )
