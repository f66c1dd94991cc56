"""The trainings of this server, and what their results take on its disk."""

from datetime import datetime

import streamlit as st

from compress_core.jobs.job import Job
from compress_core.jobs.work import Training
from compress_core.recipe import parse_recipe
from compress_core.trained import CAP_BYTES, cached_bytes, forget_results
from ui import words
from ui.core_sentences import of_core
from ui.icon_button import icon_button
from ui.language import N_, _
from ui.session import caches, jobs, recipe_field
from ui.session.state import Current

SHOWN = 8
ICONS = {
    N_("queued"): ":material/schedule:",
    N_("running"): ":material/directions_run:",
    N_("done"): ":material/check_circle:",
    N_("failed"): ":material/error:",
    N_("cancelled"): ":material/stop_circle:",
}
CLEAR_HELP = N_(
    "Deletes what all trainings on this machine gave. Recipes with training steps are then not "
    "trained any more; models that the project ships stay."
)


def note_others(current: Current) -> None:
    """A line for each training of this model that runs for another recipe than the present."""
    own = _own_work(current)
    for job in _trainings(current.model):
        if job.unfinished and job.work != own:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.info(
                    _("A training of another recipe goes on: {recipe}.", recipe=_recipe_words(job)),
                    icon=ICONS[job.state],
                )
                _go_to(job, key=f"recover_back_{job.id}", label=_("Back to it"))


def show(current: Current) -> None:
    """The jobs of this model, the latest first, and the cache of results."""
    found = _trainings(current.model)[:SHOWN]
    if found:
        title = _("Trainings of {model} on this server", model=current.model)
        with st.expander(title, key="recover_jobs"):
            for job in found:
                _row(job)
    _cache()


def _own_work(current: Current) -> Training | None:
    if not current.waiting:
        return None
    return jobs.training_of(current.model, current.recipe, current.waiting)


def _trainings(model: str) -> list[Job]:
    return [
        job for job in jobs.all_jobs() if isinstance(job.work, Training) and job.work.model == model
    ]


def _row(job: Job) -> None:
    recipe = _recipe_words(job)
    text, buttons = st.columns([5, 1.6], vertical_alignment="center")
    text.markdown(f"{ICONS[job.state]} {recipe}  \n:gray[{_when(job)}]")
    with buttons, st.container(horizontal=True, horizontal_alignment="right"):
        _go_to(job, key=f"recover_go_{job.id}", label=_("Show"))
        icon_button(
            _("Stop {recipe}", recipe=recipe)
            if job.unfinished
            else _("Delete {recipe}", recipe=recipe),
            "stop" if job.unfinished else "delete",
            f"recover_end_{job.id}",
            type="tertiary",
            on_click=jobs.stop if job.unfinished else jobs.delete,
            args=(job,),
            help=_("Stop") if job.unfinished else _("Delete the job; its result is kept apart."),
        )


def _recipe_words(job: Job) -> str:
    assert isinstance(job.work, Training)
    return words.escape_markdown(words.describe_recipe(parse_recipe(job.work.recipe)))


def _when(job: Job) -> str:
    since = datetime.fromtimestamp(job.ended or job.started or job.created)
    told = _("{state} since {time:%Y-%m-%d %H:%M}", state=_(job.state), time=since)
    if not job.reason:
        return told
    return _("{told}: {reason}", told=told, reason=words.escape_markdown(of_core(job.reason)))


def _go_to(job: Job, *, key: str, label: str) -> None:
    assert isinstance(job.work, Training)
    st.button(
        label,
        key=key,
        on_click=recipe_field.set_recipe_text,
        args=(job.work.recipe,),
        help=_("Makes its recipe the present one."),
    )


def _cache() -> None:
    """Bytes of the results, their cap, and a way to be rid of them."""
    held = cached_bytes()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            _(
                "Results of trainings on this machine: {held} of at most {cap}; the least recently "
                "used go first.",
                held=words.byte_size(held),
                cap=words.byte_size(CAP_BYTES),
            ),
            width="content",
        )
        if held:
            with st.popover(_("Clear"), key="recover_cache"):
                st.caption(_(CLEAR_HELP))
                st.button(_("Delete all results"), key="recover_clear", on_click=_clear)


def _clear() -> None:
    """Also what the process remembers of them."""
    forget_results()
    caches.original.clear()
    caches.compressed.clear()
    st.rerun()
