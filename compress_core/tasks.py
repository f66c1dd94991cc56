"""What a network is for, and by which metric its answers are judged.

A task is given to `Original`, or chosen from the shapes of output and labels. If these leave doubt,
DataError says how to name the task. Each number is called by its metric.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from compress_core.dataset import DataError, Dataset, is_classes
from compress_core.inputs import Which, each

Kind = Literal["classification", "regression", "next_token", "agreement"]
TASK_KINDS: tuple[Kind, ...] = get_args(Kind)
MetricName = Literal[
    "accuracy", "agreement", "relative_error", "relative_error_to_original", "perplexity"
]
SUM_TOLERANCE = 1e-3  # of probabilities in half precision
PADDING = -100  # the label of a token that does not count, as torch's cross_entropy has it
HOW_TO_SAY = "say it: Original(…, task='classification'), 'regression', 'next_token' or 'agreement'"


@dataclass(frozen=True)
class Task:
    """What a network is for: `kind`, and which of its outputs counts.

    `kind` is classification (logits (n, classes), labels (n,)), regression (numbers), next_token
    (logits (n, T, vocabulary), labels (n, T), or none: the input's tokens shifted by one), or
    agreement with the original whatever the labels say; None is chosen by outputs and labels.
    `output` is the key, attribute or place of the output that counts, where there are several.
    """

    kind: Kind | None = None
    output: Which = None

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in TASK_KINDS:
            raise ValueError(
                f"task {self.kind!r} is unknown; choose one of {', '.join(TASK_KINDS)}"
            )
        if self.output is not None and not isinstance(self.output, str | int):
            raise ValueError(
                f"output={self.output!r} is neither a name nor a place; to compute what counts, "
                "wrap the network in a module that returns it"
            )


@dataclass(frozen=True)
class Metric:
    """What a number is: its unit, which is a fraction or a plain number, and which way is better.

    `is_share` tells a share of right answers, whose changes are counted in answers.
    """

    unit: str
    is_share: bool
    higher_is_better: bool

    def lost(self, difference: float) -> float:
        """How much worse a network is that differs so much from the original."""
        return 0.0 - difference if self.higher_is_better else difference


METRICS: dict[MetricName, Metric] = {
    "accuracy": Metric("fraction of inputs classified right", True, True),
    "agreement": Metric("fraction of inputs with the original's class", True, True),
    "relative_error": Metric("fraction of the spread of the labels", False, False),
    "relative_error_to_original": Metric("fraction of the spread of its outputs", False, False),
    "perplexity": Metric("equally likely tokens", False, False),
}


WITH_LABELS: dict[Kind, MetricName] = {
    "classification": "accuracy",
    "regression": "relative_error",
    "next_token": "perplexity",
    "agreement": "agreement",
}


@dataclass(frozen=True)
class Choice:
    """The metric by which a network is judged, and why this one."""

    metric: MetricName
    reason: str


def as_task(task: Task | Kind | None) -> Task:
    """A task, of which the kind alone may be given."""
    return task if isinstance(task, Task) else Task(task)


def choose_metric(task: Task, output: Tensor, data: Dataset) -> Choice:
    """By which metric `output`, what the network gives for some rows of `data`, is judged.

    Raises DataError where outputs and labels do not fit the task, or leave it open.
    """
    match task.kind:
        case "classification":
            return _classification(output, data, "the task is classification")
        case "regression":
            return _regression(output, data, "the task is regression")
        case "next_token":
            return _next_token(output, data, "the task is the next token")
        case "agreement":
            return _agreement(output, "the task is agreement with the original")
        case None:
            return _found(output, data)


def _found(output: Tensor, data: Dataset) -> Choice:
    labels, width = data.labels, output[0].numel()
    if labels is None:
        return _agreement(output, "there are no labels")
    if output.dim() == 2 and width > 1 and is_classes(labels):
        return _classification(output, data, f"labels are classes, and there are {width} outputs")
    if output.dim() == 3 and _are_next_tokens(labels, each(data.inputs)[0]):
        return _next_token(output, data, "labels are the tokens of the input, shifted by one")
    if not _is_whole(labels) and labels[0].numel() == width and not _mark_classes(labels):
        return _regression(output, data, "labels are numbers, as many as outputs")
    remedies = "; ".join(filter(None, [HOW_TO_SAY, _hint(output, labels)]))
    raise DataError(
        f"labels {_shape(labels)} {_type(labels)} and outputs {_shape(output)} leave open what the "
        f"network is for; {remedies}"
    )


def _hint(output: Tensor, labels: Tensor) -> str | None:
    if output[0].numel() == 1:
        return "a single output number has no accuracy"
    if is_classes(labels.long()) and not _is_whole(labels):
        return "classes are whole numbers: labels.long()"
    if _mark_classes(labels):
        return "of probabilities of classes pass the likeliest: labels.argmax(1)"
    if _is_whole(labels) and labels.dim() > 1:
        return (
            "a class for each position has no metric here: leave the labels out to compare with "
            "the original"
        )
    return None


def _classification(output: Tensor, data: Dataset, reason: str) -> Choice:
    if output.dim() != 2 or output.shape[1] < 2:
        raise DataError(
            f"outputs {_shape(output)} are no classes: a classification has one number for each "
            "class, (n, classes) with at least 2; a single output number has no accuracy"
        )
    if data.labels is None:
        return Choice("agreement", f"{reason}, and there are no labels")
    if not is_classes(data.labels):
        raise DataError(
            f"labels {_shape(data.labels)} {_type(data.labels)} are no classes: a classification "
            "has one whole number (n,) for each input, such as labels.long()"
        )
    classes = output.shape[1]
    bad = data.labels[(data.labels < 0) | (data.labels >= classes)]
    if len(bad):
        raise DataError(
            f"label {int(bad[0])} is beyond the network's {classes} outputs; classes count from 0 "
            f"to {classes - 1}"
        )
    return Choice("accuracy", reason)


def _regression(output: Tensor, data: Dataset, reason: str) -> Choice:
    if data.labels is None:
        return Choice("relative_error_to_original", f"{reason}, and there are no labels")
    if data.labels[0].numel() != output[0].numel():
        raise DataError(
            f"labels {_shape(data.labels)} do not fit outputs {_shape(output)}: a regression has a "
            "number for each output number"
        )
    return Choice("relative_error", reason)


def _next_token(output: Tensor, data: Dataset, reason: str) -> Choice:
    tokens, labels = each(data.inputs)[0], data.labels
    if output.dim() not in (2, 3) or output.shape[-1] < 2:
        raise DataError(
            f"outputs {_shape(output)} are no tokens' logits; they must be (n, T, vocabulary), or "
            "(n, vocabulary) for one token"
        )
    if labels is None and (tokens.dtype != torch.int64 or output.dim() != 3):
        raise DataError(
            "without labels the tokens of the input are what comes next, and the first input is "
            f"{_shape(tokens)} {_type(tokens)}; pass the next tokens as labels"
        )
    if labels is None:
        return Choice("perplexity", f"{reason}, and the labels are the inputs, shifted by one")
    _check_tokens(output, labels)
    if labels.shape == tokens.shape and torch.equal(labels, tokens):
        raise DataError(
            "the labels are the inputs themselves, not shifted by one to the next token; pass no "
            "labels, or tokens[:, :-1] and tokens[:, 1:]"
        )
    return Choice("perplexity", reason)


def _check_tokens(output: Tensor, labels: Tensor) -> None:
    if not _is_whole(labels) or labels.shape[1:] != output.shape[1:-1]:
        raise DataError(
            f"labels {_shape(labels)} {_type(labels)} do not fit outputs {_shape(output)}: one "
            "whole number for each position"
        )
    counted = labels[labels != PADDING]
    bad = counted[(counted < 0) | (counted >= output.shape[-1])]
    if len(bad) or not len(counted):
        raise DataError(
            f"label {int(bad[0]) if len(bad) else PADDING} is no token of the {output.shape[-1]} "
            f"that the network knows; tokens count from 0, and {PADDING} marks those to ignore"
        )


def _agreement(output: Tensor, reason: str) -> Choice:
    if output.dim() == 2 and output.shape[1] > 1:
        return Choice("agreement", f"{reason}, and {output.shape[1]} outputs are taken for classes")
    return Choice("relative_error_to_original", f"{reason}, and outputs are numbers")


def next_tokens(output: Tensor, labels: Tensor | None, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Logits (n, T, vocabulary) and the tokens (n, T) that they predict; without labels these are
    the tokens of the input, shifted by one."""
    if labels is None:
        return output[:, :-1], tokens[:, 1:]
    return output, labels


def token_losses(output: Tensor, labels: Tensor) -> Tensor:
    """−ln p of each label, (n, T) or (n,), 0 where it is PADDING."""
    flat = functional.cross_entropy(
        output.flatten(0, -2), labels.flatten(), ignore_index=PADDING, reduction="none"
    )
    return flat.reshape(labels.shape)


def training_loss(
    metric: MetricName, output: Tensor, labels: Tensor | None, first: Tensor
) -> Tensor:
    """The sum over rows of the loss that belongs to a metric, for gradients.

    `first` is the network's first input, for tokens that are their own labels.
    Raises DataError where there are no labels: a network agrees with itself.
    """
    if metric == "perplexity":
        return token_losses(*next_tokens(output, labels, first)).sum()
    if labels is None or metric in ("agreement", "relative_error_to_original"):
        raise DataError(
            "without labels there is no loss, and this step needs its gradient; pass labels with "
            "the training data, or choose a step that needs none"
        )
    if metric == "accuracy":
        return functional.cross_entropy(output, labels, reduction="sum")
    return functional.mse_loss(output, labels.view_as(output).to(output.dtype), reduction="sum")


def _is_whole(labels: Tensor) -> bool:
    return labels.dtype == torch.int64


def _mark_classes(labels: Tensor) -> bool:
    """Whether several numbers a row seem to say which classes it has: zeros and ones, or
    probabilities that add up to 1."""
    if labels.dim() != 2 or labels.shape[1] < 2:
        return False
    shares = (labels >= 0) & ((labels.sum(1, keepdim=True) - 1).abs() < SUM_TOLERANCE)
    return bool(shares.all() or ((labels == 0) | (labels == 1)).all())


def _are_next_tokens(labels: Tensor, tokens: Tensor) -> bool:
    """Whether labels (n, T) are the tokens (n, T), or shifted by one; PADDING fits any token."""
    if labels.shape != tokens.shape or tokens.dim() != 2 or not _is_whole(tokens):
        return False
    further = (labels[:, :-1] == tokens[:, 1:]) | (labels[:, :-1] == PADDING)
    return torch.equal(labels, tokens) or bool(_is_whole(labels) and further.all())


def _shape(tensor: Tensor) -> str:
    return str(("n", *tensor.shape[1:])).replace("'", "")


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
