"""What a class predicts: in the server's memory, for a day, each class under its code alone.

No names are kept: a session counts once a question, with its first prediction, made before it has
seen the answer. The numbers of classes, questions and predictions are bounded, so that nobody can
fill the memory; what is beyond is refused, so that nobody can push out another class either.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from compress_core import Recipe
from ui.learn.answers.asked import Predicted
from ui.learn.lesson import Step

MAX_CLASSES = 200
MAX_QUESTIONS = 30  # of one class
MAX_ANSWERS = 300  # of one question
MAX_AGE_S = 24 * 3600.0  # since a class was last used


@dataclass
class Asked:
    """A question of a class: its step, the model, the recipes that are measured, and predictions by
    session."""

    title: str
    step: Step
    model: str
    recipes: tuple[Recipe, ...]
    predictions: dict[str, Predicted] = field(default_factory=dict)


@dataclass
class _Class:
    touched: float
    questions: OrderedDict[str, Asked] = field(default_factory=OrderedDict)


class ClassStore:
    """All classes. Age alone removes one."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._classes: OrderedDict[str, _Class] = OrderedDict()  # the last touched at the end
        self._lock = Lock()
        self._clock = clock

    def predict(self, code: str, key: str, question: Asked, who: str, predicted: Predicted) -> bool:
        """Note a prediction, unless the session has made one before; False where there are as many
        classes, questions of this one or predictions of the question as there may be."""
        with self._lock:
            asked = self._asked(code, key, question)
            if asked is None:
                return False
            if who not in asked.predictions and len(asked.predictions) >= MAX_ANSWERS:
                return False
            asked.predictions.setdefault(who, predicted)
            return True

    def _asked(self, code: str, key: str, question: Asked) -> Asked | None:
        """The question of the class, a new one if there is room for it."""
        found = self._touch(code)
        if found is None:
            if len(self._classes) >= MAX_CLASSES:
                return None
            found = self._classes[code] = _Class(self._clock())
        if key not in found.questions and len(found.questions) >= MAX_QUESTIONS:
            return None
        return found.questions.setdefault(key, question)

    def questions(self, code: str) -> tuple[Asked, ...]:
        """What a class was asked, the latest first; each with a copy of its predictions."""
        with self._lock:
            found = self._touch(code)
            asked = reversed(found.questions.values()) if found else ()
            return tuple(
                Asked(q.title, q.step, q.model, q.recipes, dict(q.predictions)) for q in asked
            )

    def _touch(self, code: str) -> _Class | None:
        """The class, now the last used, after those that are too old are removed."""
        now = self._clock()
        while self._classes and now - next(iter(self._classes.values())).touched > MAX_AGE_S:
            self._classes.popitem(last=False)
        found = self._classes.get(code)
        if found:
            found.touched = now
            self._classes.move_to_end(code)
        return found
