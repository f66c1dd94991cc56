"""Who got hurt: the change of accuracy of each class, and the images whose answer flipped."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from compress_core.dataset import Dataset
from compress_core.inputs import Which, pick_output
from compress_core.measurement.accuracy import (
    PairedDifference,
    check_finite,
    paired_change,
    predict,
)

Outcome = Literal["lost", "still_wrong", "gained"]
OUTCOMES: tuple[Outcome, ...] = ("lost", "still_wrong", "gained")  # worst first


@dataclass(frozen=True, eq=False)
class Answers:
    """A model's predicted `classes` (n,), and the softmax of each one's logit, (n,) float32."""

    classes: Tensor
    confidences: Tensor

    @property
    def columns(self) -> Tensor:
        """Both as (n, 2) float32, which holds classes below 2²⁴ exactly."""
        return torch.stack([self.classes.float(), self.confidences], 1)

    @classmethod
    def of_columns(cls, columns: Tensor) -> Self:
        return cls(columns[:, 0].long(), columns[:, 1])


@dataclass(frozen=True)
class ClassHarm:
    """One class: accuracy on its `n` images before and after, and the paired change."""

    name: str
    n: int
    accuracy_before: float
    accuracy_after: float
    change: PairedDifference


@dataclass(frozen=True)
class Flip:
    """An image whose predicted class changed: its index, classes by number, and the confidence of
    each model in its own answer."""

    index: int
    outcome: Outcome
    true: int
    before: int
    after: int
    confidence_before: float
    confidence_after: float


def answers(
    model: nn.Module,
    data: Dataset,
    *,
    output: Which = None,
    stop: Callable[[], bool] = lambda: False,
) -> Answers:
    """The class of the largest logit for each image, and its softmax; `output` and `stop` as for
    `predict`. Only classifications have classes that can be hurt."""
    return _answers_of(predict(model, data.inputs, output=output, stop=stop))


def answers_of(given: Any, *, output: Which = None) -> Answers:
    """The answers in what a network gave out for some rows. Raises ValueError for NaN and
    infinity."""
    logits = pick_output(given, output)
    check_finite(logits, allow_masked=True)
    return _answers_of(logits)


def _answers_of(logits: Tensor) -> Answers:
    """From logits (n, classes)."""
    classes = logits.argmax(1)
    return Answers(classes, logits.softmax(1).gather(1, classes[:, None])[:, 0])


def harm_by_class(before: Tensor, after: Tensor, data: Dataset) -> tuple[ClassHarm, ...]:
    """A row for each class that has images, the most damaged first.

    `before` and `after` are predicted classes (n,) of the same images.
    """
    right_before, right_after = before == data.class_labels, after == data.class_labels
    rows = [
        _class_row(data.class_names[label], right_before[own], right_after[own])
        for label in range(len(data.class_names))
        if (own := data.class_labels == label).any()
    ]
    return tuple(sorted(rows, key=lambda row: row.change.difference))


def _class_row(name: str, before: Tensor, after: Tensor) -> ClassHarm:
    n = len(before)
    return ClassHarm(
        name, n, int(before.sum()) / n, int(after.sum()) / n, paired_change(before, after)
    )


def flips(before: Answers, after: Answers, data: Dataset) -> tuple[Flip, ...]:
    """The images whose answer changed: right → wrong, then wrong → other wrong, then wrong → right.

    Within each they keep the order of the images, in which classes are mixed.
    """
    changed = (before.classes != after.classes).nonzero().flatten()
    columns = zip(
        changed.tolist(),
        *(
            values[changed].tolist()
            for values in (
                data.class_labels,
                before.classes,
                after.classes,
                before.confidences,
                after.confidences,
            )
        ),
        strict=True,
    )
    found = (Flip(index, _outcome(*row[:3]), *row) for index, *row in columns)
    return tuple(sorted(found, key=lambda flip: OUTCOMES.index(flip.outcome)))


def _outcome(true: int, before: int, after: int) -> Outcome:
    if before == true:
        return "lost"
    return "gained" if after == true else "still_wrong"
