"""Answers at any time: the test images in slices, for everybody who waits, one after the other.

A recipe's answers grow from the first image on, in an order of which every beginning is balanced
by class. Whoever waits for a first number comes before those who wait for a better one, and among
equals everybody comes round in turn. What several visitors wait for is measured once; what nobody
waits for any more is dropped at the next slice, and goes on from there when it is wanted again.
"""

import atexit
import logging
import os
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from compress_core import Recipe
from compress_core.measurement.slices import Run
from compress_core.sandbox import RefusedError, SandboxError
from ui.session import turns

SLICE = 250  # images: the first number, ± 1.3 points at 99 % right
MAX_ANSWERS = 1000  # recipes whose answers are kept, of 80 KB each at 10,000 images
MAX_RESULTS = 200  # of errands, a few KB each
QUIET_S = 1.0  # in a class somebody always asks: errands would take the pages' time
FIRST, BETTER, ALL = range(3)  # what is measured next: a first number, the subset, all images
# What each thread measures. A first number waits for no better one; the pages need processors, too.
THREADS = ((FIRST,), *[(BETTER, ALL)] * max(1, min(4, (os.cpu_count() or 1) // 2)))
NICENESS = 10  # of the threads that measure no first numbers: pages come before them

Key = tuple[str, Recipe]  # digest of the network, recipe
UNKNOWN = object()  # the result of an errand that is not over


@dataclass(eq=False)
class Growing:
    """Answers of which the first `done` of n are there: two numbers of each row, (n, 2). If
    `problem` says why, there will not be more, unless it `may_pass`: then the next who asks for
    them has it tried again."""

    columns: NDArray[np.float32]
    done: int = 0
    problem: str = ""
    may_pass: bool = False

    @classmethod
    def none_of(cls, n: int) -> Self:
        return cls(np.empty((n, 2), np.float32))

    @property
    def is_over(self) -> bool:
        return bool(self.problem) or self.done == len(self.columns)


@dataclass(eq=False)
class Errand:
    """What can wait until everybody has the subset and nobody has asked for anything for QUIET_S:
    `steps` yields after each small part, and returns the result."""

    key: Hashable
    steps: Generator[None, None, object]


@dataclass(eq=False)
class Work:
    """What is to be measured: `start` prepares the network, `n` images are to be answered, `size`
    of them make the subset."""

    key: Key
    start: Callable[[], Run]
    n: int
    size: int
    run: Run | None = field(default=None, init=False)


class Measurer:
    """Grows the answers of all that anybody waits for, in threads of its own: each measures what
    `threads` says of it."""

    def __init__(self, threads: Sequence[tuple[int, ...]] = THREADS) -> None:
        self._news = threading.Condition()
        self._kept: OrderedDict[Key, Growing] = OrderedDict()
        self._wishes: OrderedDict[str, tuple[Work, ...]] = OrderedDict()  # by who waits
        self._in_hand: set[Key] = set()
        self._errands: OrderedDict[str, Errand] = OrderedDict()  # by who asks
        self._errand_in_hand: dict[str, Errand] = {}  # of each who asks, the last one taken
        self._results: OrderedDict[Hashable, object] = OrderedDict()  # of errands
        self._threads: list[threading.Thread] = []
        self._wanted_threads, self._closed = threads, False
        self._asked = time.monotonic()  # when anybody asked last
        self.slice_s = 0.03  # how long a slice took lately

    def ask(self, who: str, works: Sequence[Work], *, besides: bool = False) -> None:
        """`who` waits for these now, in place of what it waited for before, or `besides` that. The
        first of them are the most wanted."""
        with self._news:
            before = self._wishes.get(who, ())
            known = {work.key: work for wish in self._wishes.values() for work in wish}
            wanted = [*(before if besides else ()), *works]
            self._asked = time.monotonic()
            self._try_again(works)
            self._wishes[who] = tuple({w.key: known.get(w.key, w) for w in wanted}.values())
            self._start_threads()
            self._news.notify_all()

    def growing(self, key: Key) -> Growing | None:
        """The answers so far; None where there are none (any more)."""
        with self._news:
            return self._kept.get(key)

    def wait(self, keys: Sequence[Key], n: int, patience_s: float) -> int:
        """How many images all of these are measured on, after waiting until there are `n`."""
        with self._news:
            self._news.wait_for(
                lambda: self._count(keys) >= n or self._is_lost(keys), timeout=patience_s
            )
            return self._count(keys)

    def result(self, key: Hashable) -> object:
        """What came of an errand; UNKNOWN if nothing has (yet)."""
        with self._news:
            return self._results.get(key, UNKNOWN)

    def send(self, who: str, errand: Errand) -> None:
        """Have it done for `who`, in place of another errand, unless it is under way already."""
        with self._news:
            in_hand, waiting = self._errand_in_hand.get(who), self._errands.get(who)
            if in_hand and in_hand.key == errand.key:
                self._errands.pop(who, None)  # that one goes on
            elif not waiting or waiting.key != errand.key:
                self._errands[who] = errand
            self._start_threads()
            self._news.notify_all()

    def eta_s(self, keys: Sequence[Key], n: int) -> float:
        """About how long it takes until these are measured on `n` images."""
        with self._news:
            missing = -(-max(0, n - self._count(keys)) // SLICE)
            waiting = sum(any(self._is_open(w) for w in ws) for ws in self._wishes.values())
            return missing * self.slice_s * max(1, waiting) / len(self._wanted_threads)

    def busyness(self) -> int:
        """How many wait for a measurement."""
        with self._news:
            return len(self._wishes)

    def close(self) -> None:
        """End the threads; a process must not end while torch computes in one."""
        with self._news:
            self._closed = True
            self._news.notify_all()
        for thread in self._threads:
            thread.join()

    def _start_threads(self) -> None:
        for levels in self._wanted_threads[len(self._threads) :]:
            thread = threading.Thread(target=self._measure, args=(levels,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _try_again(self, works: Sequence[Work]) -> None:
        for work in works:
            if (growing := self._kept.get(work.key)) and growing.may_pass:
                growing.problem, growing.may_pass = "", False

    def _count(self, keys: Sequence[Key]) -> int:
        return min(self._kept[key].done if key in self._kept else 0 for key in keys)

    def _is_lost(self, keys: Sequence[Key]) -> bool:
        return self._closed or any(k in self._kept and self._kept[k].problem for k in keys)

    def _is_open(self, work: Work) -> bool:
        return work.key not in self._kept or not self._kept[work.key].is_over

    def _measure(self, levels: tuple[int, ...]) -> None:
        if FIRST not in levels and sys.platform == "linux":
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while True:
            with self._news:
                errand = self._take_errand() if ALL in levels else None
                must_wait = FIRST not in levels and turns.runs.waiting  # pages come before them
                taken = None if errand or must_wait else self._take(levels)
                if self._closed:
                    return
                if not errand and not taken:
                    self._news.wait(QUIET_S / 4 if self._errands or must_wait else None)
            if errand:
                self._go_on(*errand)
            elif taken:
                self._go_on_measuring(*taken)

    def _go_on_measuring(self, work: Work, growing: Growing) -> None:
        self._answer(work, growing)
        with self._news:
            self._in_hand.discard(work.key)
            self._forget_finished()
            self._news.notify_all()

    def _take_errand(self) -> tuple[str, Errand] | None:
        """The next errand; None where something else comes first."""
        # while pages wait for each other, nobody asks for anything new
        is_quiet = time.monotonic() > self._asked + QUIET_S and turns.runs.is_idle
        if not self._errands or not is_quiet or self._next((FIRST, BETTER)):
            return None
        who, errand = self._errands.popitem(last=False)
        self._errand_in_hand[who] = errand
        return who, errand

    def _go_on(self, who: str, errand: Errand) -> None:
        """One step of an errand; then the next one has its turn, if it is not over."""
        try:
            next(errand.steps)
        except StopIteration as end:
            result = end.value
        except Exception:  # whatever it is: there is no result
            logging.getLogger(__name__).exception("the errand %s", errand.key)
            result = None
        else:
            with self._news:
                if self._put_down(who, errand):
                    self._errands.setdefault(who, errand)  # unless another one was asked for
            return
        with self._news:
            self._put_down(who, errand)
            self._results[errand.key] = result
            if len(self._results) > MAX_RESULTS:
                self._results.popitem(last=False)
            self._news.notify_all()

    def _put_down(self, who: str, errand: Errand) -> bool:
        """Whether no other one was taken for `who` meanwhile."""
        is_last = self._errand_in_hand.get(who) is errand
        if is_last:
            del self._errand_in_hand[who]
        return is_last

    def _take(self, levels: tuple[int, ...]) -> tuple[Work, Growing] | None:
        """The next work, in hand; whose turn it was comes last. None where there is nothing to
        do."""
        found = self._next(levels)
        if found is None:
            return None
        who, work = found
        self._wishes.move_to_end(who)
        self._in_hand.add(work.key)
        if work.key not in self._kept:
            self._kept[work.key] = Growing.none_of(work.n)
        self._kept.move_to_end(work.key)
        if len(self._kept) > MAX_ANSWERS:
            self._kept.popitem(last=False)
        return work, self._kept[work.key]

    def _next(self, levels: tuple[int, ...]) -> tuple[str, Work] | None:
        """Who is served next, and with what of these levels; None where there is nothing to do."""
        firsts = (
            (who, min(free, key=self._done))
            for who, works in self._wishes.items()
            if (free := [work for work in works if self._is_free(work, levels)])
        )
        return min(firsts, key=lambda found: self._level(found[1]), default=None)

    def _is_free(self, work: Work, levels: tuple[int, ...]) -> bool:
        is_open = self._is_open(work) and work.key not in self._in_hand
        return is_open and self._level(work) in levels

    def _level(self, work: Work) -> int:
        """A first number comes before the subset, and the subset before the rest."""
        done = self._done(work)
        return FIRST if done < SLICE else BETTER if done < work.size else ALL

    def _done(self, work: Work) -> int:
        return self._kept[work.key].done if work.key in self._kept else 0

    def _answer(self, work: Work, growing: Growing) -> None:
        """Measure one slice; who waits reads `done` last, so never an answer that is not there."""
        started, rows = time.perf_counter(), slice(growing.done, growing.done + SLICE)
        try:
            work.run = work.run or work.start()
            _keep(growing.columns[rows], work.run.answers(rows).columns.numpy())
        except Exception as error:  # whatever it is, the others must not wait for ever
            self._fail(work, growing, error)
            return
        growing.done = min(rows.stop, work.n)
        self.slice_s += 0.1 * (time.perf_counter() - started - self.slice_s)

    def _fail(self, work: Work, growing: Growing, error: Exception) -> None:
        """A ValueError is of the network itself; anything else, such as too little memory, or a
        sandbox that was ended, may be of this moment."""
        of_sandbox = isinstance(error, SandboxError) and not isinstance(error, RefusedError)
        may_pass = of_sandbox or not isinstance(error, ValueError)
        if may_pass:
            logging.getLogger(__name__).error("measuring %s", work.key, exc_info=error)
            work.run = None
        with self._news:
            growing.problem, growing.may_pass = str(error) or type(error).__name__, may_pass

    def _forget_finished(self) -> None:
        for who, works in list(self._wishes.items()):
            self._wishes[who] = tuple(work for work in works if self._is_open(work))
            if not self._wishes[who]:
                del self._wishes[who]


def _keep(place: NDArray[np.float32], columns: NDArray[np.float32]) -> None:
    """Raises ValueError for answers that are not one for each row."""
    if columns.shape != place.shape:
        raise ValueError(
            f"it gives {len(columns):,} answers to {len(place):,} rows; a network answers each row"
        )
    place[:] = columns


@lru_cache(maxsize=1)
def measurer() -> Measurer:
    """The one of this process; its threads start with the first wish."""
    made = Measurer()
    atexit.register(made.close)
    return made
