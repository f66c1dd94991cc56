"""Weights without a network: modules that hold them under the same keys."""

import torch
from torch import nn

from compress_core.models.catalog import MODELS, tensor_shapes
from compress_core.opening.importing import bare_network, known_architecture


def weights(**shapes: tuple[int, ...]) -> dict[str, torch.Tensor]:
    return {key.replace("__", "."): torch.ones(shape) for key, shape in shapes.items()}


def test_keys_stay_and_weights_become_layers_by_their_dimensions() -> None:
    tensors = weights(fc__weight=(3, 2), fc__bias=(3,), conv__weight=(4, 2, 3, 3), scale=(5,))
    found = bare_network(tensors)
    assert found.state_dict().keys() == tensors.keys()
    assert isinstance(found.fc, nn.Linear)
    assert isinstance(found.conv, nn.Conv2d)


def test_a_weight_beside_something_else_stays_a_plain_parameter() -> None:
    found = bare_network(weights(norm__weight=(3, 3), norm__running=(3,), a__weight=(2, 2)))
    assert type(found.norm) is nn.Module
    assert isinstance(found.a, nn.Linear)


def test_a_bias_of_another_length_belongs_to_no_layer() -> None:
    found = bare_network(weights(fc__weight=(3, 2), fc__bias=(5,)))
    assert type(found.fc) is nn.Module


def test_a_weight_with_modules_inside_is_no_layer() -> None:
    found = bare_network(weights(block__weight=(2, 2), block__inner__weight=(2, 2)))
    assert type(found.block) is nn.Module
    assert isinstance(found.block.inner, nn.Linear)


def test_the_keys_and_shapes_of_a_reference_network_are_known() -> None:
    spec = known_architecture(tensor_shapes("digits-mlp"))
    assert spec is MODELS["digits-mlp"]
    assert known_architecture({"fc1.weight": (2, 2)}) is None
