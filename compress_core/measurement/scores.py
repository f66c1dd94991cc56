"""How well a network answers, by the metric of its task, with a 95 % interval; and what changed.

A share of right answers (accuracy, agreement) has Wilson's interval. Relative error and perplexity
are functions of a ratio of two sums over the rows of a dataset, Σa / Σb, and have the normal
interval of such a ratio. Source: Cochran, Sampling Techniques, 1977, chapter 6.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from compress_core.dataset import DataError, Dataset, check_fits
from compress_core.entering.copying import share_parameters
from compress_core.inputs import Which, call, count_rows, each, pick_output, take_rows
from compress_core.measurement.accuracy import (
    BATCH,
    Z_95,
    Accuracy,
    PairedDifference,
    check_finite,
    paired_change,
    run_batches,
    wilson_interval,
)
from compress_core.original import Original
from compress_core.tasks import (
    METRICS,
    PADDING,
    Metric,
    MetricName,
    choose_metric,
    next_tokens,
    token_losses,
)

MOST_NUMBERS = 2**24  # in the outputs of one batch, 64 MiB: a language model has many
LARGEST_LOG = 300.0  # of a perplexity; larger ones tell no more, and overflow


@dataclass(frozen=True)
class Score:
    """The value of a metric on `n` rows of a dataset, with its 95 % interval."""

    metric: MetricName
    value: float
    low: float
    high: float
    n: int

    @property
    def kind(self) -> Metric:
        return METRICS[self.metric]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, its keys called by the metric: accuracy, accuracy_low, accuracy_high, n."""
        name = self.metric
        return {
            "metric": name,
            "metric_unit": self.kind.unit,
            name: self.value,
            f"{name}_low": self.low,
            f"{name}_high": self.high,
            "n": self.n,
        }

    def as_accuracy(self) -> Accuracy:
        """The score as an `Accuracy`. Raises AttributeError if another metric was measured."""
        if self.metric != "accuracy":
            raise AttributeError(f"no accuracy was measured but {self.metric}; see `score`")
        return Accuracy(self.value, self.low, self.high, self.n)


@dataclass(frozen=True, eq=False)
class Judge:
    """Judges networks by one metric on one dataset; `reason` says why by this metric.

    Answers are what it keeps of a network's outputs: the class of each row (n,), its numbers
    (n, numbers), or the sum of its tokens' losses and their count (n, 2).
    """

    metric: MetricName
    reason: str
    output: Which
    data: Dataset
    batch: int = BATCH

    def answers(self, module: nn.Module, *, stop: Callable[[], bool] = lambda: False) -> Tensor:
        """What `module` answers to each row. Raises ValueError for NaN and infinity; `stop` as for
        `predict`."""
        batches = run_batches(module, self.data.inputs, batch=self.batch, stop=stop)
        found = [self._kept(pick_output(given, self.output), rows) for rows, given in batches]
        return torch.cat(found)

    def _kept(self, output: Tensor, rows: slice) -> Tensor:
        match self.metric:
            case "accuracy" | "agreement":
                check_finite(output, allow_masked=True)
                return output.argmax(1)
            case "relative_error" | "relative_error_to_original":
                check_finite(output)
                return output.reshape(len(output), -1).double()
            case "perplexity":
                check_finite(output, allow_masked=True)
                return self._losses(output, rows)

    def _losses(self, output: Tensor, rows: slice) -> Tensor:
        labels = None if self.data.labels is None else self.data.labels[rows]
        logits, wanted = next_tokens(output, labels, each(self.data.inputs)[0][rows])
        counted = wanted != PADDING
        losses = token_losses(logits, wanted).double()
        check_finite(losses)
        sums = (losses, counted.double())
        return torch.stack([each_row.reshape(len(wanted), -1).sum(1) for each_row in sums], 1)

    def score(self, answers: Tensor, original: Tensor) -> Score:
        """The value of the metric for `answers`, beside those of the original."""
        if not METRICS[self.metric].is_share:
            return ratio_score(self.metric, self.sums(answers, original))
        n = len(self.data)
        right = int((answers == self._expected(original)).sum())
        return Score(self.metric, right / n, *wilson_interval(right, n), n)

    def change(self, before: Tensor, after: Tensor, original: Tensor) -> PairedDifference:
        """What changed from answers `before` to `after`, row by row on the same data."""
        if not METRICS[self.metric].is_share:
            first, second = (self.sums(answers, original) for answers in (before, after))
            return ratio_change(self.metric, first, second)
        expected = self._expected(original)
        return paired_change(before == expected, after == expected)

    def sums(self, answers: Tensor, original: Tensor) -> Tensor:
        """Of a metric that is a ratio Σa / Σb over the rows: what each adds to both, (n, 2)."""
        if self.metric == "perplexity":
            return answers
        expected = original if self.metric == "relative_error_to_original" else self._numbers()
        return torch.stack(squared_errors(answers, expected), 1)

    def _expected(self, original: Tensor) -> Tensor:
        return original if self.metric == "agreement" else self.data.class_labels

    def _numbers(self) -> Tensor:
        assert self.data.labels is not None
        return self.data.labels.reshape(len(self.data), -1)


def ratio_score(metric: MetricName, sums: Tensor) -> Score:
    """The value of a metric that is no share, of what each row adds to its two sums, (n, 2)."""
    value, influence = _estimate(metric, sums)
    half, n = _half_width(influence), len(sums)
    if metric == "perplexity":  # the interval of its logarithm
        bounds = [_exp(value + sign * half) for sign in (0, -1, 1)]
        return Score(metric, bounds[0], bounds[1], bounds[2], n)
    return Score(metric, value, max(0.0, value - half), value + half, n)


def ratio_change(metric: MetricName, before: Tensor, after: Tensor) -> PairedDifference:
    """What changed in such a metric, row by row; sums (n, 2) of the same rows."""
    (first, one), (second, other) = (_estimate(metric, sums) for sums in (before, after))
    if metric == "perplexity":  # d e^x = e^x dx
        first, second = _exp(first), _exp(second)
        one, other = one * first, other * second
    difference, half = second - first, _half_width(other - one)
    return PairedDifference(
        difference, difference - half, difference + half, None, None, len(before)
    )


def _estimate(metric: MetricName, sums: Tensor) -> tuple[float, Tensor]:
    """The relative error or the mean loss of a token, and what each row (n,) adds to it.

    A ratio R = Σa / Σb has influences (a − R b) / mean(b), its root half of that over √R.
    """
    above, below = sums.unbind(1)
    ratio = float(above.sum() / below.sum())
    influence = (above - ratio * below) / below.mean()
    if metric == "perplexity":
        return ratio, influence
    root = math.sqrt(ratio)
    return (root, influence / (2 * root)) if root else (0.0, torch.zeros_like(above))


def squared_errors(answers: Tensor, expected: Tensor) -> tuple[Tensor, Tensor]:
    """Of each row, (n,) float64: ‖y − y′‖² and ‖y − ȳ‖², ȳ the mean of each number over all rows.

    The root of the ratio of their sums is the root relative squared error: 0 is exact, 1 is no
    better than the mean; 1 − its square is R².
    Raises DataError where the expected numbers are all the same.
    """
    wanted = expected.double()
    spread = (wanted - wanted.mean(0)).square().sum(1)
    if not spread.sum() > 0:
        raise DataError(
            f"all {len(wanted):,} rows expect the same numbers, and an error has nothing to be "
            "relative to; pass rows that differ"
        )
    return (wanted - answers.double()).square().sum(1), spread


def judge(original: Original, data: Dataset) -> Judge:
    """By which metric a network is judged on `data`: its task's, or what fits outputs and labels.

    Raises ValueError where data, outputs and task do not fit each other, or leave it open.
    """
    check_fits(data, original.examples)
    output = _first_output(original, data)
    choice = choose_metric(original.task, output, data)
    if not METRICS[choice.metric].is_share and len(data) < 2:
        raise DataError("one row has no interval; pass several, such as shorter pieces of a text")
    batch = max(1, min(BATCH, MOST_NUMBERS // max(1, output[0].numel())))
    return Judge(choice.metric, choice.reason, original.task.output, data, batch)


def _first_output(original: Original, data: Dataset) -> Tensor:
    """What the original gives out for the first rows, (1 or 2, …)."""
    few = take_rows(data.inputs, slice(0, 2))
    with torch.inference_mode():
        private = share_parameters(original.pristine)
        output = pick_output(call(private, few), original.task.output)
    if output.dim() == 0 or len(output) != count_rows(few):
        raise DataError(
            f"the output for {count_rows(few)} rows is {tuple(output.shape)}; its first dimension "
            "must count the rows"
        )
    return output


def _half_width(influence: Tensor) -> float:
    """z · s / √n of what the rows add to an estimate, (n,) float64."""
    return Z_95 * float(influence.std(correction=1)) / math.sqrt(len(influence))


def _exp(logarithm: float) -> float:
    return math.exp(min(logarithm, LARGEST_LOG))
