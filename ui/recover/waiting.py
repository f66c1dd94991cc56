"""A step that is not trained yet: Start, the training on its way, or why it ended early."""

from typing import Any

import streamlit as st

from compress_core.jobs.job import Job
from compress_core.trained import NotTrained
from ui import words
from ui.core_sentences import of_core
from ui.language import _
from ui.recover import controls, running
from ui.session import caches, executor, fragments, jobs, recipe_field
from ui.session.state import Current


def show(current: Current) -> None:
    """The first step of the recipe that waits for its training."""
    step = current.waiting[0]
    title = words.describe(step)
    st.subheader(title[:1].upper() + title[1:], anchor=False)
    work = jobs.training_of(current.model, current.recipe, current.waiting)
    job = jobs.job_of(work)
    if job is not None and job.unfinished:
        running.show(current, job.id)
    elif job is not None and job.state in {"failed", "cancelled"}:
        with trouble(job):
            _take_out(current)
    elif executor.problem():
        st.warning(_("Nothing can be trained here: {why}.", why=executor.problem()))
        _take_out(current)
    else:
        _offer(current)


def _offer(current: Current) -> None:
    st.caption(
        _(
            "This step of the recipe is not trained yet: it and the steps after it are set aside, "
            "and all pages show the state before it."
        )
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            _("Start"),
            key="recover_start",
            type="primary",
            icon=":material/play_arrow:",
            on_click=_start,
            args=(current,),
            help=_("Trains it on this server, and what comes of it is kept."),
        )
        _take_out(current)
        st.caption(_time(current))


def _time(current: Current) -> str:
    try:
        caches.compressed(current.model, (*current.recipe, current.waiting[0]))
    except NotTrained as untrained:
        return _("about {time} on this machine", time=controls.duration(untrained))
    return _("trained meanwhile")


def _start(current: Current) -> None:
    controls.submit(current.model, (*current.recipe, *current.waiting))
    fragments.refresh()  # the sidebar tells that it is being trained


def _take_out(current: Current) -> None:
    st.button(
        _("Take it out"),
        key="recover_take_out",
        icon=":material/close:",
        on_click=_drop,
        args=(len(current.waiting),),
        help=_("Takes this step out of the recipe, to train in another way."),
    )


def _drop(waiting: int) -> None:
    recipe = recipe_field.session_recipe()
    place = len(recipe) - waiting
    recipe_field.set_recipe((*recipe[:place], *recipe[place + 1 :]))


def trouble(job: Job, *, key: str = "recover") -> Any:
    """Why a training has ended early, and the ways on; returns their row."""
    reason = of_core(job.reason) or _("somebody stopped it")
    told = _("{reason}.", reason=words.escape_markdown(reason[:1].upper() + reason[1:]))
    if job.state == "failed":
        st.error(told, title=_("The training failed"))
    else:
        st.info(told, title=_("Stopped"))
    row = st.container(horizontal=True)
    row.button(
        _("Resume"),
        key=f"{key}_resume",
        icon=":material/play_arrow:",
        on_click=_resume,
        args=(job,),
        help=_("Goes on from the last epoch, to the same weights as an unbroken training."),
    )
    row.button(
        _("Delete"),
        key=f"{key}_delete",
        icon=":material/delete:",
        on_click=jobs.delete,
        args=(job,),
        help=_("Forgets what it has kept; the state before it is untouched."),
    )
    return row


def _resume(job: Job) -> None:
    jobs.resume(job)
    fragments.refresh()
