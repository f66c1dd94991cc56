"""Networks with other weights: copies, whose originals are untouched."""

import torch
from torch import nn

from compress_core.weights import with_weights


def test_with_weights_leaves_the_model_untouched() -> None:
    model = nn.Linear(2, 1)
    before = model.weight.clone()
    replaced = with_weights(model, {"weight": torch.zeros(1, 2)})
    assert torch.equal(model.weight, before)
    assert not replaced.get_parameter("weight").any()


def test_with_weights_shares_what_it_does_not_replace() -> None:
    model = nn.Linear(2, 1)
    assert with_weights(model, {"weight": torch.zeros(1, 2)}).bias is model.bias


def test_one_tensor_under_two_names_stays_tied() -> None:
    shared = torch.ones(2, 2)
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    copied = with_weights(model, {"0.weight": shared, "1.weight": shared})
    assert copied.get_parameter("0.weight") is copied.get_parameter("1.weight")
