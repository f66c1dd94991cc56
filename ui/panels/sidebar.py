"""The sidebar: model, recipe, presenter mode."""

from functools import partial

import streamlit as st

from compress_core import Recipe
from compress_core.events import Progress
from compress_core.jobs.job import Job
from compress_core.sources import describe
from compress_core.steps import AnyStep
from ui import presenter, wake_up, words
from ui.core_sentences import of_core
from ui.icon_button import icon_button
from ui.language import _
from ui.panels import skipped
from ui.session import (
    fragments,
    history,
    jobs,
    language_choice,
    models,
    recipe_field,
    snapshots,
    state,
)
from ui.session.state import Current


def sidebar() -> None:
    """Model picker, the recipe, the presenter's switch."""
    with st.sidebar:
        language_choice.switch()
        st.selectbox(
            _("Model"),
            models.names(),
            key="model",
            bind="query-params",
            on_change=fragments.refresh_app,
            help=_("A trained network and its test set. The recipe stays when you change it."),
        )
        st.caption(of_core(describe(state.chosen_model())))
        recipe()
        presenter.toggle()


@st.fragment(key=fragments.RECIPE)
def recipe() -> None:
    """The recipe as text, and in words with a way out of each step."""
    recipe_field.settle_recipe_text()
    recipe_field.assert_bound("recipe", st.session_state.recipe_written)
    recipe_field.field()
    _recipe_list(recipe_field.session_recipe())


def _recipe_list(recipe: Recipe) -> None:
    if not recipe:
        st.caption(_("Nothing yet: the model as it was trained. Each method's page adds a step."))
    current = state.current()
    first_waiting = len(recipe) - len(current.waiting)
    for i, step in enumerate(recipe):
        _entry(i, step, waits=i > first_waiting)
        if i == first_waiting:
            _untrained(current)
        skipped.show(step, current.compressed.skipped, key=f"left_out_{i + 1}")
    with st.container(horizontal=True, gap="xsmall", key="recipe_row"):
        history.buttons()
        st.button(
            _("Start over"),
            key="start_over",
            help=_("Takes all steps out of the recipe."),
            disabled=not recipe,
            on_click=recipe_field.set_recipe,
            args=((),),
        )
        snapshots.pin_button()
    snapshots.menu()


def _entry(index: int, step: AnyStep, *, waits: bool) -> None:
    """A step in words, pale where it waits for a training, and a way out."""
    said = f"{index + 1}. {words.describe(step)}"
    text, button = st.columns([7, 1], vertical_alignment="center", gap="small")
    text.markdown(f":gray[{said}]" if waits else said)
    with button:
        icon_button(
            _("Remove step {step}", step=said),
            "close",
            f"remove_step_{index + 1}",
            type="tertiary",
            help=_("Remove step {step}", step=index + 1),
            on_click=_drop_step,
            args=(index,),
        )


def _untrained(current: Current) -> None:
    """Under a step that trains: it has no result yet, and where it gets one."""
    work = jobs.training_of(current.model, current.recipe, current.waiting)
    job = jobs.job_of(work)
    if job is not None and job.unfinished:
        being_trained(job.id)
    else:
        st.caption(_(":material/hourglass_empty: Not trained yet: the state before it is shown."))
    if st.session_state.get("page") != "recover":
        st.page_link(
            st.Page(state.ROOT / "pages" / "recover.py"),
            label=_("Train it on the page Recover"),
            icon=":material/healing:",
        )


@st.fragment
def being_trained(job_id: str) -> None:
    """How far the training is; when it is over, the whole page shows what came of it."""
    job = jobs.find(job_id)
    if job is None:  # deleted
        return
    st.caption(_being_trained(job))
    wake_up.show("recipe_wake_up", wake_up.SECOND, partial(_see_whether_trained, job_id))


def _being_trained(job: Job) -> str:
    if not isinstance(job.last, Progress):
        return _(":material/directions_run: Being trained: the state before it is shown.")
    return _(
        ":material/directions_run: Being trained {share}: the state before it is shown.",
        share=words.percent(job.last.fraction),
    )


def _see_whether_trained(job_id: str) -> None:
    job = jobs.find(job_id)
    if job is None or not job.unfinished:
        fragments.refresh()


def _drop_step(index: int) -> None:
    recipe = recipe_field.session_recipe()
    recipe_field.set_recipe((*recipe[:index], *recipe[index + 1 :]))
