"""As far as it goes: a button that finds the strongest setting of a page's step that loses little.

The search is a job, the same for everybody. What it found stays on the page, to be applied.
"""

import streamlit as st

from compress_core import Factorize, Prune, Quantize, Recipe
from compress_core.jobs.work import Searching, searching
from compress_core.methods.structured import PruneStructured
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.recipe import parse_recipe
from compress_core.recipe_edit import with_step
from compress_core.search.farthest import TOLERANCE, Farthest, Tried, step_to_move
from compress_core.steps import AnyStep
from compress_core.tasks import METRICS
from ui import words
from ui.panels.job_bar import waiting_for
from ui.panels.widgets import number_field
from ui.session import executor, jobs, measured, measuring, recipe_field
from ui.session.state import Current

# The step that moves where the recipe has none of the page's kind yet; its number does not matter.
USUAL: dict[str, AnyStep] = {
    "prune": Prune(sparsity=0.5),
    "quantize": Quantize(bits=8),
    "factorize": Factorize(energy=0.5),
    "share": ShareWeights(),
    "structured": PruneStructured(0.5),
}
LEAST, MOST = 0.01, 100.0
HELP = (
    "Finds the strongest setting of this step that loses less: the number moves, the step's other "
    "choices and the other steps of the recipe stay. Each setting that it tries is measured on the "
    "whole test set, by a process of its own, once for everybody."
)


def show(current: Current, kind: str) -> None:
    """The button, how far the search is, or what it found; nothing where none can be measured."""
    if executor.present() is None or measuring.data_problem(current.model):
        return
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"farthest_{kind}"):
        points = _points(kind)
        try:
            work = _work(current, kind, points)
        except ValueError as error:
            st.caption(f"As far as it goes: {error}.")
            return
        job, found = jobs.job_of(work), measured.farthest(work)
        if found:
            _found(current, found, kind)
        elif job is not None and job.unfinished:
            waiting_for(job.id, "farthest", "What it has measured is kept: it goes on from there.")
        else:
            _button(work, kind, points)
            if job is not None and job.state == "failed":
                st.caption(f"Not found: {job.reason}.")


def _points(kind: str) -> float:
    return number_field(
        "Points to lose",
        f"farthest_{kind}_points",
        100 * TOLERANCE,
        LEAST,
        MOST,
        step=0.1,
        format="%.4g",
        persist_state="session",
        width=130,
        help="How much the found setting may lose, at most: below this.",
    )


def _work(current: Current, kind: str, points: float) -> Searching:
    """Raises ValueError where the page's step has no number to move."""
    recipe: Recipe = current.recipe
    index = step_to_move(recipe, kind)
    if index is None:
        recipe = with_step(recipe, USUAL[kind])
        index = step_to_move(recipe, kind)
    assert index is not None, "with_step has set one"
    return searching(current.model, recipe, index, points / 100)


def _button(work: Searching, kind: str, points: float) -> None:
    st.button(
        f"As far as it goes for < {words.points(points)}",
        key=f"farthest_{kind}_search",
        icon=":material/keyboard_double_arrow_right:",
        help=HELP,
        on_click=jobs.submit,
        args=(work,),
    )


def _found(current: Current, found: Farthest, kind: str) -> None:
    """What was measured around the end, and the button that makes it the present setting."""
    st.markdown(in_words(found))
    if found.best is None:
        return
    step = _step(found, found.best)
    if step in current.recipe:
        st.caption("It is the present setting.")
        return
    st.button(
        f"Apply: {words.describe(step)}",
        key=f"farthest_{kind}_apply",
        icon=":material/check:",
        on_click=_apply,
        args=(step,),
    )


def in_words(found: Farthest) -> str:
    """ "prune 88 % globally: −0.39 points, 230.0 KB; 89 %: −0.53 points." and on how much."""
    measured_on = f"{len(found.tried)} settings on {found.n:,} test images"
    if found.best is None:
        mildest = found.tried[0]
        told = f"{_setting(found, mildest)}: {_change(found, mildest)}"
        return f"None loses so little; {told} ({measured_on})."
    best = found.best
    text = (
        f"**{words.describe(_step(found, best))}**: {_change(found, best)}, "
        f"{words.byte_size(best.stored_bytes or 0)}"
    )
    beyond = found.tried[found.tried.index(best) + 1 :]
    if beyond:
        text += f"; {_setting(found, beyond[0])}: {_change(found, beyond[0])}"
    return f"{text} ({measured_on})."


def _setting(found: Farthest, tried: Tried) -> str:
    share = found.field in {"sparsity", "pruning_ratio", "energy", "budget"}
    return words.percent(tried.number) if share else f"{tried.number:g} {found.field}"


def _change(found: Farthest, tried: Tried) -> str:
    if tried.lost is None:
        return "refused"
    return words.point_change(found.metric, METRICS[found.metric].lost(tried.lost))


def _step(found: Farthest, tried: Tried) -> AnyStep:
    return parse_recipe(tried.recipe)[found.index]


def _apply(step: AnyStep) -> None:
    recipe_field.set_recipe(with_step(recipe_field.session_recipe(), step))
