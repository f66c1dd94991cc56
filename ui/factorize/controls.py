"""Factorize: widgets and what was dragged → the step, of one layer or of the whole model."""

from dataclasses import replace
from typing import Any

import streamlit as st

from compress_core.methods.low_rank import FORMS, Factorize, Form, full_rank
from compress_core.recipe_edit import with_layer_step
from ui.factorize import factors
from ui.factorize.factors import Settings
from ui.panels.widgets import (
    NUMBER_WIDTH,
    choose,
    choose_layer,
    chosen_layer,
    moved,
    number_field,
    put,
)
from ui.session import measuring, recipe_field, state, values
from ui.session.state import Current

SCOPES = ("one layer", "whole model")
SAMPLES, PERCENT = (16, 4096), (0.1, 100.0)  # from … to
SCOPE_HELP = (
    "one layer: its rank, or the share of its energy. whole model: one budget of weights, or one "
    "energy, from which each layer gets its rank."
)
FORM_HELP = {
    "channel": "k × k with r outputs, then 1 × 1. Of a linear layer: two thinner ones.",
    "spatial": "k × 1 with r outputs, then 1 × k: a kernel becomes its columns and its rows.",
    "tucker": "1 × 1, then k × k between fewer channels, then 1 × 1 (Tucker-2).",
}
AWARE_HELP = (
    "Weighs each error by how often the layer's inputs make it matter, measured on images of the "
    "training set: least error of the outputs, not of the weights. For the form channel."
)


def settings() -> Settings:
    """What the controls say now."""
    form, layers = chosen_form(), state.current().compressed.base.layers
    aware = form == "channel" and values.switched("factorize_whiten")
    return Settings(
        layer=chosen_layer("factorize_layer", factors.able(layers)),
        whole=values.chosen("factorize_scope", SCOPES) == "whole model",
        form=form,
        samples=_samples() if aware else None,
    )


def chosen_form() -> Form:
    return values.chosen("factorize_form", FORMS)


def _samples() -> int:
    return values.number("factorize_samples", Factorize().samples, *SAMPLES)


def show_factorization(current: Current) -> Settings:
    """Scope, layer and form; calibration; then rank and energy, or budget and energy."""
    layers = current.compressed.base.layers
    with st.container(horizontal=True, vertical_alignment="bottom"):
        scope = choose("Ranks of", SCOPES, "factorize_scope", SCOPE_HELP, on_change=_nothing)
        layer = choose_layer("factorize_layer", layers=factors.able(layers))
        whole = scope == "whole model"
        _take_over(current, layer, whole=whole)
        _form_buttons(current, layer, whole=whole)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if whole:
            _whole_numbers(current)
        else:
            _layer_numbers(current, layer)
        _calibration(current)
    return settings()


def _nothing() -> None:
    """The scope only turns the controls; streamlit draws them anew by itself."""


def _take_over(current: Current, layer: str, *, whole: bool) -> None:
    """Put what the recipe says into the session; what it does not say stays as it was chosen."""
    layers = current.compressed.base.layers
    values.repair("factorize_whiten", values.switched("factorize_whiten"))
    values.repair("factorize_samples", _samples())
    step = factors.whole_step(current.recipe, layers) if whole else _own(current, layer)
    form = factors.form_in_use(current.recipe, layers) if whole else step and step.form
    form = form or chosen_form()
    names = factors.able(layers) if whole else [layer]
    st.session_state.factorize_form = "channel" if factors.forms(layers, names)[form] else form
    if step is not None and step.form == "channel":
        put("factorize_whiten", step.whiten)
        if step.whiten:
            put("factorize_samples", step.samples)


def _own(current: Current, layer: str) -> Factorize | None:
    """The step that gave a layer its factors; None where it has none."""
    step = current.compressed.winners("factorize").get(layer)
    plain = current.compressed.layers[layer].form == "plain"
    return step if isinstance(step, Factorize) and not plain else None


def _form_buttons(current: Current, layer: str, *, whole: bool) -> None:
    layers = current.compressed.base.layers
    names = factors.able(layers) if whole else [layer]
    with st.container(gap="xxsmall", width="content"):
        st.markdown(":small[Form]", help="How the parts share the work of a kernel.")
        with st.container(horizontal=True, gap=None, key="factorize_forms"):
            for form, refusal in factors.forms(layers, names).items():
                st.button(
                    form,
                    key=f"factorize_form_{form}",
                    type="primary" if form == chosen_form() else "secondary",
                    disabled=refusal is not None,
                    help=f"Not here: {refusal}." if refusal else FORM_HELP[form],
                    on_click=set_form,
                    args=(form,),
                )
    _refusals(current, names)


def _refusals(current: Current, names: list[str]) -> None:
    """Why some forms cannot be chosen, for those who do not hover."""
    found = factors.forms(current.compressed.base.layers, names)
    refused = {form: why for form, why in found.items() if why}
    if refused:
        st.caption(f"Not {' or '.join(refused)}: {next(iter(refused.values()))}.", width="content")


def _layer_numbers(current: Current, layer: str) -> None:
    """Rank and energy of one layer; the full rank and all energy mean: not factorized."""
    form = chosen_form()
    stored, step = current.compressed.layers[layer], _own(current, layer)
    full = full_rank(stored.layer.shape, form)
    kept = factors.energy_kept(current, layer)
    asked = step.energy if step and step.energy else kept
    put("factorize_rank", min(full, stored.ranks[-1]) if stored.ranks else full)
    put("factorize_energy", round(100 * asked, 1) if stored.ranks else 100.0)
    name = "r_out" if form == "tucker" else "r"
    number_field(
        f"Rank {name} of {full}",
        "factorize_rank",
        full,
        1,
        full,
        on_change=set_rank,
        disabled=full == 1,
        help="How many channels stand between the parts; all of them: not factorized. Drag it "
        "below. Of a Tucker triple r_in follows in proportion.",
    )
    _energy_input("factorize_energy", set_energy)


def _whole_numbers(current: Current) -> None:
    """Budget and energy of all layers."""
    step = factors.whole_step(current.recipe, current.compressed.base.layers)
    share, kept = factors.share_kept(current), factors.mean_energy(current)
    budget = step.budget if step and step.budget else share
    energy = step.energy if step and step.energy else kept
    put("factorize_budget", min(100.0, max(0.1, round(100 * budget, 1))))
    put("factorize_whole_energy", min(100.0, max(0.1, round(100 * energy, 1))))
    number_field(
        "Budget, % of weights",
        "factorize_budget",
        100.0,
        *PERCENT,
        step=1.0,
        format="%.1f",
        width=NUMBER_WIDTH + 30,
        on_change=set_budget,
        help="All layers together may keep so many of their weights. They go where they keep most "
        "energy; a layer that is worth its price stays in one piece. Drag it below.",
    )
    _energy_input("factorize_whole_energy", set_whole_energy)


def _energy_input(key: str, on_change: Any) -> None:
    number_field(
        "Energy kept, %",
        key,
        100.0,
        *PERCENT,
        step=0.1,
        format="%.1f",
        on_change=on_change,
        help="Share of Σσ², the squared singular values: of the outputs where the form is "
        "data-aware. The fewest weights that keep it are taken; 100 %: not factorized.",
    )


def _calibration(current: Current) -> None:
    problem = measuring.data_problem(current.model)
    channel = chosen_form() == "channel"
    with st.container(height="stretch", vertical_alignment="center", width="content"):
        st.toggle(
            "Data-aware",
            key="factorize_whiten",
            persist_state="session",
            on_change=rewrite,
            disabled=not channel or problem is not None,
            help=f"Not here: {problem}" if problem else AWARE_HELP,
        )
    if channel and values.switched("factorize_whiten") and not problem:
        number_field(
            "Training images",
            "factorize_samples",
            Factorize().samples,
            *SAMPLES,
            step=16,
            persist_state="session",
            on_change=rewrite,
            help="Of the training set, class by class, never of the test set.",
        )


def set_rank() -> None:
    if moved("factorize_rank"):
        release_rank({"rank": values.number("factorize_rank", 1, 1)})


def release_rank(wish: dict[str, Any]) -> None:
    """What was dragged: the rank of the drawn layer; the full one means: not factorized."""
    now, rank = settings(), int(wish["rank"])
    shape = state.current().compressed.base.layers[now.layer].shape
    _set_layer(Factorize(rank=rank) if rank < full_rank(shape, now.form) else None)


def set_energy() -> None:
    if moved("factorize_energy"):
        _set_layer(_of_energy(_percent("factorize_energy")))


def set_budget() -> None:
    if moved("factorize_budget"):
        release_budget({"budget": _percent("factorize_budget") / 100})


def release_budget(wish: dict[str, Any]) -> None:
    """What was dragged: the share of all weights; all of them means: not factorized."""
    budget = round(float(wish["budget"]), 4)
    _set_whole(Factorize(budget=budget) if budget < 1 else None)


def set_whole_energy() -> None:
    if moved("factorize_whole_energy"):
        _set_whole(_of_energy(_percent("factorize_whole_energy")))


def _percent(key: str) -> float:
    return values.number(key, 100.0, *PERCENT)


def _of_energy(percent: float) -> Factorize | None:
    return Factorize(energy=round(percent / 100, 6)) if percent < 100 else None


def set_form(form: Form) -> None:
    """Another form of what is factorized: at the same energy or budget, or, where a rank was
    given, at the largest rank that has no more weights."""
    current, now = state.current(), settings()
    st.session_state.factorize_form = form
    if now.whole:
        _set_whole(factors.whole_step(current.recipe, current.compressed.base.layers))
        return
    step = _own(current, now.layer)
    if step is not None and step.energy is None:
        weights = sum(w.values.numel() for w in current.compressed.layers[now.layer].weights)
        shape = current.compressed.base.layers[now.layer].shape
        step = Factorize(rank=factors.rank_of_same_size(shape, form, weights))
    if step is not None:
        _set_layer(step)


def rewrite() -> None:
    """The same rank, energy or budget with the present form and calibration."""
    current, now = state.current(), settings()
    if now.whole:
        _set_whole(factors.whole_step(current.recipe, current.compressed.base.layers))
    elif step := _own(current, now.layer):
        _set_layer(step)


def _as_chosen(step: Factorize) -> Factorize:
    """With the form and the calibration of the controls."""
    now = settings()
    samples = now.samples or Factorize().samples
    return replace(step, form=now.form, whiten=now.samples is not None, samples=samples)


def _set_layer(step: Factorize | None) -> None:
    layer = settings().layer
    layers = state.current().compressed.base.layers
    if step is not None and step.budget is not None:  # of all layers: for one, what it came to
        step = Factorize(rank=state.current().compressed.layers[layer].ranks[-1])
    made = None if step is None else _as_chosen(step)
    recipe = with_layer_step(recipe_field.session_recipe(), "factorize", layer, made, layers)
    recipe_field.set_recipe(recipe)


def _set_whole(step: Factorize | None) -> None:
    layers = state.current().compressed.base.layers
    made = None if step is None else _as_chosen(step)
    recipe_field.set_recipe(factors.with_whole(recipe_field.session_recipe(), layers, made))
