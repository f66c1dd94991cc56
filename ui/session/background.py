"""The whole test set, measured in the background while people go on.

One thread serves all sessions in turn. Each session has at most one wish: a newer one takes the
place of the older, which is dropped between two batches. Results are shared by everybody.
"""

import atexit
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping

from compress_core import Recipe
from compress_core.measurement.accuracy import Stopped
from compress_core.measurement.harm import Answers

MAX_RESULTS = 1000  # of 50 KB each, at 10,000 images

Key = tuple[str, Recipe]  # model and recipe
Measure = Callable[[Callable[[], bool]], Answers]  # its argument tells whether to stop
Wish = Mapping[Key, Measure]  # what a session wants measured, and the function that measures it


class ExactAnswers:
    """Answers by model and recipe, and the thread that finds them."""

    def __init__(self) -> None:
        self._results: OrderedDict[Key, Answers] = OrderedDict()
        self._wishes: OrderedDict[str, Wish] = OrderedDict()  # by session, the oldest first
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        atexit.register(self.close)  # torch aborts the process that ends under a running thread

    def known(self, model: str, recipe: Recipe) -> Answers | None:
        with self._changed:
            if (model, recipe) in self._results:
                self._results.move_to_end((model, recipe))
            return self._results.get((model, recipe))

    def ask(self, session: str, wish: Wish) -> None:
        """Measure this for the session, instead of what it asked for before."""
        with self._changed:
            if self._wishes.get(session, {}).keys() == wish.keys():
                return
            self._wishes.pop(session, None)  # its turn comes last again
            self._wishes[session] = wish
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
            self._changed.notify()

    def drop(self, session: str) -> None:
        """Forget the session's wish."""
        with self._changed:
            self._wishes.pop(session, None)

    def waiting(self, session: str) -> bool:
        """Whether the session's wish is not yet fulfilled."""
        with self._changed:
            return session in self._wishes

    def close(self) -> None:
        """End the thread, between two batches."""
        with self._changed:
            self._closed = True
            self._wishes.clear()
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wishes or self._closed)
                if self._closed:
                    return
                session, wish = next(iter(self._wishes.items()))
            try:
                self._fulfil(session, wish)
            except Stopped:
                continue
            except Exception:  # whatever it was, the other sessions must not wait for ever
                logging.getLogger(__name__).exception("measuring %s", [*wish])
            with self._changed:
                if self._wishes.get(session) is wish:
                    del self._wishes[session]

    def _fulfil(self, session: str, wish: Wish) -> None:
        for key, measure in wish.items():
            if self.known(*key) is None:
                found = measure(lambda: self._wishes.get(session) is not wish)
                with self._changed:
                    self._results[key] = found
                    while len(self._results) > MAX_RESULTS:
                        self._results.popitem(last=False)
