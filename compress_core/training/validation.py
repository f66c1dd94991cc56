"""Training images that are held out, to see on the way how well a training goes."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from compress_core.dataset import Dataset, is_classes, stratified_indices
from compress_core.inputs import take_rows
from compress_core.measurement.scores import Judge, judge
from compress_core.original import Original

MOST_HELD_OUT = 2000
SHARE = 20  # one row of so many is held out
FEWEST_ROWS = 100  # of fewer none is held out, and the training images judge themselves


@dataclass(frozen=True, eq=False)
class Validation:
    """`training_rows` are the rows to train on; `judge` scores networks on the others."""

    training_rows: Tensor
    judge: Judge
    baseline: Tensor

    @classmethod
    def of(cls, original: Original, data: Dataset) -> "Validation":
        count = min(MOST_HELD_OUT, len(data) // SHARE)
        every = torch.arange(len(data))
        held_out = every if len(data) < FEWEST_ROWS else torch.from_numpy(_drawn(data, count))
        labels = None if data.labels is None else data.labels[held_out]
        inputs = take_rows(data.inputs, held_out)
        judged = judge(original, Dataset(data.name, data.split, inputs, labels, data.class_names))
        rows = every if len(data) < FEWEST_ROWS else _without(every, held_out)
        return cls(rows, judged, judged.answers(original.pristine))

    def score(self, module: nn.Module) -> float:
        """The metric's value on the rows that are held out."""
        return self.judge.score(self.judge.answers(module), self.baseline).value

    def is_better(self, score: float, than: float) -> bool:
        higher = self.judge.score(self.baseline, self.baseline).kind.higher_is_better
        return score > than if higher else score < than


def _drawn(data: Dataset, count: int) -> np.ndarray:
    classes = data.class_labels if is_classes(data.labels) else torch.zeros(len(data)).long()
    return stratified_indices(classes.numpy(), count, seed=0)


def _without(rows: Tensor, left_out: Tensor) -> Tensor:
    keep = torch.ones(len(rows), dtype=torch.bool)
    keep[left_out] = False
    return rows[keep]
