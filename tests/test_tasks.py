"""What a network is for: told, found from outputs and labels with the reason, or refused."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from compress_core.dataset import DataError, Dataset
from compress_core.tasks import (
    METRICS,
    PADDING,
    Task,
    as_task,
    choose_metric,
    next_tokens,
    token_losses,
    training_loss,
)

N = 6
CLASSES, NUMBERS, TOKENS = torch.arange(N) % 3, torch.arange(N) / 7, torch.arange(N * 4) % 5


def data(labels: Tensor | None, inputs: Tensor | None = None) -> Dataset:
    return Dataset.of(torch.zeros(N, 4) if inputs is None else inputs, labels)


def outputs(*shape: int) -> Tensor:
    return torch.zeros(2, *shape)


@pytest.mark.parametrize(
    ("output", "labels", "metric", "reason"),
    [
        ((3,), CLASSES, "accuracy", "labels are classes, and there are 3 outputs"),
        ((3,), None, "agreement", "no labels, and 3 outputs are taken for classes"),
        ((1,), NUMBERS, "relative_error", "labels are numbers, as many as outputs"),
        ((), NUMBERS, "relative_error", "labels are numbers"),
        ((1,), NUMBERS[:, None], "relative_error", "labels are numbers"),
        ((2,), torch.rand(N, 2), "relative_error", "labels are numbers"),
        ((1, 4, 4), torch.rand(N, 1, 4, 4), "relative_error", "labels are numbers"),
        ((1,), None, "relative_error_to_original", "no labels, and outputs are numbers"),
        ((3, 4, 4), None, "relative_error_to_original", "no labels"),
    ],
)
def test_outputs_and_labels_tell_the_metric_and_the_reason_is_said(
    output: Any, labels: Tensor | None, metric: str, reason: str
) -> None:
    choice = choose_metric(Task(), outputs(*output), data(labels))
    assert choice.metric == metric
    assert reason in choice.reason


@pytest.mark.parametrize(
    ("output", "labels", "words"),
    [
        ((1,), CLASSES, r"leave open .*task=.*a single output number has no accuracy"),
        ((), CLASSES, r"leave open"),
        ((3,), CLASSES.float(), r"leave open .*whole numbers: labels\.long\(\)"),
        ((3,), torch.tensor([[1.0, 1, 0]] * N), r"labels \(n, 3\) float32.*leave open"),
        ((2,), torch.rand(N, 3), r"labels \(n, 3\) float32 and outputs \(n, 2\) leave open"),
        ((3, 4, 4), torch.zeros(N, 4, 4).long(), r"labels \(n, 4, 4\) int64.*a class for each"),
        ((4, 5), TOKENS.view(N, 4), r"leave open.*a class for each position has no metric"),
        ((2,), torch.tensor([[0.25, 0.75]] * N), r"leave open.*labels\.argmax\(1\)"),
    ],
)
def test_what_cannot_be_known_is_refused(output: Any, labels: Tensor, words: str) -> None:
    with pytest.raises(DataError, match=words):
        choose_metric(Task(), outputs(*output), data(labels))


@pytest.mark.parametrize(
    ("kind", "output", "labels", "metric"),
    [
        ("classification", (3,), CLASSES, "accuracy"),
        ("classification", (3,), None, "agreement"),
        ("regression", (1,), CLASSES, "relative_error"),
        ("regression", (4,), None, "relative_error_to_original"),
        ("next_token", (4, 5), TOKENS.view(N, 4), "perplexity"),
        ("next_token", (5,), CLASSES, "perplexity"),
        ("agreement", (3,), CLASSES, "agreement"),
        ("agreement", (1,), CLASSES, "relative_error_to_original"),
    ],
)
def test_a_task_that_is_told_is_obeyed(
    kind: Any, output: Any, labels: Tensor | None, metric: str
) -> None:
    assert choose_metric(as_task(kind), outputs(*output), data(labels)).metric == metric


@pytest.mark.parametrize(
    ("kind", "output", "labels", "words"),
    [
        ("classification", (1,), CLASSES, r"a single output number has no accuracy"),
        ("classification", (3, 4, 4), CLASSES, r"\(n, 3, 4, 4\) are no classes"),
        ("classification", (2,), CLASSES, r"label 2 is beyond the network's 2 outputs; .*0 to 1"),
        ("classification", (3,), CLASSES - 1, r"label -1 is beyond"),
        ("classification", (3,), NUMBERS, r"one whole number \(n,\) .*labels\.long\(\)"),
        ("regression", (2,), NUMBERS, r"labels \(n,\) do not fit outputs \(n, 2\)"),
        ("next_token", (4,), torch.rand(N), r"one whole number for each position"),
        ("next_token", (4, 5), torch.full((N, 4), 5), r"label 5 is no token of the 5"),
        ("next_token", (4, 5), torch.full((N, 4), PADDING), r"label -100 is no token"),
        ("next_token", (4, 5), None, r"without labels the tokens .* \(n, 4\) float32"),
        ("next_token", (1,), CLASSES, r"no tokens' logits"),
    ],
)
def test_a_task_that_data_do_not_fit_is_refused(
    kind: Any, output: Any, labels: Tensor | None, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        choose_metric(Task(kind), outputs(*output), data(labels))


def test_tokens_are_their_own_labels_shifted_by_one() -> None:
    tokens = TOKENS.view(N, 4)
    choice = choose_metric(Task("next_token"), outputs(4, 5), data(None, tokens))
    assert (choice.metric, "shifted by one" in choice.reason) == ("perplexity", True)
    logits, wanted = next_tokens(torch.zeros(N, 4, 5), None, tokens)
    assert logits.shape == (N, 3, 5)
    assert torch.equal(wanted, tokens[:, 1:])


def test_labels_that_are_the_tokens_one_further_tell_the_task() -> None:
    tokens = TOKENS.view(N, 4)
    labels = torch.cat([tokens[:, 1:], torch.full((N, 1), PADDING)], 1)
    choice = choose_metric(Task(), outputs(4, 5), data(labels, tokens))
    assert (choice.metric, choice.reason) == (
        "perplexity",
        "labels are the tokens of the input, shifted by one",
    )


@pytest.mark.parametrize("kind", [None, "next_token"])
def test_labels_that_are_the_inputs_are_refused_as_they_foretell_nothing(kind: Any) -> None:
    tokens = TOKENS.view(N, 4)
    with pytest.raises(DataError, match=r"the inputs themselves.*tokens\[:, :-1\]"):
        choose_metric(Task(kind), outputs(4, 5), data(tokens, tokens))


def test_losses_of_tokens_are_torchs_and_padding_has_none() -> None:
    logits, labels = torch.randn(2, 3, 5), torch.tensor([[1, 2, PADDING], [0, PADDING, 4]])
    losses = token_losses(logits, labels)
    assert losses[labels == PADDING].tolist() == [0, 0]
    expected = functional.cross_entropy(logits.mT, labels, reduction="sum")
    torch.testing.assert_close(losses.sum(), expected)


@pytest.mark.parametrize(
    ("metric", "output", "labels", "expected"),
    [
        ("accuracy", torch.eye(3), torch.arange(3), functional.cross_entropy),
        ("relative_error", torch.ones(3, 1), torch.arange(3.0), None),
        ("perplexity", torch.eye(3), torch.arange(3), functional.cross_entropy),
    ],
)
def test_the_loss_that_belongs_to_a_metric(
    metric: Any, output: Tensor, labels: Tensor, expected: Any
) -> None:
    found = training_loss(metric, output, labels, labels)
    by_hand = 1 + 0 + 1  # squares of 0 - 1, 1 - 1, 2 - 1
    wanted = expected(output, labels, reduction="sum") if expected else torch.tensor(by_hand)
    torch.testing.assert_close(found, wanted, check_dtype=False)


def test_without_labels_there_is_no_loss() -> None:
    with pytest.raises(DataError, match="without labels there is no loss"):
        training_loss("agreement", torch.eye(3), None, torch.eye(3))


def test_an_unknown_task_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'ranking' is unknown; choose one of classification"):
        as_task("ranking")  # type: ignore[arg-type]


def test_an_output_that_is_computed_is_refused_a_task_is_flat() -> None:
    with pytest.raises(ValueError, match=r"neither a name nor a place.*wrap the network"):
        Task("regression", output=lambda outputs: outputs[0])  # type: ignore[arg-type]
    assert hash(Task("regression", output="logits")) == hash(Task("regression", output="logits"))


def test_every_metric_has_its_unit() -> None:
    assert all(metric.unit for metric in METRICS.values())
