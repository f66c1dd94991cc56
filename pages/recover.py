"""Recover: training that heals what compression has hurt, in a process of its own, shown live."""

import streamlit as st

from compress_core.recipe import Recipe
from compress_core.steps import TRAINING
from ui.language import _
from ui.panels.missing_data import needs_data
from ui.panels.page import heading
from ui.panels.placeholder import placeholder
from ui.recover import controls, job_list, presets, results, waiting
from ui.recover.methods import RETRAININGS, formula_of, method_of
from ui.session import fragments, state
from ui.session.state import Current


@fragments.body
def recover() -> None:
    current = state.current()
    top = st.container()  # its formula is that of the method
    if needs_data(current.model):
        method = next(iter(RETRAININGS))
    elif current.waiting:
        method = show_waiting(current)
    elif ends_trained(current.recipe):
        method = show_result(current)
    else:
        method = show_choice(current)
    with top:
        heading(
            _("Recover"),
            _(
                "Train what the recipe has left. The structure is held: pruned weights stay zero, "
                "codes stay codes."
            ),
            formula_of(method),
        )
    presets.show(current)
    job_list.show(current)


def ends_trained(recipe: Recipe) -> bool:
    return bool(recipe) and recipe[-1].kind == TRAINING


def show_waiting(current: Current) -> str:
    """The step that is to be trained; returns the name of its method, as the others do."""
    method = method_of(current.waiting[0])
    job_list.note_others(current)
    waiting.show(current)
    st.markdown(_(RETRAININGS[method].text))
    return method


def show_result(current: Current) -> str:
    """What the training gave that the recipe ends with; another one may follow it."""
    job_list.note_others(current)
    results.show(current)
    with st.expander(_("Train further"), key="recover_further"):
        controls.show(current)
    return method_of(current.recipe[-1])


def show_choice(current: Current) -> str:
    """How to train; below it what earlier trainings of the recipe gave."""
    method = controls.show(current)
    job_list.note_others(current)
    if any(step.kind == TRAINING for step in current.recipe):
        results.show(current)
    else:
        placeholder(
            _(
                "Loss and accuracy are drawn here while it trains, and before beside after at the "
                "end."
            ),
            height=200,
        )
    return method


recover()
