"""A network without its forward: the same layers, the same tensors, and nothing that runs."""

import json

import pytest
import torch
from torch import nn

from compress_core import MODELS, load_model
from compress_core.entering.tensors import named_tensors
from compress_core.opening.skeleton import build_skeleton, describe_modules
from compress_core.weights import walk_layers


def rebuilt(network: nn.Module) -> nn.Module:
    """The skeleton of a network, by way of JSON."""
    described = json.loads(json.dumps(describe_modules(network)))
    parameters = {name for name, _ in network.named_parameters(remove_duplicate=False)}
    return build_skeleton(described, named_tensors(network), parameters)


@pytest.mark.parametrize("name", MODELS)
def test_layers_of_a_skeleton_are_those_of_the_network(name: str) -> None:
    network = load_model(name).pristine
    expected, found = walk_layers(network), walk_layers(rebuilt(network))
    assert list(found) == list(expected)
    for layer, other in zip(found.values(), expected.values(), strict=True):
        assert torch.equal(layer.weight, other.weight)
        assert (layer.kind, layer.tied_keys) == (other.kind, other.tied_keys)
        assert layer.refuses_factors == other.refuses_factors


def test_recurrent_layers_and_transposed_convolutions_are_there_too() -> None:
    network = nn.ModuleDict(
        {
            "up": nn.ConvTranspose2d(4, 6, 3, groups=2, output_padding=1, stride=2, bias=False),
            "memory": nn.LSTM(5, 7, batch_first=True, bidirectional=True),
            "norm": nn.GroupNorm(2, 4),
        }
    ).eval()
    found = rebuilt(network)
    assert found.state_dict().keys() == network.state_dict().keys()
    assert walk_layers(found)["up"].shape == walk_layers(network)["up"].shape == (6, 2, 3, 3)


def test_tied_weights_stay_one_weight() -> None:
    network = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3)}).eval()
    network.b.weight = network.a.weight
    assert walk_layers(rebuilt(network))["a"].tied_keys == ("a.weight", "b.weight")


def test_a_skeleton_does_not_run() -> None:
    skeleton = rebuilt(nn.Sequential(nn.Linear(2, 2)).eval())
    with pytest.raises(ValueError, match="is not run in this process"):
        skeleton(torch.zeros(1, 2))


def test_a_tensor_of_another_shape_is_refused() -> None:
    described = describe_modules(nn.Sequential(nn.Linear(2, 2, bias=False)))
    with pytest.raises(ValueError, match=r"0\.weight is \(3, 2\)"):
        build_skeleton(described, {"0.weight": torch.zeros(3, 2)}, {"0.weight"})


def test_a_lacking_tensor_is_refused() -> None:
    described = describe_modules(nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(ValueError, match=r"no values for 0\.bias"):
        build_skeleton(described, {"0.weight": torch.zeros(2, 2)}, {"0.weight"})
