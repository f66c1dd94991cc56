"""How far jobs are, and the button that stops them."""

from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from compress_core.events import Progress
from compress_core.jobs.job import Job
from ui import wake_up
from ui.session import fragments, jobs


def job_bar(
    fraction: float, text: str, *, key: str, stop: Callable[[Any], None], of: Any, help_text: str
) -> None:
    """A bar with its text, and Stop, which calls `stop(of)`."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(fraction, text=text)
        st.button(
            "Stop", key=key, icon=":material/stop:", on_click=stop, args=(of,), help=help_text
        )


@st.fragment
def waiting_for(job_id: str, key: str, help_text: str) -> None:
    """What a job does now, and its Stop; when it is over, the page is drawn anew. `key` begins the
    keys."""
    job = jobs.find(job_id)
    if job is None:  # deleted
        return
    job_bar(*_how_far(job), key=f"{key}_stop", stop=jobs.stop, of=job, help_text=help_text)
    wake_up.show(f"{key}_wake_up", wake_up.SECOND, partial(_look_again, job_id))


def _look_again(job_id: str) -> None:
    job = jobs.find(job_id)
    if job is None or not job.unfinished:
        st.rerun([fragments.BODY])


def _how_far(job: Job) -> tuple[float, str]:
    if job.state == "queued":
        return 0.0, "Waiting: others measure now"
    if isinstance(job.last, Progress):
        return job.last.fraction, f"{job.last.text.capitalize()}…"
    return 0.0, "Starting…"
