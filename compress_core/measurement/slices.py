"""A network's answers slice by slice, so that a first number is there after a few rows."""

from torch import nn

from compress_core.dataset import Dataset
from compress_core.inputs import Which, take_rows
from compress_core.measurement.accuracy import private_copy, run_rows
from compress_core.measurement.harm import Answers, answers_of


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
