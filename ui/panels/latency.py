"""Latencies of recipes, measured on this server one at a time, once for everybody."""

from collections.abc import Callable
from threading import Lock

import streamlit as st

from compress_core import Recipe, compress
from compress_core.measurement.speed import Speed, measure_speed
from ui.session import caches
from ui.session.points import measured_points

MAX_LATENCIES = 4000  # all models together
PATIENCE_S = 0.3  # between two checks whether a waiting session still wants its turn


class Latencies:
    """Measured speeds by model and recipe; shared by all sessions.

    Two at a time would slow each other down, so a second session waits for its turn.
    """

    def __init__(self) -> None:
        self._speeds: dict[tuple[str, Recipe], Speed] = {}
        self._lock = Lock()
        self._turn = Lock()

    def known(self, model: str, recipe: Recipe) -> Speed | None:
        with self._lock:
            return self._speeds.get((model, recipe))

    def forget(self, model: str, recipe: Recipe) -> None:
        with self._lock:
            self._speeds.pop((model, recipe), None)

    def measure(
        self, model: str, recipe: Recipe, waiting: Callable[[], object] = lambda: None
    ) -> Speed:
        """Before and after; `waiting` is called while others have their turn, and may raise.

        Raises ValueError for a model without an ONNX graph.
        """
        while not self._turn.acquire(timeout=PATIENCE_S):
            waiting()
        try:
            speed = self.known(model, recipe) or _measure(model, recipe)
        finally:
            self._turn.release()
        with self._lock:
            self._speeds[model, recipe] = speed
            while len(self._speeds) > MAX_LATENCIES:
                del self._speeds[next(iter(self._speeds))]
        return speed


def _measure(model: str, recipe: Recipe) -> Speed:
    from compress_core.graph import to_onnx  # seconds of import, only for the graph

    original = caches.original(model)
    graphs = to_onnx(compress(original, ())), to_onnx(compress(original, recipe))
    report = measured_points().known(model, recipe)
    size = report.size if report else caches.size(model, recipe)
    return measure_speed(size, graphs, original.example)


@st.cache_resource(show_spinner=False)
def latencies() -> Latencies:
    return Latencies()
