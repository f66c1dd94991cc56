"""Weights that are computed on each pass become parameters, and the answers stay equal."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

from compress_core.compressed import compress
from compress_core.methods.folding import FoldBatchNorm
from compress_core.methods.pruning import Prune
from compress_core.original import Original
from compress_core.storage.container import decode


class Symmetric(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.triu() + x.triu(1).mT


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6, bias=False))


def masked(part: nn.Module, name: str) -> None:
    prune.l1_unstructured(part, name, 2)


def masked_twice(part: nn.Module) -> None:
    prune.l1_unstructured(part, "weight", 0.5)
    prune.ln_structured(part, "weight", 0.2, n=2, dim=0)


def masked_and_parametrized(part: nn.Module) -> None:
    masked(part, "bias")
    parametrizations.weight_norm(part)


def frozen_weight_norm(part: nn.Module) -> None:
    parametrizations.weight_norm(part)
    part.requires_grad_(False)


COMPUTED: dict[str, Callable[[nn.Module], object]] = {
    "mask": lambda part: masked(part, "weight"),
    "mask of a bias": lambda part: masked(part, "bias"),
    "two masks": masked_twice,
    "weight norm, hook": nn.utils.weight_norm,
    "weight norm": parametrizations.weight_norm,
    "weight norm, frozen": frozen_weight_norm,
    "spectral norm, hook": nn.utils.spectral_norm,
    "spectral norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "own parametrization": lambda part: parametrize.register_parametrization(
        part, "weight", Symmetric()
    ),
    "mask and norm": masked_and_parametrized,
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("how", COMPUTED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_computed_weight_becomes_a_parameter_of_equal_values(
    how: str, dtype: torch.dtype
) -> None:
    came = network().to(dtype)
    COMPUTED[how](came[0])
    came.eval()
    x = torch.randn(9, 6)
    expected = came(x.to(dtype)).float()
    made = Original(came, (6,))
    torch.testing.assert_close(made.module(x), expected.detach())
    assert set(made.module.state_dict()) == {"0.weight", "0.bias", "2.weight"}
    assert list(made.layers) == ["0", "2"]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("how", COMPUTED)
def test_the_network_that_came_computes_its_weight_as_before(how: str) -> None:
    came = network()
    COMPUTED[how](came[0])
    came.eval()
    keys, x = list(came.state_dict()), torch.rand(2, 6)
    expected = came(x)
    Original(came, (6,))
    assert list(came.state_dict()) == keys
    assert torch.equal(came(x), expected)


def test_the_zeros_of_a_mask_are_stored_and_counted_as_zeros() -> None:
    came = network().eval()
    prune.random_unstructured(came[0], "weight", 0.5)
    made = compress(Original(came, (6,)), ())
    assert decode(made.container).state_dict["0.weight"].eq(0).sum() == 18
    assert 4 * 78 < made.original.stored_bytes < 4 * 78 + 300  # the weight once, without its mask


def test_a_tied_weight_with_one_mask_stays_tied() -> None:
    came = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)).eval()
    came[1].weight = came[0].weight
    mask = torch.eye(4)
    for part in came:
        prune.custom_from_mask(part, "weight", mask)
    assert list(Original(came, (4,)).layers) == ["0"]


def test_a_tied_weight_with_two_masks_becomes_two_weights() -> None:
    came = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)).eval()
    came[1].weight = came[0].weight
    prune.custom_from_mask(came[0], "weight", torch.eye(4))
    prune.custom_from_mask(came[1], "weight", 1 - torch.eye(4))
    x = torch.rand(3, 4)
    made = Original(came, (4,))
    assert list(made.layers) == ["0", "1"]
    torch.testing.assert_close(made.module(x), came(x).detach())


def test_norms_fold_into_a_masked_bias() -> None:
    came = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)).eval()
    masked(came[0], "bias")
    x = torch.rand(2, 2, 5, 5)
    folded = compress(Original(came, (2, 5, 5)), (FoldBatchNorm(),)).module
    torch.testing.assert_close(folded(x), came(x).detach(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("norm_type", [1.0, 2.0])
def test_an_embedding_with_a_largest_norm_is_shortened_once(norm_type: float) -> None:
    embedding = nn.Embedding(7, 4, max_norm=0.5, norm_type=norm_type)
    came = nn.Sequential(embedding, nn.Flatten(), nn.Linear(20, 3)).eval()
    long, tokens = embedding.weight.detach().clone(), torch.randint(7, (6, 5))
    made = Original(came, (5,), input_dtype=torch.int64)
    assert torch.equal(embedding.weight, long)
    torch.testing.assert_close(made.module(tokens), came(tokens).detach())
    assert compress(made, (Prune(sparsity=0.5),)).module(tokens).shape == (6, 3)


def test_a_tied_embedding_with_a_largest_norm_is_refused() -> None:
    came = nn.Sequential(nn.Embedding(7, 4, max_norm=0.5), nn.Linear(4, 7)).eval()
    came[1].weight = came[0].weight
    with pytest.raises(ValueError, match=r"max_norm=0\.5 and is tied.*set max_norm to None"):
        Original(came, (5,), input_dtype=torch.int64)
