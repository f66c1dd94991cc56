"""What a network is called with, and which of its outputs counts."""

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress_core.inputs import call, make_examples, pick_output, split_rows

LOGITS, OTHER = torch.zeros(2, 3), torch.ones(2, 5)
Pair = namedtuple("Pair", ["logits", "hidden"])


@dataclass
class Fields:
    logits: Tensor
    hidden: Tensor


class Sum(nn.Module):
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a + b


def test_several_inputs_are_the_arguments_of_forward_in_order() -> None:
    assert call(Sum().eval(), (torch.tensor([1.0]), torch.tensor([2.0]))).tolist() == [3.0]


def test_batches_of_several_inputs_keep_their_rows_together() -> None:
    inputs = (torch.arange(5), torch.arange(5) * 10)
    batches = list(split_rows(inputs, 2))
    assert [a.tolist() for a, _ in batches] == [[0, 1], [2, 3], [4]]
    assert all(torch.equal(b, a * 10) for a, b in batches)


def test_a_network_that_does_not_run_says_on_what_and_why() -> None:
    with pytest.raises(ValueError, match=r"Linear does not run on .*\(2, 7\) float32 \(.*mat1"):
        call(nn.Linear(4, 3), torch.zeros(2, 7))


@pytest.mark.parametrize(
    ("output", "which"),
    [
        (LOGITS, None),
        (LOGITS, 0),
        ((LOGITS,), None),
        ((LOGITS, OTHER), 0),
        ([OTHER, LOGITS], 1),
        ({"logits": LOGITS, "hidden": OTHER}, None),
        ({"scores": LOGITS, "hidden": OTHER}, "scores"),
        ({"scores": LOGITS, "loss": None}, None),
        (Pair(LOGITS, OTHER), None),
        (Pair(OTHER, LOGITS), "hidden"),
        (Fields(LOGITS, OTHER), None),
        (Fields(OTHER, LOGITS), "hidden"),
    ],
)
def test_the_output_that_counts_is_found(output: Any, which: Any) -> None:
    assert pick_output(output, which) is LOGITS


@pytest.mark.parametrize(
    ("output", "which", "words"),
    [
        ((LOGITS, OTHER), None, r"gives out 0, 1, and which of them counts; say .*output="),
        ({"a": LOGITS, "b": OTHER}, None, r"gives out 'a', 'b', and which of them counts"),
        ({"a": LOGITS, "b": OTHER}, "c", r"gives out 'a', 'b', and no output 'c'"),
        (LOGITS, "logits", r"gives out one tensor, and no output 'logits'"),
        (LOGITS.argmax(1), None, r"counts is torch\.int64, not .* floating.*logits, not classes"),
        ({"logits": [1, 2]}, "logits", r"counts is list, not a tensor"),
        (None, None, r"which of them counts"),
    ],
)
def test_an_output_that_cannot_be_known_is_refused(output: Any, which: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        pick_output(output, which)


def test_examples_are_zeros_of_the_shapes_or_the_first_rows_of_those_given() -> None:
    image, tokens = make_examples(((3, 8, 8), (10,)), (torch.float32, torch.int64), None)
    assert (image.shape, tokens.shape, tokens.dtype) == ((1, 3, 8, 8), (1, 10), torch.int64)
    given = make_examples(None, torch.float32, (torch.ones(4, 2), torch.full((4, 5), 7)))
    assert [tensor.tolist() for tensor in given] == [[[1.0, 1.0]], [[7] * 5]]


@pytest.mark.parametrize(
    ("shape", "example", "words"),
    [
        (4, None, "input_shape=4 is no shape; give one input's sizes without the batch"),
        ((3, -1), None, "is no shape"),
        ((0,), None, "is no shape"),
        (("3", "4"), None, "is no shape"),
        (None, None, "say once what the network takes"),
        ((4,), torch.zeros(1, 4), "say once what the network takes"),
        (None, ([1, 2],), "example has a list; pass a tensor"),
        (None, torch.tensor(1.0), "needs a batch dimension"),
    ],
)
def test_an_example_that_is_none_is_refused(shape: Any, example: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_examples(shape, torch.float32, example)


def test_each_input_has_its_type() -> None:
    with pytest.raises(ValueError, match=r"1 input_dtype for 2 inputs"):
        make_examples(((4,), (5,)), (torch.int64,), None)
