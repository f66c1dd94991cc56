"""Recover: how to train → a training step, which goes to the end of the recipe."""

import math
from dataclasses import replace
from typing import Any

import streamlit as st

from compress_core.methods.retraining import (
    Distil,
    GradualPrune,
    L1Prune,
    QuantizeAware,
    RateTrain,
    Rewind,
)
from compress_core.methods.retraining.common import MOST_EPOCHS
from compress_core.steps import AnyStep, row_of
from compress_core.trained import NotTrained
from compress_core.training.methods import settings_for
from ui import words
from ui.core_sentences import of_core
from ui.language import N_, _
from ui.panels.widgets import choose, number_field
from ui.recover.methods import RETRAININGS
from ui.session import caches, jobs, recipe_field, state, values
from ui.session.state import Current

METHOD_HELP = N_(
    "What is trained, and how; the structure that the recipe has left is held. "
    "The paragraph below tells each in short."
)
SCHEDULES = (N_("cubic"), N_("linear"), N_("one_shot"))
SCOPES = (N_("global"), N_("layer"))
MOST_SEED = 10**9
SMALLEST_RATE, LARGEST_RATE = 1e-8, 100.0


def show(current: Current) -> str:
    """Method and its numbers, what it does, and the buttons; returns the method's name."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method = choose(_("Method"), tuple(RETRAININGS), "recover_method", _(METHOD_HELP))
        name = row_of(RETRAININGS[method].step).name
        step = _step(current, method, name)
        with st.container(horizontal=True, vertical_alignment="center", width="content"):
            _buttons(current, step)
    st.markdown(_(RETRAININGS[method].text))
    return method


def _step(current: Current, method: str, name: str) -> AnyStep:
    """The fields that all methods have, and those of this one; the step that they make."""
    usual: Any = RETRAININGS[method].step
    changes = _own_fields(usual, name)
    changes["epochs"] = number_field(
        _("Epochs"),
        f"recover_{name}_epochs",
        usual.epochs,
        1,
        MOST_EPOCHS,
        width=110,
        help=_("How often every training image is seen."),
    )
    changes["learning_rate"] = _rate(current, usual)
    changes["seed"] = number_field(
        _("Seed"),
        "recover_seed",
        0,
        0,
        MOST_SEED,
        width=110,
        help=_("Of the order of the images: the same seed gives the same weights."),
    )
    step: AnyStep = replace(usual, **changes)
    return step


def _rate(current: Current, usual: Any) -> float | None:
    """An empty field is the usual rate of network and method."""
    needs_codes = isinstance(usual, QuantizeAware | RateTrain)
    coded = needs_codes or any(stored.codes for stored in current.compressed.layers.values())
    rate = settings_for(usual, current.original.name, coded=coded).learning_rate
    found = values.number("recover_rate", math.nan, SMALLEST_RATE, LARGEST_RATE)
    chosen = None if math.isnan(found) else found
    values.repair("recover_rate", chosen)
    st.number_input(
        _("Learning rate"),
        SMALLEST_RATE,
        LARGEST_RATE,
        key="recover_rate",
        format="%.4g",
        step=0.001,
        placeholder=_("usual: {rate:g}", rate=rate),
        persist_state="session",
        width=150,
        help=_(
            "Empty: the usual one of this network and method. A training whose loss is not a "
            "number any more is stopped, and the state before it stays."
        ),
    )
    return chosen


def _own_fields(usual: AnyStep, name: str) -> dict[str, Any]:
    match usual:
        case GradualPrune():
            percent = _number(
                _("Sparsity, %"), name, "sparsity", 90.0, 99.9, step=1.0, format="%.1f"
            )
            return {
                "sparsity": round(percent / 100, 6),
                "schedule": _choice(_("Schedule"), SCHEDULES, name, "schedule"),
                "scope": _choice(_("Scope"), SCOPES, name, "scope"),
            }
        case L1Prune() | RateTrain():
            return {
                "strength": _number(
                    _("Strength λ"), name, "strength", usual.strength, 100.0, format="%.4g"
                )
            }
        case Rewind():
            early = f"recover_{name}_early"
            return {
                "early_epochs": number_field(
                    _("Rewind to epoch"),
                    early,
                    0,
                    0,
                    MOST_EPOCHS,
                    help=_(
                        "Of the network's own training, which is done first; 0 is its beginning."
                    ),
                )
            }
        case Distil():
            return {
                "alpha": _number(_("α, labels"), name, "alpha", 0.1, 1.0, step=0.1),
                "temperature": _number(
                    _("Temperature T"), name, "temperature", 4.0, 100.0, low=0.5, step=0.5
                ),
            }
    return {}


def _number(
    label: str, name: str, field: str, usual: float, high: float, low: float = 0.0, **options: Any
) -> float:
    key = f"recover_{name}_{field}"
    return number_field(label, key, usual, low, high, **{"width": 130} | options)


def _choice(label: str, options: tuple[str, ...], name: str, field: str) -> str:
    key = f"recover_{name}_{field}"
    value = values.chosen(key, options)
    values.repair(key, value)
    st.selectbox(label, options, format_func=_, key=key, width=120, persist_state="session")
    return value


def _buttons(current: Current, step: AnyStep) -> None:
    """Start, or add to the recipe only; beside them how long it takes, or why it cannot be."""
    told, possible = _foreseen(current, step)
    st.button(
        _("Start"),
        key="recover_start",
        type="primary",
        icon=":material/play_arrow:",
        disabled=not possible,
        on_click=start,
        args=(step,),
        help=_("Adds the step to the end of the recipe and trains it on this server."),
    )
    st.button(
        _("Add to the recipe"),
        key="recover_add",
        disabled=not possible,
        on_click=_add,
        args=(step,),
        help=_("Without training it now."),
    )
    st.caption(told, width="content")


def _foreseen(current: Current, step: AnyStep) -> tuple[str, bool]:
    """What a training would take, in words, and whether it is possible."""
    try:
        caches.compressed(current.model, (*current.recipe, step))
    except NotTrained as untrained:
        return _("about {time} on this machine", time=duration(untrained)), True
    except ValueError as error:
        why = words.escape_markdown(of_core(error))
        return _(":orange[Not possible here]: {why}.", why=why), False
    return _("trained before: its result is kept"), True


def duration(untrained: NotTrained) -> str:
    """Measured on a few batches, once for each network."""
    with st.spinner(_("Timing a few batches…")):
        return words.seconds(untrained.seconds)


def start(step: AnyStep) -> None:
    """The callback of Start: the step at the end of the recipe, and its training."""
    recipe = (*recipe_field.session_recipe(), step)
    submit(state.chosen_model(), recipe)
    recipe_field.set_recipe(recipe)


def submit(model: str, recipe: tuple[AnyStep, ...]) -> None:
    """Have a recipe's training steps trained, as far as they fit the model."""
    split = state.split_fitting(model, recipe)
    if split.waiting:
        jobs.submit(jobs.training_of(model, split.recipe, split.waiting), anew=True)


def _add(step: AnyStep) -> None:
    recipe_field.set_recipe((*recipe_field.session_recipe(), step))
