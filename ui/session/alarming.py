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
    common, differences = _differences(current, n, anyway=asked)
    culprit = find_culprit(recipe, score.metric, differences)
    if culprit and common < n:
        culprit = replace(culprit, n=common)
    return replace(found, culprit=culprit)


def ask_for_culprit(current: Current) -> None:
    """Callback: from now on the first steps of this recipe are measured, too."""
    st.session_state[ASKED] = current.model, current.recipe


def _differences(current: Current, n: int, *, anyway: bool) -> tuple[int, list[float | None]]:
    """On how many images, at most n, the recipe's beginnings are compared, and the change that each
    of them makes there. None for what is not measured, unless `anyway`."""
    model = current.model
    beginnings = [current.recipe[: i + 1] for i in range(len(current.recipe))]
    shipped = _shipped(model) if n == measuring.test_size(model) else {}
    size = measuring.measured_size if anyway else measuring.known_size
    sizes = [n if steps in shipped else size(model, steps) for steps in beginnings]
    least = measuring.first_size(model)
    common = min((found for found in sizes if found >= least), default=n)
    if common < n:  # then without those that ship: they are of all images
        return _differences(current, common, anyway=anyway)
    return n, [
        shipped[steps] if steps in shipped else _change(model, steps, n) if found >= n else None
        for steps, found in zip(beginnings, sizes, strict=True)
    ]


def _change(model: str, recipe: Recipe, n: int) -> float:
    return measuring.change(model, (), recipe, n).difference


def _shipped(model: str) -> dict[Recipe, float]:
    """Changes that were measured on all test images."""
    rows = load_curves(model).rows
    return {recipe: row["difference"] for recipe, row in rows.items() if "difference" in row}
