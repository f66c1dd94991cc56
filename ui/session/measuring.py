"""Accuracy and answers of a recipe, at once on a subset of the test images, and on all of
them as soon as a job has it."""

import secrets

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray
from torch import Tensor

from compress_core import DataError, Recipe, load_dataset
from compress_core.jobs.work import Answering
from compress_core.measurement.accuracy import PairedDifference
from compress_core.measurement.harm import Answers, ClassHarm, Flip, flips, harm_by_class
from compress_core.measurement.scores import Score
from compress_core.recipe import format_recipe, parse_recipe, stages
from compress_core.tasks import WITH_LABELS, MetricName
from ui.session import caches, executor, jobs, measured
from ui.session.state import Current

SUBSET = 2000  # images measured at once; the whole test set follows in a job


def data_problem(model: str) -> str | None:
    """Why the test images of a model cannot be read, with the remedy; None if they can."""
    try:
        load_dataset(caches.dataset_name(model))
    except DataError as error:
        return str(error)
    return None


def test_size(model: str) -> int:
    """How many test images there are."""
    return len(load_dataset(caches.dataset_name(model)))


def subset_size(model: str) -> int:
    """How many of them are measured at once."""
    return min(SUBSET, test_size(model))


def measured_size(model: str, recipe: Recipe) -> int:
    """How many of them the recipe is measured on by now: all, or the subset."""
    exact = all(measured.exact_answers(model, steps) for steps in ((), recipe))
    return test_size(model) if exact else subset_size(model)


def answers(model: str, recipe: Recipe, n: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Predicted classes of n test images, class-balanced, and the confidence in each."""
    exact = measured.exact_answers(model, recipe) if n == test_size(model) else None
    if exact:
        return exact.classes.numpy(), exact.confidences.numpy()
    return caches.subset_answers(model, recipe, n)


def classes(model: str, recipe: Recipe, n: int) -> NDArray[np.uint8]:
    return answers(model, recipe, n)[0]


def class_tensor(model: str, recipe: Recipe, n: int) -> Tensor:
    return torch.from_numpy(classes(model, recipe, n).astype(np.int64))


def metric(model: str) -> MetricName:
    """By which metric a model is judged where there are test images."""
    kind = caches.original(model).task.kind
    assert kind is not None, "reference networks say what they are for"
    return WITH_LABELS[kind]


def score(model: str, recipe: Recipe, n: int) -> tuple[Score, PairedDifference]:
    """How well a recipe does on n test images, and the paired change against the original."""
    found, first = (class_tensor(model, steps, n) for steps in (recipe, ()))
    return caches.judge(model, n).score(found, first), change(model, (), recipe, n)


def change(model: str, before: Recipe, after: Recipe, n: int) -> PairedDifference:
    """What one recipe changes against another on the same n test images."""
    first, second, untouched = (class_tensor(model, steps, n) for steps in (before, after, ()))
    return caches.judge(model, n).change(first, second, untouched)


def harm(model: str, recipe: Recipe, n: int) -> tuple[tuple[ClassHarm, ...], tuple[Flip, ...]]:
    """The change of each class on n test images, and the images whose answer flipped."""
    data = caches.test_images(model, n)
    before, after = (_answer_tensors(model, steps, n) for steps in ((), recipe))
    return harm_by_class(before.classes, after.classes, data), flips(before, after, data)


def _answer_tensors(model: str, recipe: Recipe, n: int) -> Answers:
    confidences = answers(model, recipe, n)[1]
    return Answers(class_tensor(model, recipe, n), torch.from_numpy(confidences))


def stage_bytes(current: Current) -> list[tuple[str, int]]:
    """Bytes of the file: the original's, then after each stage of the recipe."""
    prefixes = stages(current.recipe)
    sizes = [(kind, caches.size(current.model, prefix).stored_bytes) for kind, prefix in prefixes]
    return [("original", current.size.original_bytes), *sizes]


def wait_for_exact(current: Current, *, shown: int) -> int | None:
    """How often the page has waited for the whole test set; None if there is nothing to wait for.

    `shown` images are on the screen. The first call asks for the measurement: original and recipe
    on all test images, in place of what the session asked for before."""
    wanted = (current.model, current.recipe)
    before, turn = st.session_state.get("exact_waiting", (None, 0))
    turn = turn + 1 if before == wanted else 0
    st.session_state.exact_waiting = (wanted, turn)
    if shown == test_size(current.model) or executor.present() is None:
        _wish()
        return None
    if turn == 0:
        texts = dict.fromkeys(map(format_recipe, ((), current.recipe)))
        _wish(*(Answering(current.model, text) for text in texts))
    elif not _wish_is_unfinished() and measured_size(*wanted) == shown:
        return None  # it failed: the subset stays
    return turn


def _wish(*works: Answering) -> None:
    """All that this session wants; jobs for what it wanted before end, unless others want them."""
    session = st.session_state.setdefault("exact_session", secrets.token_hex(8))
    before: tuple[Answering, ...] = st.session_state.get("exact_wish", ())
    st.session_state.exact_wish = works
    for work in before:
        if work not in works:
            jobs.leave(work, session)
    for work in works:
        job = jobs.job_of(work)
        if measured.exact_answers(work.model, parse_recipe(work.recipe)) is None:
            damaged = job is not None and job.state == "done"
            jobs.submit(work, anew=damaged, name=session)


def _wish_is_unfinished() -> bool:
    found = [jobs.job_of(work) for work in st.session_state.get("exact_wish", ())]
    return any(job is not None and job.unfinished for job in found)
