"""Have the files measured, as a job: the same for everybody, and kept."""

import streamlit as st

from compress_core.jobs.work import Leaving
from compress_core.recipe import format_recipe
from ui.core_sentences import of_core
from ui.language import N_, _
from ui.panels.job_bar import waiting_for
from ui.session import executor, jobs, measured
from ui.session.state import Current

HELP = N_(
    "Makes every file, reads it as somebody who gets it would read it, and measures it: on all "
    "test images, and the time of one input in onnxruntime, one thread, beside the original's. "
    "Done once for everybody, by a process of its own; what is measured is kept."
)


def work_of(current: Current) -> Leaving:
    return Leaving(current.model, format_recipe(current.recipe))


def show(current: Current) -> None:
    """The button that starts the job; while it runs, how far it is, and Stop."""
    work = work_of(current)
    job = jobs.job_of(work)
    if job is not None and job.unfinished:
        shown = len(measured.files(work))
        waiting_for(
            job.id,
            "take_home",
            _("Keeps what is measured so far."),
            has_grown=lambda: len(measured.files(work)) > shown,
        )
        return
    is_done = job is not None and job.state == "done"
    st.button(
        _("Measure again") if is_done else _("Measure these files"),
        key="take_home_measure",
        icon=":material/timer:",
        type="tertiary" if is_done else "primary",
        help=_(HELP),
        on_click=jobs.submit,
        args=(work,),
        kwargs={"anew": True},
        disabled=executor.present() is None,
    )
    if problem := executor.problem():
        st.warning(_("{problem}.", problem=of_core(problem)), title=_("Not measured"))
    elif job is not None and job.state == "failed":
        st.error(_("{reason}.", reason=of_core(job.reason)), title=_("Not all could be measured"))
