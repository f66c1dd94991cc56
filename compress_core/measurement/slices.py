"""A network's answers slice by slice, so that a first number is there after a few rows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from compress_core.dataset import Dataset
from compress_core.inputs import Which, take_rows
from compress_core.measurement.accuracy import private_copy, run_rows
from compress_core.measurement.harm import Answers, answers_of
from compress_core.measurement.scores import Judge, squared_errors
from compress_core.tasks import METRICS

SUBSET = 2000  # rows that are measured before anything else gets all of them


class Found(Protocol):
    """What is kept of the answers to n rows."""

    @property
    def columns(self) -> Tensor:
        """(n, 2): classes and confidences, or what each row adds to the two sums of a metric that
        is their ratio."""
        ...


class Run(Protocol):
    """What answers these rows when it is asked."""

    def answers(self, rows: slice) -> Found: ...


class Columns(NamedTuple):
    """Two numbers of each row, (n, 2)."""

    columns: Tensor


class SlicedRun:
    """Runs `model` over slices of `data`; the copy that runs is made once.

    `output` as for `predict`. Raises ValueError for a model in training mode.
    """

    def __init__(self, model: nn.Module, data: Dataset, *, output: Which = None) -> None:
        self._network = private_copy(model, data.inputs)
        self._inputs, self._output = data.inputs, output

    def answers(self, rows: slice) -> Answers:
        """The answers to these rows. Raises ValueError for answers that are NaN or infinite."""
        given = run_rows(self._network, take_rows(self._inputs, rows))
        return answers_of(given, output=self._output)


@dataclass(eq=False)
class Bench:
    """What networks are judged on: `data` in the order of `Dataset.balanced(SUBSET)`, the judge of
    their metric, and what the original answers."""

    original: nn.Module
    data: Dataset
    judge: Judge

    def run(self, module: nn.Module) -> Run:
        """What answers for `module`, slice by slice."""
        if METRICS[self.judge.metric].is_share:
            return SlicedRun(module, self.data, output=self.judge.output)
        return SlicedSums(partial(self._sums, module))

    @cached_property
    def baseline(self) -> Tensor:
        """The original's answers to all rows (see `Judge.answers`)."""
        return self.judge.answers(self.original)

    @cached_property
    def _expected(self) -> Tensor:
        """The numbers that each row expects, (n, numbers) float64."""
        if self.judge.metric == "relative_error_to_original":
            return self.baseline
        assert self.data.labels is not None, "a regression has labels"
        return self.data.labels.reshape(len(self.data), -1).double()

    @cached_property
    def _spread(self) -> Tensor:
        """‖y − ȳ‖² of the numbers y that each row expects, (n,)."""
        return squared_errors(self._expected, self._expected)[1]

    def _sums(self, module: nn.Module, rows: slice) -> Tensor:
        answers = replace(self.judge, data=self.data.rows(rows)).answers(module)
        if self.judge.metric == "perplexity":
            return answers
        errors = (self._expected[rows] - answers).square().sum(1)
        return torch.stack([errors, self._spread[rows]], 1)


@dataclass(frozen=True)
class SlicedSums:
    """Of a metric that is a ratio of two sums: what each row of a slice adds to both."""

    sums: Callable[[slice], Tensor]

    def answers(self, rows: slice) -> Columns:
        return Columns(self.sums(rows))
