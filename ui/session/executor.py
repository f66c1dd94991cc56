"""The one executor of this server, for work that takes longer than a page may.

The server's lifespan starts and closes it, never a page: what a page starts would run the page
again. Pages reach it through `jobs`.
"""

import logging
import os
from concurrent.futures import Future
from typing import TYPE_CHECKING

from ui.core_sentences import of_core
from ui.language import _

if TYPE_CHECKING:  # imported by the server before it listens: torch would take seconds
    from compress_core.jobs.executor import Executor

SCHEDULER_VARIABLE = "COMPRESS_SCHEDULER"  # tcp://… of a cluster; without it this machine works
PATIENCE_S = 60.0  # a page that is opened at once waits for the start

_started: list["Future[Executor]"] = []


def announce() -> None:
    """Before the server listens: there will be an executor, pages wait for it."""
    _started[:] = [Future()]


def start() -> None:
    """Start what was announced; in a thread, as its imports take a second."""
    from compress_core.jobs.start import start_executor

    try:
        use(start_executor(os.environ.get(SCHEDULER_VARIABLE)))
    except Exception as error:  # whatever it was, pages must not wait for it
        logging.getLogger(__name__).exception("no executor")
        _started[0].set_exception(error)


def use(executor: "Executor") -> None:
    """Let the pages of this process use an executor; tests have no lifespan."""
    if not _started or _started[0].done():
        announce()
    _started[0].set_result(executor)


def close() -> None:
    """End the workers; the next server can resume the jobs that ran."""
    found = present()
    _started.clear()
    if found is not None:
        found.close()


def present() -> "Executor | None":
    """The executor; None where this process has none, or it could not be started."""
    return None if problem() else _started[0].result()


def problem() -> str:
    """Why there is no executor, in words; nothing where there is one."""
    if not _started:
        return _("this process serves pages alone: start the app by app.py")
    try:
        error = _started[0].exception(PATIENCE_S)
    except TimeoutError:
        return _("the server is still starting: try again in a moment")
    return "" if error is None else of_core(error)
