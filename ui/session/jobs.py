"""Jobs as pages see them: found by what is to be done, so that every visitor finds them again."""

import hashlib
import secrets
from collections.abc import Callable, Iterable

import streamlit as st
from streamlit.web.server.starlette.starlette_app_utils import decode_xsrf_token_string

from compress_core.events import Event
from compress_core.jobs.executor import Executor
from compress_core.jobs.job import Job
from compress_core.jobs.process import SERVER_STOPPED
from compress_core.jobs.store import JobError
from compress_core.jobs.work import Training, Work, work_key
from compress_core.recipe import Recipe, format_recipe
from ui.core_sentences import of_core
from ui.language import _
from ui.session import executor

COOKIE = "_streamlit_xsrf"  # the same in all tabs of a browser, until it is closed


def job_of(work: Work) -> Job | None:
    """The job that does this work, whoever started it and in whichever state; None without one."""
    return find(work_key(work))


def find(job_id: str) -> Job | None:
    """The job of this name; None where there is none (any more). One whose server or command is
    gone has failed: nobody does it any more."""
    found = executor.present()
    try:
        job = found.job(job_id) if found else None
        if found and job and job.unfinished and not found.store.is_alive(job.owner):
            return found.store.end(job_id, "failed", SERVER_STOPPED)
    except JobError:
        return None
    return job


def training_of(model: str, fitting: Recipe, waiting: Recipe) -> Training:
    """What trains all that waits: the recipe up to its last training step."""
    last = max(i for i, step in enumerate(waiting) if step.kind == waiting[0].kind)
    return Training(model, format_recipe((*fitting, *waiting[: last + 1])))


def events(job: Job) -> tuple[Event, ...]:
    """All that a job has told so far."""
    found = executor.present()
    return found.store.events(job.id) if found else ()


def all_jobs() -> tuple[Job, ...]:
    """The jobs of everybody, the newest first."""
    found = executor.present()
    return found.jobs() if found else ()


def user() -> str:
    """Who asks, for the fair queue: a browser, or a session where it keeps no cookies."""
    name: str = st.session_state.setdefault("job_user", _browser() or secrets.token_hex(8))
    return name


def _browser() -> str | None:
    token, _time = decode_xsrf_token_string(st.context.cookies.get(COOKIE, ""))
    return hashlib.sha256(token).hexdigest()[:16] if token else None


def submit(work: Work, *, anew: bool = False) -> None:
    """Have it done for the user. Equal work is one job; `anew` forgets the result of one that is
    done."""
    _act(lambda found: _submit(found, work, anew=anew))


def submit_all(works: Iterable[Work]) -> None:
    """Have all of these done for the user."""
    for work in works:
        submit(work)


def _submit(found: Executor, work: Work, *, anew: bool) -> None:
    done = job_of(work)
    if anew and done is not None and done.state == "done":
        found.delete(done.id)
    found.submit(work, user())


def stop(job: Job) -> None:
    """End a job for this user, and altogether if nobody else wants it; a job that this user has
    not asked for ends for all."""
    me = user()
    _act(lambda found: found.cancel(job.id, me if me in job.users else None))


def stop_all(works: Iterable[Work]) -> None:
    """End all of these that wait or run."""
    for job in filter(None, map(job_of, works)):
        if job.unfinished:
            stop(job)


def resume(job: Job) -> None:
    """Let a job that failed or was cancelled go on from what it kept."""
    _act(lambda found: found.resume(job.id))


def delete(job: Job) -> None:
    """Remove a job that is over, and its files."""
    _act(lambda found: found.delete(job.id))


def _act(act: Callable[[Executor], object]) -> None:
    """In a callback: what cannot be done is told in a notice that goes by itself."""
    found = executor.present()
    try:
        if found is None:
            raise ValueError(executor.problem())
        act(found)
    except ValueError as error:
        st.toast(_("Not done: {error}.", error=of_core(error)), icon=":material/error:")
