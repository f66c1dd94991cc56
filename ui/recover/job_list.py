"""The trainings of this server, and what their results take on its disk."""

from datetime import datetime

import streamlit as st

from compress_core.jobs.job import Job
from compress_core.jobs.work import Training
from compress_core.recipe import parse_recipe
from compress_core.trained import CAP_BYTES, cached_bytes, forget_results
from ui import words
from ui.icon_button import icon_button
from ui.session import caches, jobs, recipe_field
from ui.session.state import Current

SHOWN = 8
ICONS = {
    "queued": ":material/schedule:",
    "running": ":material/directions_run:",
    "done": ":material/check_circle:",
    "failed": ":material/error:",
    "cancelled": ":material/stop_circle:",
}
CLEAR_HELP = (
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
                    f"A training of another recipe goes on: {_recipe_words(job)}.",
                    icon=ICONS[job.state],
                )
                _go_to(job, key=f"recover_back_{job.id}", label="Back to it")


def show(current: Current) -> None:
    """The jobs of this model, the latest first, and the cache of results."""
    found = _trainings(current.model)[:SHOWN]
    if found:
        with st.expander(f"Trainings of {current.model} on this server", key="recover_jobs"):
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
    text, buttons = st.columns([5, 1.6], vertical_alignment="center")
    text.markdown(f"{ICONS[job.state]} {_recipe_words(job)}  \n:gray[{_when(job)}]")
    with buttons, st.container(horizontal=True, horizontal_alignment="right"):
        _go_to(job, key=f"recover_go_{job.id}", label="Show")
        icon_button(
            f"{'Stop' if job.unfinished else 'Delete'} {_recipe_words(job)}",
            "stop" if job.unfinished else "delete",
            f"recover_end_{job.id}",
            type="tertiary",
            on_click=jobs.stop if job.unfinished else jobs.delete,
            args=(job,),
            help="Stop" if job.unfinished else "Delete the job; its result is kept apart.",
        )


def _recipe_words(job: Job) -> str:
    assert isinstance(job.work, Training)
    return words.escape_markdown(words.describe_recipe(parse_recipe(job.work.recipe)))


def _when(job: Job) -> str:
    since = datetime.fromtimestamp(job.ended or job.started or job.created)
    reason = f": {words.escape_markdown(job.reason)}" if job.reason else ""
    return f"{job.state} since {since:%Y-%m-%d %H:%M}{reason}"


def _go_to(job: Job, *, key: str, label: str) -> None:
    assert isinstance(job.work, Training)
    st.button(
        label,
        key=key,
        on_click=recipe_field.set_recipe_text,
        args=(job.work.recipe,),
        help="Makes its recipe the present one.",
    )


def _cache() -> None:
    """Bytes of the results, their cap, and a way to be rid of them."""
    held = cached_bytes()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(
            f"Results of trainings on this machine: {words.byte_size(held)} of at most "
            f"{words.byte_size(CAP_BYTES)}; the least recently used go first.",
            width="content",
        )
        if held:
            with st.popover("Clear", key="recover_cache"):
                st.caption(CLEAR_HELP)
                st.button("Delete all results", key="recover_clear", on_click=_clear)


def _clear() -> None:
    """Also what the process remembers of them."""
    forget_results()
    caches.original.clear()
    caches.compressed.clear()
    st.rerun()
