"""The measured points of the trade-off plane, of all models and sessions."""

from threading import Lock

import streamlit as st

from compress_core import Recipe, Report, compress, load_dataset
from compress_core.measurement.report import measure
from ui.session import caches, measuring

MAX_POINTS = 4000  # all models together


class Points:
    """Measured points of the trade-off plane, by the network's digest and recipe; shared by all
    sessions."""

    def __init__(self) -> None:
        self._reports: dict[tuple[str, Recipe], Report] = {}
        self._lock = Lock()

    def known(self, model: str, recipe: Recipe) -> Report | None:
        with self._lock:
            return self._reports.get((caches.original(model).digest, recipe))

    def measure(self, model: str, recipe: Recipe) -> Report:
        """Size and accuracy on the whole test set; measured at most once."""
        report = self.known(model, recipe)
        if report is None:
            n = len(load_dataset(caches.dataset_name(model)))
            baseline = measuring.class_tensor(model, (), n)
            made = compress(caches.original(model), recipe)
            report = measure(made, caches.test_images(model, n), baseline=baseline)
            with self._lock:
                self._reports[made.original.digest, recipe] = report
                while len(self._reports) > MAX_POINTS:
                    del self._reports[next(iter(self._reports))]
        return report


@st.cache_resource(show_spinner=False)
def measured_points() -> Points:
    return Points()
