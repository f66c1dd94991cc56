"""Accuracy and answers of a recipe on the test images that are measured by now: on the first 250 at
once, on the subset a little later, and on all of them when the server has time."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import streamlit as st
import torch
from torch import Tensor

from compress_core import MODELS, DataError, Recipe
from compress_core.data import Dataset
from compress_core.measurement.accuracy import PairedDifference
from compress_core.measurement.harm import Answers, ClassHarm, Flip, flips, harm_by_class
from compress_core.measurement.scores import Judge, Score, ratio_change, ratio_score
from compress_core.measurement.slices import SUBSET, Columns, Run
from compress_core.original import Elsewhere
from compress_core.recipe import format_recipe, stages
from compress_core.tasks import METRICS, WITH_LABELS, MetricName
from ui.core_sentences import of_core
from ui.language import _
from ui.session import caches, turns
from ui.session.anytime import SLICE, UNKNOWN, Errand, Key, Work, measurer
from ui.session.beside import BesideRun
from ui.session.state import Current

WAIT_S = 0.4  # how long a page waits for a first number before it shows that there is none yet
PATIENCE_S = 60.0  # how long what cannot be drawn without a number waits for it


def data_problem(model: str) -> str | None:
    """Why the test images of a model cannot be read, with the remedy; None if they can."""
    try:
        caches.test_data(model)
    except DataError as error:
        return str(error)
    return None


def test_size(model: str) -> int:
    """How many test images there are."""
    return len(caches.test_data(model))


def subset_size(model: str) -> int:
    """How many of them make the subset."""
    return min(SUBSET, test_size(model))


def first_size(model: str) -> int:
    """How many of them make a first number."""
    return min(SLICE, test_size(model))


def wish(model: str, recipe: Recipe) -> None:
    """Have a recipe measured beside the original for this session, in place of what it wished
    before."""
    if not data_problem(model):
        measurer().ask(_session(), _works(model, recipe))


def measured_size(model: str, *recipes: Recipe, patience_s: float = PATIENCE_S) -> int:
    """How many images the original and all of these are measured on by now, after waiting for a
    first number; 0 where there is none in time or there is a `problem`."""
    keys, done = _keys(model, *recipes), known_size(model, *recipes)
    if done < test_size(model):
        measurer().ask(_session(), _works(model, *recipes), besides=True)
        with turns.given_away():
            done = measurer().wait(keys, first_size(model), patience_s)
    return 0 if problem(model, *recipes) else done


def problem(model: str, *recipes: Recipe) -> str:
    """Why the original or one of these cannot be measured; empty if nothing is known against it."""
    found = (measurer().growing(key) for key in _keys(model, *recipes))
    return "; ".join(growing.problem for growing in found if growing and growing.problem)


def why_none(model: str, *recipes: Recipe) -> str:
    """The sentence in the place of a number that is not there."""
    found = problem(model, *recipes)
    if not found:
        return _("Being measured…")
    return _("Cannot be measured: {problem}", problem=of_core(found))


def telling_size(model: str, *recipes: Recipe) -> int:
    """The same in round numbers, for what is drawn anew only when much more is known: those of a
    first number, of the subset, or all images; 0 where there is no number yet."""
    return _round(model, measured_size(model, *recipes, patience_s=WAIT_S))


def pinned_size(model: str, recipe: Recipe) -> int:
    """The same for a state that is pinned, without waiting: it is measured on beside whatever its
    session looks at."""
    done = known_size(model, recipe)
    if done < test_size(model):
        measurer().ask(f"{_session()} pins", _works(model, recipe), besides=True)
    return 0 if problem(model, recipe) else _round(model, done)


def known_size(model: str, *recipes: Recipe) -> int:
    """How many images the original and all of these are measured on by now, unasked."""
    return measurer().wait(_keys(model, *recipes), 0, 0.0)


def grown(model: str, recipe: Recipe, shown: int) -> bool:
    """Whether more is known by now than what is drawn of `shown` images, in round numbers."""
    return _round(model, known_size(model, recipe)) > _round(model, shown)


def next_in_s(model: str, recipe: Recipe, shown: int) -> float | None:
    """In about how many seconds there is a number worth showing; None if all are `shown`."""
    sizes = (first_size(model), subset_size(model), test_size(model))
    wanted = next((n for n in sizes if n > shown), None)
    return None if wanted is None else measurer().eta_s(_keys(model, recipe), wanted)


def send_errand(errand: Errand) -> None:
    """Have it done for this session when everybody has the subset; what shows its result is drawn
    anew then."""
    st.session_state.errand = errand.key
    measurer().send(_session(), errand)


def waits_for_errand() -> bool:
    """Whether the session has sent one whose result is not drawn yet."""
    return st.session_state.get("errand") is not None


def take_errand() -> bool:
    """Whether the session's errand has come back since the last call."""
    key = st.session_state.get("errand")
    is_back = key is not None and measurer().result(key) is not UNKNOWN
    if is_back:
        st.session_state.errand = None
    return is_back


def _round(model: str, n: int) -> int:
    sizes = (first_size(model), subset_size(model), test_size(model))
    return max((size for size in sizes if size <= n), default=0)


def _session() -> str:
    name: str = st.session_state.setdefault("measuring_session", secrets.token_hex(8))
    return name


def _keys(model: str, *recipes: Recipe) -> list[Key]:
    """Of the original first: everything is compared with it."""
    digest = caches.original(model).digest
    return [(digest, recipe) for recipe in dict.fromkeys(((), *recipes))]


def _works(model: str, *recipes: Recipe) -> list[Work]:
    n, size = test_size(model), subset_size(model)
    keys = _keys(model, *recipes)
    return [Work(key, _starter(model, key[1]), n, size) for key in keys]


def _starter(model: str, recipe: Recipe) -> Callable[[], Run]:
    """What prepares the network, in the measuring thread."""
    original, made = caches.original(model), caches.compressed(model, recipe)
    if original.elsewhere:
        return partial(RunElsewhere, original.elsewhere, format_recipe(recipe))
    local = partial(caches.bench(model).run, made.as_stored)
    return partial(BesideRun, caches.state(model, recipe), SUBSET, local)


@dataclass(frozen=True)
class RunElsewhere:
    """Answers of a network that does not run in this process."""

    network: Elsewhere
    recipe: str

    def answers(self, rows: slice) -> Columns:
        return Columns(self.network.answers(self.recipe, rows))


def all_images(model: str) -> Dataset:
    """The test images in the order in which they are measured."""
    return caches.ordered_images(caches.data_name(model), SUBSET)


def test_images(model: str, n: int) -> Dataset:
    """The first n of them, balanced by class."""
    return caches.first_images(caches.data_name(model), SUBSET, n)


def answers(model: str, recipe: Recipe, n: int) -> Answers:
    """What a classifier answers to the first n test images (see `_columns`)."""
    return Answers.of_columns(_columns(model, recipe, n))


def _columns(model: str, recipe: Recipe, n: int) -> Tensor:
    """What is kept of the answers to the first n test images, (n, 2); waits until it is known.
    Raises ValueError where it cannot be measured."""
    key = _keys(model, recipe)[-1]
    found = measurer().growing(key)
    if found is None or found.done < n:
        measurer().ask(_session(), _works(model, recipe), besides=True)
        with turns.given_away():
            measurer().wait([key], n, PATIENCE_S)
        found = measurer().growing(key)
    if found is None or found.done < n:
        raise ValueError(
            (found and found.problem) or _("the server is too busy: try again in a moment")
        )
    return torch.from_numpy(found.columns[:n])


def class_tensor(model: str, recipe: Recipe, n: int) -> Tensor:
    """The predicted classes (n,)."""
    return answers(model, recipe, n).classes


def metric(model: str) -> MetricName:
    """By which metric a model is judged where there are test images."""
    kind = caches.original(model).task.kind
    if kind and (model in MODELS or data_problem(model)):
        return WITH_LABELS[kind]
    return caches.judge(model).metric


def score(model: str, recipe: Recipe, n: int) -> tuple[Score, PairedDifference]:
    """How well a recipe does on n test images, and the paired change against the original."""
    changed = change(model, (), recipe, n)
    if not METRICS[metric(model)].is_share:
        return ratio_score(metric(model), _columns(model, recipe, n).double()), changed
    found, first = (class_tensor(model, steps, n) for steps in (recipe, ()))
    return _judge(model, n).score(found, first), changed


def change(model: str, before: Recipe, after: Recipe, n: int) -> PairedDifference:
    """What one recipe changes against another on the same n test images."""
    if not METRICS[metric(model)].is_share:
        first, second = (_columns(model, steps, n).double() for steps in (before, after))
        return ratio_change(metric(model), first, second)
    first, second, untouched = (class_tensor(model, steps, n) for steps in (before, after, ()))
    return _judge(model, n).change(first, second, untouched)


def _judge(model: str, n: int) -> Judge:
    return replace(caches.judge(model), data=test_images(model, n))


def harm(model: str, recipe: Recipe, n: int) -> tuple[tuple[ClassHarm, ...], tuple[Flip, ...]]:
    """The change of each class on n test images, and the images whose answer flipped."""
    before, after = (answers(model, steps, n) for steps in ((), recipe))
    data = test_images(model, n)
    return harm_by_class(before.classes, after.classes, data), flips(before, after, data)


def stage_bytes(current: Current) -> list[tuple[str, int]]:
    """Bytes of the file: the original's, then after each stage of the recipe."""
    prefixes = stages(current.recipe)
    sizes = [(kind, caches.size(current.model, prefix).stored_bytes) for kind, prefix in prefixes]
    return [("original", current.size.original_bytes), *sizes]
