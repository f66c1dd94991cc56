"""A class's predictions of one question, made ready to be drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ui.language import _, n_
from ui.learn.answers import ANSWERS
from ui.learn.answers.asked import Asked, largest_layer
from ui.learn.classes import Asked as ClassQuestion
from ui.learn.lesson import Choice, Number, Values

MOST_BINS = 12


@dataclass(frozen=True)
class Shown:
    """Bars with a label and a count each; `measured` is the bar of the measured answer, if there is
    one and it is to be seen; `sentence` tells it in words."""

    labels: Sequence[str]
    counts: Sequence[int]
    axis: str
    measured: int | None
    sentence: str


def shown_of(question: ClassQuestion, *, reveal: bool) -> Shown:
    """Raises NotYet and ValueError as the answers do, where they are to be shown."""
    answer = None
    if reveal and not isinstance(question.step.prediction, Values):
        layer = question.step.layer or largest_layer(question.model)
        asked = Asked(question.model, question.recipes, layer)
        answer = ANSWERS[question.step.answer](asked)
    n = len(question.predictions)
    said = n_("1 prediction.", "{n} predictions.", n)
    if answer:
        said = _("{predictions} Measured: {answer}.", predictions=said, answer=answer.shown)
    match question.step.prediction:
        case Choice(options):
            picked = [int(p) for p in question.predictions.values() if isinstance(p, float)]
            counts = np.bincount(picked, minlength=len(options)).tolist()
            measured = int(answer.value) if answer and not question.step.is_asked else None
            labels = tuple(map(question.step.shown, options))
            return Shown(labels, counts, _("prediction"), measured, said)
        case Number() as number:
            numbers = [p for p in question.predictions.values() if isinstance(p, float)]
            unit = number.unit_shown
            axis = _("prediction, {unit}", unit=unit) if unit else _("prediction")
            return _bins(numbers, answer.value if answer else None, axis, said)
        case _:
            return Shown((_("lists of values"),), (n,), _("prediction"), None, said)


def _bins(numbers: Sequence[float], measured: float | None, axis: str, said: str) -> Shown:
    """The measured number has a place among the predictions."""
    found = np.array([*numbers, *([] if measured is None else [measured])])
    bins = min(MOST_BINS, max(1, len(np.unique(found))))
    counts, edges = np.histogram(numbers, bins, (found.min(), found.max()))
    labels = [f"{low:.3g} … {high:.3g}" for low, high in pairwise(edges)]
    at = None
    if measured is not None:
        at = min(bins - 1, int(np.searchsorted(edges, measured, "right")) - 1)
    return Shown(labels, counts.tolist(), axis, at, said)
