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
from ui.core_sentences import of_core
from ui.language import N_, _
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
SETTINGS = {  # by the step's field; those that are no shares
    "sigmas": N_("{number:g} sigmas"),
    "rank": N_("{number:g} rank"),
    "clusters": N_("{number:g} clusters"),
    "bits": N_("{number:g} bits"),
    "n": N_("{number:g} n"),
}
LEAST, MOST = 0.01, 100.0
HELP = N_(
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
            st.caption(_("As far as it goes: {reason}.", reason=of_core(error)))
            return
        job, found = jobs.job_of(work), measured.farthest(work)
        if found:
            _found(current, found, kind)
        elif job is not None and job.unfinished:
            kept = _("What it has measured is kept: it goes on from there.")
            waiting_for(job.id, "farthest", kept)
        else:
            _button(work, kind, points)
            if job is not None and job.state == "failed":
                st.caption(_("Not found: {reason}.", reason=of_core(job.reason)))


def _points(kind: str) -> float:
    return number_field(
        _("Points to lose"),
        f"farthest_{kind}_points",
        100 * TOLERANCE,
        LEAST,
        MOST,
        step=0.1,
        format="%.4g",
        width=130,
        help=_("How much the found setting may lose, at most: below this."),
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
        _("As far as it goes for < {points}", points=words.points(points)),
        key=f"farthest_{kind}_search",
        icon=":material/keyboard_double_arrow_right:",
        help=_(HELP),
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
        st.caption(_("It is the present setting."))
        return
    st.button(
        _("Apply: {step}", step=words.describe(step)),
        key=f"farthest_{kind}_apply",
        icon=":material/check:",
        on_click=_apply,
        args=(step,),
    )


def in_words(found: Farthest) -> str:
    """ "prune 88 % globally: −0.39 points, 230.0 KB; 89 %: −0.53 points." and on how much."""
    measured_on = _("{count} settings on {n:,} test images", count=len(found.tried), n=found.n)
    if found.best is None:
        told = _told(found, found.tried[0])
        return _(
            "None loses so little; {told} ({measured_on}).", told=told, measured_on=measured_on
        )
    best = found.best
    text = _(
        "**{step}**: {change}, {size}",
        step=words.describe(_step(found, best)),
        change=_change(found, best),
        size=words.byte_size(best.stored_bytes or 0),
    )
    beyond = found.tried[found.tried.index(best) + 1 :]
    if beyond:
        text = _("{best}; {beyond}", best=text, beyond=_told(found, beyond[0]))
    return _("{found} ({measured_on}).", found=text, measured_on=measured_on)


def _told(found: Farthest, tried: Tried) -> str:
    return _("{setting}: {change}", setting=_setting(found, tried), change=_change(found, tried))


def _setting(found: Farthest, tried: Tried) -> str:
    if found.field in {"sparsity", "pruning_ratio", "energy", "budget"}:
        return words.percent(tried.number)
    return _(SETTINGS[found.field], number=tried.number)


def _change(found: Farthest, tried: Tried) -> str:
    if tried.lost is None:
        return _("refused")
    return words.point_change(found.metric, METRICS[found.metric].lost(tried.lost))


def _step(found: Farthest, tried: Tried) -> AnyStep:
    return parse_recipe(tried.recipe)[found.index]


def _apply(step: AnyStep) -> None:
    recipe_field.set_recipe(with_step(recipe_field.session_recipe(), step))
