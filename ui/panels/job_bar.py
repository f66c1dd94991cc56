"""How far jobs are, and the button that stops them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from compress_core.events import Progress
from compress_core.jobs.job import Job
from ui import wake_up
from ui.core_sentences import of_core
from ui.language import N_, _
from ui.session import fragments, jobs

SINGLE_WORDS = (N_("timing"), N_("done"))  # of what jobs say of themselves; others are sentences


def job_bar(
    fraction: float, text: str, *, key: str, stop: Callable[[Any], None], of: Any, help_text: str
) -> None:
    """A bar with its text, and Stop, which calls `stop(of)`."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(fraction, text=text)
        st.button(
            _("Stop"), key=key, icon=":material/stop:", on_click=stop, args=(of,), help=help_text
        )


@st.fragment
def waiting_for(
    job_id: str, key: str, help_text: str, *, has_grown: Callable[[], bool] = lambda: False
) -> None:
    """What a job does now, and its Stop; when it is over, or what the page shows of it has grown,
    the page is drawn anew. `key` begins the keys."""
    job = jobs.find(job_id)
    if job is None:  # deleted
        return
    job_bar(*_how_far(job), key=f"{key}_stop", stop=jobs.stop, of=job, help_text=help_text)
    wake_up.show(f"{key}_wake_up", wake_up.SECOND, partial(_look_again, job_id, has_grown))


def _look_again(job_id: str, has_grown: Callable[[], bool]) -> None:
    job = jobs.find(job_id)
    if job is None or not job.unfinished or has_grown():
        st.rerun([fragments.BODY])


def _how_far(job: Job) -> tuple[float, str]:
    if job.state == "queued":
        return 0.0, _("Waiting: others measure now")
    if isinstance(job.last, Progress):
        return job.last.fraction, f"{_doing(job.last.text).capitalize()}…"
    return 0.0, _("Starting…")


def _doing(text: str) -> str:
    """What a job says of itself, in the reader's language."""
    verb, _space, step = text.partition(" ")
    if verb == "measuring":
        return _("measuring {step}", step=step)
    return _(text) if text in SINGLE_WORDS else of_core(text)
