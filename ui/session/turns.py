"""Few runs of the pages at a time; the others wait for their turn, in the order in which they came.

Streamlit gives each run a thread of its own. When twenty of them share the interpreter, each gets a
twentieth of it, all are late together, and the thread that sends the answers is one of twenty, too.
One after the other, everybody is served sooner. Streamlit 1.67 has no option for this, so one of
its methods is replaced.
"""

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from streamlit.runtime.scriptrunner.script_runner import ScriptRunner

SMOOTH = 20  # so many turns make an average
AT_ONCE = 2  # one computes outside of the interpreter's lock, or waits for a file, now and then


class Turns:
    """At most `at_once` of those who `take` a turn have one, until they `end` it. Nobody is
    overtaken, as with a semaphore of Python's, which whoever comes just then may get first."""

    def __init__(self, at_once: int) -> None:
        self._lock = threading.Lock()
        self._at_once = self._free = at_once
        self._waiting = deque[threading.Event]()
        self.wait_s = 0.0  # how long the last ones waited, on average

    def take(self) -> None:
        came = time.monotonic()
        with self._lock:
            mine = threading.Event()
            if self._free:
                self._free -= 1
                mine.set()
            else:
                self._waiting.append(mine)
        mine.wait()
        self.wait_s += (time.monotonic() - came - self.wait_s) / SMOOTH

    def end(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()  # who gets this turn
            else:
                self._free += 1

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def is_idle(self) -> bool:
        """Whether nobody has a turn."""
        return self._free == self._at_once


plain_run = ScriptRunner._run_script
runs = Turns(AT_ONCE)
_own = threading.local()  # whether this thread has its turn


def install() -> None:
    """Put `run_script` in the place of Streamlit's own, for all sessions of this server."""
    ScriptRunner._run_script = run_script  # type: ignore[method-assign, assignment]


def run_script(runner: ScriptRunner, *arguments: Any) -> None:
    """Streamlit's own, in its turn."""
    runs.take()
    _own.turn = True
    try:
        plain_run(runner, *arguments)
    finally:
        _own.turn = False
        runs.end()


@contextmanager
def given_away() -> Iterator[None]:
    """While this run only waits for something, another one has its turn."""
    if not getattr(_own, "turn", False):  # no run of a page, or inside of another such block
        yield
        return
    _own.turn = False
    runs.end()
    try:
        yield
    finally:
        runs.take()
        _own.turn = True
