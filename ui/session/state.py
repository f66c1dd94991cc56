"""The session's keys, the present state, and every cache of the app.

Caches are keyed on (model name, recipe), a plain tuple of flat dataclasses.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress_core import (
    MODELS,
    DataError,
    Original,
    Recipe,
    Report,
    compress,
    load_dataset,
    load_model,
)
from compress_core.compressed import Compressed
from compress_core.data import Dataset
from compress_core.measurement.accuracy import (
    Accuracy,
    PairedDifference,
    accuracy_of,
    paired_difference,
)
from compress_core.measurement.harm import Answers, ClassHarm, Flip, flips, harm_by_class
from compress_core.measurement.harm import answers as answers_of
from compress_core.measurement.report import Size, measure, measure_size
from compress_core.measurement.waterfall import Stage, waterfall
from compress_core.recipe import stages
from compress_core.steps import AnyStep
from compress_core.views.alarms import Alarm, alarms
from compress_core.views.summaries import Cut, pruning_cut
from ui.palette import Palette, palette
from ui.session import address, recipe_field
from ui.session.background import ExactAnswers
from ui.session.snapshot_store import SnapshotStore

ROOT = Path(__file__).resolve().parents[2]
DEFAULT_MODEL = "digits-cnn"
MAX_POINTS = 4000  # of the trade-off plane, all models together
SUBSET = 2000  # images measured at once; the whole test set follows in the background

torch.set_num_threads(1)  # one server, many sessions: a second thread slows both


@dataclass(frozen=True)
class Refusal:
    """A step of the recipe that does not fit the model, and why."""

    step: AnyStep
    reason: str


@dataclass(frozen=True)
class Current:
    """What every page shows: the model, the steps that fit it, and the result."""

    model: str
    original: Original
    recipe: Recipe
    refusals: tuple[Refusal, ...]
    compressed: Compressed
    size: Size


def ensure() -> None:
    """Give the session its keys, once; the address may set them, wrong values give a notice."""
    if "notices" in st.session_state:
        recipe_field.assert_bound("model")
        recipe_field.settle_recipe_text()
        recipe_field.assert_bound("recipe")
        return
    query = st.query_params.to_dict()
    seeds, notices = address.read(query, DEFAULT_MODEL, lambda model: original(model).layers)
    st.session_state.notices = notices
    st.session_state.last_recipe = ""
    st.session_state.recipe_echoes = []
    for key, value in seeds.items():
        st.session_state[key] = value
    st.session_state.recipe_written = st.session_state.recipe
    for key in address.CONTROLS.keys() & query.keys():  # from here on the recipe says it
        del st.query_params[key]
    if seeds["recipe"]:
        st.query_params["recipe"] = seeds["recipe"]


def current() -> Current:
    """The present model and recipe, compressed; steps that do not fit are set aside."""
    model = st.session_state.model
    fitting, refusals = split_fitting(model, recipe_field.session_recipe())
    return Current(
        model, original(model), fitting, refusals, compressed(model, fitting), size(model, fitting)
    )


def split_fitting(model: str, recipe: Recipe) -> tuple[Recipe, tuple[Refusal, ...]]:
    """The steps that fit the model, and those that do not with the reason."""
    fitting: Recipe = ()
    refusals: list[Refusal] = []
    for step in recipe:
        try:
            compressed(model, (*fitting, step))
        except ValueError as error:
            refusals.append(Refusal(step, str(error)))
        else:
            fitting = (*fitting, step)
    return fitting, tuple(refusals)


def colors() -> Palette:
    """The palette of the theme that the browser shows."""
    return palette(st.context.theme.type)


def dataset_name(model: str) -> str:
    return MODELS[model].dataset


def data_problem(model: str) -> str | None:
    """Why the test images of a model cannot be read, with the remedy; None if they can."""
    try:
        load_dataset(dataset_name(model))
    except DataError as error:
        return str(error)
    return None


def test_size(model: str) -> int:
    """How many test images there are."""
    return len(load_dataset(dataset_name(model)))


def subset_size(model: str) -> int:
    """How many of them are measured at once."""
    return min(SUBSET, test_size(model))


def measured_size(model: str, recipe: Recipe) -> int:
    """How many of them the recipe is measured on by now: all, or the subset."""
    exact = all(exact_answers().known(model, steps) for steps in ((), recipe))
    return test_size(model) if exact else subset_size(model)


@st.cache_resource(max_entries=8, show_spinner="Loading the model…")
def original(model: str) -> Original:
    return load_model(model)


@st.cache_resource(max_entries=8, show_spinner="Loading the test images…")
def test_images(model: str, n: int) -> Dataset:
    return load_dataset(dataset_name(model)).subset(n)


@st.cache_resource(max_entries=64, show_spinner="Compressing…")  # seen after half a second
def compressed(model: str, recipe: Recipe) -> Compressed:
    """Shared by all sessions: never written to."""
    return compress(original(model), recipe)


@st.cache_resource(max_entries=2000, show_spinner=False)  # frozen: nothing to copy
def size(model: str, recipe: Recipe) -> Size:
    return measure_size(compressed(model, recipe))


@st.cache_resource(show_spinner=False)
def exact_answers() -> ExactAnswers:
    """What is measured in the background, on all test images."""
    return ExactAnswers()


def ask_exactly(session: str, model: str, recipe: Recipe) -> None:
    """Have original and recipe measured on all test images, in the background."""
    keys = [(model, ()), (model, recipe)]
    exact_answers().ask(session, {key: _exact_measure(*key) for key in keys})


def _exact_measure(model: str, recipe: Recipe) -> Callable[[Callable[[], bool]], Answers]:
    """For the background's thread, which has no cache of Streamlit at hand."""
    module, data = compressed(model, recipe).module, load_dataset(dataset_name(model))

    def measure(stop: Callable[[], bool]) -> Answers:
        found = answers_of(module, data, stop=stop)
        return Answers(found.classes.to(torch.uint8), found.confidences)

    return measure


def answers(model: str, recipe: Recipe, n: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Predicted classes of n test images, class-balanced, and the confidence in each."""
    exact = exact_answers().known(model, recipe) if n == test_size(model) else None
    if exact:
        return exact.classes.numpy(), exact.confidences.numpy()
    return _subset_answers(model, recipe, n)


@st.cache_data(max_entries=1000, show_spinner=False)
def _subset_answers(
    model: str, recipe: Recipe, n: int
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    found = answers_of(compressed(model, recipe).module, test_images(model, n))
    return found.classes.numpy().astype(np.uint8), found.confidences.numpy()


def classes(model: str, recipe: Recipe, n: int) -> NDArray[np.uint8]:
    return answers(model, recipe, n)[0]


def class_tensor(model: str, recipe: Recipe, n: int) -> Tensor:
    return torch.from_numpy(classes(model, recipe, n).astype(np.int64))


def accuracy(model: str, recipe: Recipe, n: int) -> tuple[Accuracy, PairedDifference]:
    """Accuracy on n test images, and the paired change against the original."""
    data = test_images(model, n)
    return accuracy_of(class_tensor(model, recipe, n), data), change(model, (), recipe, n)


def change(model: str, before: Recipe, after: Recipe, n: int) -> PairedDifference:
    """What one recipe changes against another on the same n test images."""
    first, second = class_tensor(model, before, n), class_tensor(model, after, n)
    return paired_difference(first, second, test_images(model, n))


def harm(model: str, recipe: Recipe, n: int) -> tuple[tuple[ClassHarm, ...], tuple[Flip, ...]]:
    """The change of each class on n test images, and the images whose answer flipped."""
    data = test_images(model, n)
    before, after = (_answer_tensors(model, steps, n) for steps in ((), recipe))
    return harm_by_class(before.classes, after.classes, data), flips(before, after, data)


def _answer_tensors(model: str, recipe: Recipe, n: int) -> Answers:
    confidences = answers(model, recipe, n)[1]
    return Answers(class_tensor(model, recipe, n), torch.from_numpy(confidences))


@st.cache_resource(max_entries=64, show_spinner=False)
def cuts(model: str, recipe: Recipe) -> dict[str, Cut]:
    """Threshold, sparsity and kept energy of each layer of a recipe that ends with pruning."""
    layers = compressed(model, recipe).layers
    return {name: pruning_cut(stored) for name, stored in layers.items()}


def stage_bytes(current: Current) -> list[tuple[str, int]]:
    """Bytes of the file: the original's, then after each stage of the recipe."""
    prefixes = stages(current.recipe)
    sizes = [(kind, size(current.model, prefix).stored_bytes) for kind, prefix in prefixes]
    return [("original", current.size.original_bytes), *sizes]


@st.cache_data(max_entries=500, show_spinner=False)
def stages_of(model: str, recipe: Recipe) -> tuple[Stage, ...]:
    """The file after each stage at fixed width, and last the coded one."""
    return waterfall(compressed(model, recipe))


def current_alarms(current: Current) -> tuple[Alarm, ...]:
    """What is wrong with the present state; each stage's file is encoded only where it is shown."""
    model, recipe = current.model, current.recipe
    found, classes = None, 0
    if not data_problem(model):
        n = measured_size(model, recipe)
        found = accuracy(model, recipe, n)[0]
        classes = len(test_images(model, n).class_names)
    by_stage = st.session_state.page == "combine" or len(stages(recipe)) == 1
    return alarms(
        current.compressed,
        current.size,
        found,
        class_count=classes,
        stage_bytes=stage_bytes(current) if by_stage else (),
    )


def wait_for_exact(current: Current, *, shown: int) -> int | None:
    """How often the whole test set was waited for, `shown` images being on the screen; None where
    there is nothing to wait for. The first time it is asked for."""
    session = st.session_state.setdefault("exact_session", secrets.token_hex(8))
    if shown == test_size(current.model):
        exact_answers().drop(session)
        return None
    wanted = (current.model, current.recipe)
    before, turn = st.session_state.get("exact_waiting", (None, 0))
    turn = turn + 1 if before == wanted else 0
    st.session_state.exact_waiting = (wanted, turn)
    if turn == 0 or measured_size(*wanted) > shown:
        ask_exactly(session, *wanted)
    elif not exact_answers().waiting(session):
        return None  # it failed, and the server's log says why
    return turn


class Points:
    """Measured points of the trade-off plane, by model and recipe; shared by all sessions."""

    def __init__(self) -> None:
        self._reports: dict[tuple[str, Recipe], Report] = {}
        self._lock = Lock()

    def known(self, model: str, recipe: Recipe) -> Report | None:
        with self._lock:
            return self._reports.get((model, recipe))

    def measure(self, model: str, recipe: Recipe) -> Report:
        """Size and accuracy on the whole test set; measured at most once."""
        report = self.known(model, recipe)
        if report is None:
            n = len(load_dataset(dataset_name(model)))
            baseline = class_tensor(model, (), n)
            made = compress(original(model), recipe)
            report = measure(made, test_images(model, n), baseline=baseline)
            with self._lock:
                self._reports[model, recipe] = report
                while len(self._reports) > MAX_POINTS:
                    del self._reports[next(iter(self._reports))]
        return report


@st.cache_resource(show_spinner=False)
def points() -> Points:
    return Points()


@st.cache_resource(show_spinner=False)
def snapshot_store() -> SnapshotStore:
    return SnapshotStore()


@st.cache_data(max_entries=32, show_spinner=False)
def graph(model: str, recipe: Recipe) -> bytes:
    """The ONNX graph as the viewer gets it: annotated, big tensors left out."""
    from compress_core.graph import strip_weights, to_onnx  # seconds of import, only for the graph

    return strip_weights(to_onnx(compressed(model, recipe)))


@st.cache_resource(max_entries=8, show_spinner="Exporting the ONNX graph…")
def onnx_file(model: str, recipe: Recipe) -> bytes:
    """The compressed model as an ONNX file; seconds for the first recipe of each structure."""
    from compress_core.graph import to_onnx  # seconds of import, only for the graph

    return to_onnx(compressed(model, recipe))
