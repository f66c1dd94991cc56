"""Factorize: what a person chose or dragged → the step, of one layer or of the whole model."""

from dataclasses import replace
from typing import Any

import streamlit as st

from compress_core import factor_steps
from compress_core.methods.low_rank import FORMS, Factorize, Form, full_rank, largest_rank
from ui.factorize.factors import Choice
from ui.language import N_
from ui.panels.widgets import chosen_layer, moved, write_step
from ui.session import recipe_field, state, values
from ui.session.state import Current

WHOLE = N_("whole model")
SCOPES = (N_("one layer"), WHOLE)
SAMPLES, PERCENT = (16, 4096), (0.1, 100.0)  # from … to


def settings() -> Choice:
    """What the controls say now."""
    form, layers = chosen_form(), state.current().compressed.base.layers
    aware = form == "channel" and values.switched("factorize_whiten")
    return Choice(
        layer=chosen_layer("factorize_layer", factor_steps.able(layers)),
        whole=values.chosen("factorize_scope", SCOPES) == WHOLE,
        form=form,
        samples=chosen_samples() if aware else None,
    )


def chosen_form() -> Form:
    return values.chosen("factorize_form", FORMS)


def chosen_samples() -> int:
    return values.number("factorize_samples", Factorize().samples, *SAMPLES)


def factorizing_step(current: Current, layer: str) -> Factorize | None:
    """The step that gave a layer its factors; None where it has none."""
    step = current.compressed.winners("factorize").get(layer)
    plain = current.compressed.layers[layer].form == "plain"
    return step if isinstance(step, Factorize) and not plain else None


def set_rank() -> None:
    if moved("factorize_rank"):
        release_rank({"rank": values.number("factorize_rank", 1, 1)})


def release_rank(wish: dict[str, Any]) -> None:
    """The callback of a drag: the rank of the drawn layer; the full rank means not factorized."""
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
    """The callback of a drag: the share of all weights; the whole means not factorized."""
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
    """The callback of the form: the same energy or budget in another form. Where a rank was given:
    the largest rank with no more weights."""
    current, now = state.current(), settings()
    st.session_state.factorize_form = form
    if now.whole:
        _set_whole(factor_steps.whole_step(current.recipe, current.compressed.base.layers))
        return
    step = factorizing_step(current, now.layer)
    if step is not None and step.energy is None:
        weights = sum(w.values.numel() for w in current.compressed.layers[now.layer].weights)
        shape = current.compressed.base.layers[now.layer].shape
        step = Factorize(rank=largest_rank(shape, form, weights))
    if step is not None:
        _set_layer(step)


def rewrite() -> None:
    """The same rank, energy or budget with the present form and calibration."""
    current, now = state.current(), settings()
    if now.whole:
        _set_whole(factor_steps.whole_step(current.recipe, current.compressed.base.layers))
    elif step := factorizing_step(current, now.layer):
        _set_layer(step)


def _as_chosen(step: Factorize) -> Factorize:
    """With the form and the calibration of the controls."""
    now = settings()
    samples = now.samples or Factorize().samples
    return replace(step, form=now.form, whiten=now.samples is not None, samples=samples)


def _set_layer(step: Factorize | None) -> None:
    layer = settings().layer
    # a budget is for all layers: an exception for one gets the rank that the budget gave it
    if step is not None and step.budget is not None:
        step = Factorize(rank=state.current().compressed.layers[layer].ranks[-1])
    made = None if step is None else _as_chosen(step)
    write_step("factorize", made, layer)


def _set_whole(step: Factorize | None) -> None:
    layers = state.current().compressed.base.layers
    made = None if step is None else _as_chosen(step)
    recipe_field.set_recipe(factor_steps.with_whole(recipe_field.session_recipe(), layers, made))
