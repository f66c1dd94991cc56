"""What is wrong with the present state, and how much of the score may be lost without an alarm."""

from dataclasses import replace

import streamlit as st

from compress_core import Recipe
from compress_core.measurement.accuracy import Accuracy
from compress_core.measurement.losses import Lost, find_culprit, too_much_lost
from compress_core.recipe import stages
from compress_core.search.curves import load_curves
from compress_core.views.alarms import Alarm, alarms
from ui.session import address, measuring, values
from ui.session.state import Current

TOLERANCE = "loss_tolerance"  # in points, in the session and the address
ASKED = "culprit_asked"  # the model and recipe of which somebody wants to know the step


def current_alarms(current: Current) -> tuple[Alarm, ...]:
    """What is wrong with the present state; each stage's file is encoded only where it is shown."""
    model, recipe = current.model, current.recipe
    accuracy, lost, classes, n = None, None, 0, 0
    if not measuring.data_problem(model):
        n = measuring.measured_size(model, recipe, patience_s=measuring.WAIT_S)
    if n:
        accuracy, lost = _accuracy(current, n), _lost(current, n)
        classes = len(measuring.all_images(model).class_names) if accuracy else 0
    by_stage = st.session_state.get("page") == "combine" or len(stages(recipe)) == 1
    return alarms(
        current.compressed,
        current.size,
        accuracy,
        class_count=classes,
        stage_bytes=measuring.stage_bytes(current) if by_stage else (),
        lost=lost,
    )


def _accuracy(current: Current, n: int) -> Accuracy | None:
    judged = measuring.score(current.model, current.recipe, n)[0]
    return judged.as_accuracy() if judged.metric == "accuracy" else None


def tolerance() -> float:
    """How many points may be lost without an alarm."""
    usual, low, high = address.NUMBERS[TOLERANCE]
    return values.number(TOLERANCE, usual, low, high)


def _lost(current: Current, n: int) -> Lost | None:
    model, recipe = current.model, current.recipe
    score, change = measuring.score(model, recipe, n)
    baseline = measuring.score(model, (), n)[0].value
    found = too_much_lost(score.metric, change, baseline, tolerance() / 100)
    if found is None:
        return None
    asked = st.session_state.get(ASKED) == (model, recipe)
    prefixes = [recipe[:i] for i in range(1, len(recipe))]
    known = [_difference(model, prefix, anyway=asked) for prefix in prefixes]
    culprit = find_culprit(recipe, score.metric, [*known, change.difference])
    return replace(found, culprit=culprit)


def ask_for_culprit(current: Current) -> None:
    """Callback: from now on the first steps of this recipe are measured, too."""
    st.session_state[ASKED] = current.model, current.recipe


def _difference(model: str, recipe: Recipe, *, anyway: bool) -> float | None:
    """The change that a recipe is known to make, on all test images or a part of them; else it is
    measured if `anyway`."""
    shipped = load_curves(model).rows.get(recipe, {})
    if "difference" in shipped:
        difference: float = shipped["difference"]
        return difference
    n = (measuring.measured_size if anyway else measuring.known_size)(model, recipe)
    if n < measuring.first_size(model):
        return None
    return measuring.change(model, (), recipe, n).difference
