"""Walking the compressible layers of networks."""

import math
import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from compress_core.original import Original
from compress_core.weights import walk_layers


def test_layers_come_in_the_order_of_their_modules(digits_cnn: Original) -> None:
    shapes = {name: layer.shape for name, layer in digits_cnn.layers.items()}
    assert shapes == {
        "conv1": (16, 1, 3, 3),
        "conv2": (32, 16, 3, 3),
        "fc1": (64, 512),
        "fc2": (10, 64),
    }


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("words", {"embedding": "embedding", "head": "linear"}),
        ("conv1d", {"conv": "conv1d"}),
        ("grouped", {"conv": "conv2d"}),
        ("transposed", {"up": "conv_transpose"}),
        ("volume", {"conv": "conv3d"}),
        ("bilinear", {"layer": "bilinear"}),
        ("bag", {"bag": "embedding", "head": "linear"}),
        ("bare", {"positions": "parameter", "mix.weight": "parameter", "head": "linear"}),
        (
            "recurrent",
            {
                "rnn.weight_ih_l0": "recurrent",
                "rnn.weight_hh_l0": "recurrent",
                "rnn.weight_ih_l0_reverse": "recurrent",
                "rnn.weight_hh_l0_reverse": "recurrent",
                "head": "linear",
            },
        ),
        ("cell", {"cell.weight_ih": "recurrent", "cell.weight_hh": "recurrent"}),
        (
            "packed",
            {
                "attention.in_proj": "attention",
                "attention.out_proj": "linear",
                "head": "linear",
            },
        ),
        (
            "packed_cross",
            {
                "attention.q_proj": "attention",
                "attention.k_proj": "attention",
                "attention.v_proj": "attention",
                "attention.out_proj": "linear",
                "head": "linear",
            },
        ),
    ],
)
def test_every_kind_of_layer_is_found(
    animal: Callable[[str], Original], name: str, kinds: dict[str, str]
) -> None:
    assert {name: layer.kind for name, layer in animal(name).layers.items()} == kinds


@pytest.mark.parametrize("name", ["tied", "repeated"])
def test_a_tied_weight_is_one_layer(animal: Callable[[str], Original], name: str) -> None:
    layers = animal(name).layers
    assert list(layers) == ["a"]
    assert layers["a"].tied_keys == ("a.weight", "b.weight")


def test_norms_and_biases_are_no_layers(animal: Callable[[str], Original]) -> None:
    assert list(animal("norm").layers) == ["conv"]


@pytest.mark.parametrize(
    ("name", "layer", "reason"),
    [
        ("tied", "a", "tied"),
        ("repeated", "a", "tied"),
        ("words", "embedding", "embedding"),
        ("packed", "attention.in_proj", "attention"),
        ("packed", "attention.out_proj", "attention"),
        ("grouped", "conv", "2 groups"),
        ("transposed", "up", "a transposed convolution has no form as factors"),
        ("volume", "conv", "three dimensions"),
        ("bilinear", "layer", "multiplies two inputs"),
        ("bare", "positions", "the network's own code reads it"),
        ("recurrent", "rnn.weight_hh_l0", "once a time step"),
    ],
)
def test_a_layer_says_why_it_cannot_be_factorized(
    animal: Callable[[str], Original], name: str, layer: str, reason: str
) -> None:
    assert reason in (animal(name).layers[layer].refuses_factors or "")


def test_a_plain_layer_can_be_factorized(digits_cnn: Original) -> None:
    assert {layer.refuses_factors for layer in digits_cnn.layers.values()} == {None}


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (torch.tensor([[1.0, math.nan]]), ["fc.weight", "1 NaN", "finite", "load"]),
        (torch.tensor([[math.inf, -math.inf]]), ["fc.weight", "2 NaN or infinite", "finite"]),
        (torch.zeros(0, 4), ["fc.weight", "empty", "(0, 4)", "remove"]),
        (torch.zeros(2, 2).double(), ["fc.weight", "float64", "float32", ".float()"]),
        (torch.zeros(2, 2).half(), ["fc.weight", "float16", "float32", ".float()"]),
    ],
    ids=["nan", "infinite", "empty", "double", "half"],
)
def test_a_weight_that_cannot_be_compressed_is_refused_by_name(
    weight: Tensor, words: list[str]
) -> None:
    model = nn.Module()
    model.fc = nn.Linear(1, 1)
    model.fc.weight = nn.Parameter(weight)
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        walk_layers(model)
