"""A network's digest: the same for equal networks, another one for whatever changes an answer."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from compress_core.digest import network_digest
from compress_core.original import Original, load_model


class Scaled(nn.Linear):
    """A part that is not its parent, though its weights are."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def network(part: Callable[..., nn.Module] = nn.Linear, **settings: object) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(part(4, 4), nn.LeakyReLU(**settings)).eval()


IMAGE = torch.zeros(1, 4)


def test_equal_networks_have_one_digest() -> None:
    assert network_digest(network(), [IMAGE]) == network_digest(network(), [IMAGE + 1])


def test_a_model_loaded_twice_has_one_digest_whatever_its_name() -> None:
    first, second = load_model("digits-mlp"), load_model("digits-mlp")
    second.name = "mine"
    assert first.digest == second.digest
    assert len(first.digest) == 64


@pytest.mark.parametrize(
    "other",
    [network(Scaled), network(negative_slope=0.2), nn.Sequential(*network(), nn.ReLU())],
    ids=["class", "setting", "part"],
)
def test_another_part_or_setting_is_another_network(other: nn.Module) -> None:
    assert network_digest(network(), [IMAGE]) != network_digest(other, [IMAGE])


def test_one_changed_weight_is_another_network() -> None:
    changed = network()
    with torch.no_grad():
        changed[0].weight[0, 0] += 1e-6  # type: ignore[index]
    assert network_digest(network(), [IMAGE]) != network_digest(changed, [IMAGE])


@pytest.mark.parametrize("example", [torch.zeros(1, 5), torch.zeros(1, 4, dtype=torch.int64)])
def test_another_input_is_another_network(example: Tensor) -> None:
    assert network_digest(network(), [IMAGE]) != network_digest(network(), [example])


def test_a_buffer_without_entries_and_a_scalar_have_a_digest() -> None:
    norm = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)).eval()
    norm.register_buffer("empty", torch.empty(0))
    assert Original(norm, (4,)).digest == network_digest(norm, [IMAGE])
