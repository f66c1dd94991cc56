"""A second process encodes and answers where one has too much to do.

In a class every act is another recipe: its file takes as long as the drawing of the page, and both
want the same interpreter. So once pages wait long for their turn, a process beside the server
measures what they show, while the server draws. It is `compress_core.measurement.beside`. Where it
is not there, or has no result, the server measures by itself.
"""

import contextlib
import logging
import pickle
import subprocess
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from compress_core.measurement.beside import State, answers_of, ready, size_of
from compress_core.measurement.harm import Answers
from compress_core.measurement.report import Size
from compress_core.measurement.slices import Found, Run
from compress_core.processes import start_module
from ui.session import turns

LONG_S = 0.5  # a mean wait for the turn, from which on a second process pays; it takes 600 MB
MOST_IN_LINE = 6  # requests; what comes then, the server does itself
MAX_SIZES = 2000  # that are kept
PATIENCE_S = 60.0


class Helper:
    """The second process, started by `start`; until then, and after its end, all results are
    None."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sizes: OrderedDict[State, Future[Size | None]] = OrderedDict()
        self._process: subprocess.Popen[bytes] | None = None
        # one request at a time: the process has one thread, too
        self._line = ThreadPoolExecutor(1, thread_name_prefix="beside")
        self._in_line = 0
        self._started = False

    def start(self) -> None:
        """In the background, once."""
        with self._lock:
            if not self._started:
                self._started = True
                self._line.submit(self._start)

    @property
    def works(self) -> bool:
        """Whether it may be asked."""
        return self._process is not None

    def works_on(self, state: State) -> bool:
        """Whether a size that was foreseen is not there yet."""
        found = self._sizes.get(state)
        return found is not None and not found.done()

    def foresee(self, state: State) -> None:
        """Have its size measured, which somebody will ask for. Where pages wait long for their
        turn, the process is started."""
        if turns.runs.wait_s > LONG_S:
            self.start()
        self._size(state)

    def size(self, state: State) -> Size | None:
        """What a state weighs; None where the server has to find out."""
        found = self._size(state)
        return found.result(PATIENCE_S) if found else None

    def answers(self, state: State, subset: int, rows: slice) -> Answers | None:
        """As `answers_of`; None where the server has to find out."""
        with self._lock:
            asked = self._submit(answers_of, state, subset, rows)
        return asked.result(PATIENCE_S) if asked else None

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        self._line.shutdown(wait=False, cancel_futures=True)
        if process is not None:
            _end(process)

    def _size(self, state: State) -> "Future[Size | None] | None":
        """None where it is not asked."""
        with self._lock:
            found = self._sizes.get(state) or self._submit(size_of, state)
            if found is not None:
                self._sizes[state] = found
                self._sizes.move_to_end(state)
                if len(self._sizes) > MAX_SIZES:
                    self._sizes.popitem(last=False)
            return found

    def _submit(self, work: Callable[..., Any], *arguments: Any) -> "Future[Any] | None":
        """None where the line is long: then the server is sooner done."""
        if self._process is None or self._in_line >= MOST_IN_LINE:
            return None
        self._in_line += 1
        return self._line.submit(self._ask, work, *arguments)

    def _start(self) -> None:
        process = start_module("compress_core.measurement.beside")
        if _answer(process, ready) is not None:  # its imports take seconds
            self._process = process

    def _ask(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """In the one thread of `_line`: send a request and wait for its result."""
        process = self._process
        try:
            return _answer(process, work, *arguments) if process else None
        except (OSError, EOFError, pickle.UnpicklingError):
            logging.getLogger(__name__).exception("the process beside the server has ended")
            self._process = None
            if process:
                _end(process)
            return None
        finally:
            with self._lock:
                self._in_line -= 1


def _answer(process: subprocess.Popen[bytes], work: Callable[..., Any], *arguments: Any) -> Any:
    """Send a request and wait for its result. Raises OSError or EOFError if the process is gone."""
    assert process.stdin is not None
    assert process.stdout is not None
    pickle.dump((work.__name__, arguments), process.stdin)
    process.stdin.flush()
    return pickle.load(process.stdout)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(BrokenPipeError):  # what it did not read any more
            pipe and pipe.close()


helper = Helper()


class BesideRun:
    """Answers of a state slice by slice, by the second process or, where that has none, by `local`
    in this one."""

    def __init__(self, state: State, subset: int, local: Callable[[], Run]) -> None:
        self._elsewhere = partial(helper.answers, state, subset)
        self._local = local
        self._run: Run | None = None

    def answers(self, rows: slice) -> Found:
        found: Found | None = None if self._run else self._elsewhere(rows)
        if found is None:
            self._run = self._run or self._local()
            found = self._run.answers(rows)
        return found
