"""Two networks give the same outputs, or the output that differs is named."""

import re
from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress_core.equality import compare, differs, named_tensors


@dataclass
class Answer:
    logits: Tensor
    rest: Any = None


ONE = torch.ones(1)


class Cache:
    """As other people's language models return their keys and values."""

    def __init__(self) -> None:
        self.keys, self.device = [ONE], torch.device("cpu")


Pair = namedtuple("Pair", ["first", "second"])
NAMED: dict[str, tuple[Any, list[str]]] = {
    "tensor": (ONE, ["output"]),
    "tuple": ((ONE, [ONE, ONE]), ["output[0]", "output[1][0]", "output[1][1]"]),
    "named tuple": (Pair(ONE, None), ["output[0]"]),
    "dictionary": ({"boxes": ONE, 3: "text"}, ["output['boxes']"]),
    "object": ((ONE, Cache()), ["output[0]", "output[1].keys[0]"]),
    "dataclass": (Answer(ONE, {"loss": 0.5}), ["output.logits", "output.rest['loss']"]),
}


@pytest.mark.parametrize("name", NAMED)
def test_each_tensor_of_an_output_has_a_name(name: str) -> None:
    output, names = NAMED[name]
    assert [found for found, _ in named_tensors(output)] == names


def test_an_output_that_nobody_can_look_into_is_refused() -> None:
    with pytest.raises(ValueError, match=r"output\[0\] of the network is a set.*return a tensor"):
        list(named_tensors(({1},)))


class Offset(nn.Module):
    """Two outputs, one a thousand times as large; a number is added to the small one."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.offset = offset

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"large": 1000 * x, "small": x + self.offset}


PROBES = ((torch.linspace(-1, 1, 11),),)  # standard deviation √0.4 = 0.63


@pytest.mark.parametrize(("offset", "same"), [(1e-5, True), (1e-3, False)])
def test_each_output_is_judged_by_its_own_spread(offset: float, same: bool) -> None:
    found = differs(Offset(0), Offset(offset), PROBES)
    assert (found is None) == same


def test_a_difference_is_said_with_its_size_beside_the_spread() -> None:
    words = "output['small'] differs by 0.5, where its standard deviation is 0.63"
    assert differs(Offset(0), Offset(0.5), PROBES) == words


def test_a_large_mean_does_not_hide_a_difference() -> None:
    values = torch.linspace(-1, 1, 11)
    expected, actual = {"output": [100 + values]}, {"output": [100.01 + values]}
    assert "differs by 0.01" in str(compare(expected, actual))


CONSTANT = {"output": [torch.full((4,), 2.0)]}


def test_a_constant_output_may_differ_by_rounding_alone() -> None:
    assert compare(CONSTANT, {"output": [torch.full((4,), 2.0000005)]}) is None
    assert compare(CONSTANT, {"output": [torch.full((4,), 2.001)]}) is not None


@pytest.mark.parametrize(
    ("actual", "words"),
    [
        ({"output": [torch.tensor([2, 2, 2, float("nan")])]}, "output is NaN somewhere"),
        ({"output": [torch.tensor([2, 2, 2, float("inf")])]}, "output differs by inf"),
        ({"output": [torch.full((3,), 2.0)]}, "output has the shape (3,) instead of (4,)"),
        ({}, "output is there only in one of both"),
        (CONSTANT | {"more": [ONE]}, "more is there only in one of both"),
    ],
)
def test_other_outputs_differ(actual: dict[str, list[Tensor]], words: str) -> None:
    assert words in str(compare(CONSTANT, actual))


def test_infinities_in_the_same_places_are_equal() -> None:
    masked = {"output": [torch.tensor([0.5, -torch.inf, torch.inf])]}
    assert compare(masked, masked) is None


def test_a_network_that_does_not_run_differs() -> None:
    narrow = nn.Linear(4, 2)
    words = r"it does not run \(RuntimeError: mat1 and mat2"
    assert re.match(words, str(differs(nn.Identity(), narrow, PROBES)))


class Drawing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.rand_like(x)


def test_a_network_that_draws_its_answers_cannot_be_compared() -> None:
    with torch.random.fork_rng():
        assert "does not answer the same twice" in str(differs(Drawing(), Drawing(), PROBES))


class Counting(nn.Module):
    """Keeps what it saw, and writes to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.seen += 1
        return x.add_(1)


def test_networks_and_probes_are_untouched() -> None:
    network, probes = Counting(), ((torch.zeros(3),),)
    assert differs(network, network, probes) is None
    assert network.seen == 0
    assert torch.equal(probes[0][0], torch.zeros(3))
