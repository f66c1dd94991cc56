"""Batch norm folding: the same outputs without the norms, and no fold where it would be wrong."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress_core.methods.folding import FoldBatchNorm, fold_batch_norm, foldable
from compress_core.models.catalog import model_spec
from compress_core.models.checkpoints import load_network
from tests.networks import Net, trained


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def norms(module: nn.Module) -> int:
    return sum(isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) for part in module.modules())


def assert_same(folded: nn.Module, original: nn.Module, x: Tensor) -> None:
    with torch.inference_mode():
        expected, actual = original(x), folded(x)
    assert (actual - expected).abs().max() <= 1e-5 * expected.abs().max()


FOLDED = {
    "conv": (nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU()), (2, 5, 5)),
    "no bias": (nn.Sequential(nn.Conv2d(2, 4, 3, bias=False), nn.BatchNorm2d(4)), (2, 5, 5)),
    "padding": (nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)), (2, 5, 5)),
    "grouped": (nn.Sequential(nn.Conv2d(4, 8, 3, groups=4), nn.BatchNorm2d(8)), (4, 5, 5)),
    "conv1d": (nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4)), (2, 5)),
    "linear": (nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4)), (5,)),
    "no affine": (nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4, affine=False)), (5,)),
}


@pytest.mark.parametrize("name", FOLDED)
def test_a_folded_network_computes_the_same(name: str) -> None:
    module, shape = FOLDED[name]
    module = trained(module)
    folded = fold_batch_norm(FoldBatchNorm(), module, torch.zeros(1, *shape))
    assert (norms(module), norms(folded)) == (1, 0)
    assert_same(folded, module, noise(7, *shape))


def test_the_shipped_network_with_batch_norm_computes_the_same() -> None:
    original, shape = load_network("fashion-cnn"), model_spec("fashion-cnn").input_shape
    folded = fold_batch_norm(FoldBatchNorm(), original, torch.zeros(1, *shape))
    assert (norms(original), norms(folded)) == (5, 0)
    assert_same(folded, original, torch.rand(16, *shape))


def test_the_folded_weight_is_that_of_the_formula() -> None:
    linear, norm = nn.Linear(1, 1), nn.BatchNorm1d(1, eps=0)
    for parameter, value in ((linear.weight, 3.0), (linear.bias, 1.0), (norm.weight, 4.0)):
        nn.init.constant_(parameter, value)
    nn.init.constant_(norm.bias, 0.5)
    norm.running_mean.fill_(2.0)
    norm.running_var.fill_(4.0)
    module = nn.Sequential(linear, norm).eval()
    folded = fold_batch_norm(FoldBatchNorm(), module, torch.zeros(1, 1))
    # s = 4 / √4 = 2: 2·3 = 6, 2·(1 - 2) + 0.5 = -1.5
    assert (folded[0].weight.item(), folded[0].bias.item()) == (6.0, -1.5)


def test_only_the_named_layers_are_folded() -> None:
    original, shape = load_network("fashion-cnn"), model_spec("fashion-cnn").input_shape
    folded = fold_batch_norm(FoldBatchNorm(("conv1", "conv5")), original, torch.zeros(1, *shape))
    assert isinstance(folded.bn1, nn.Identity)
    assert isinstance(folded.bn2, nn.BatchNorm2d)
    assert_same(folded, original, torch.rand(16, *shape))


def test_the_input_is_untouched_and_the_copy_stays_in_evaluation_mode() -> None:
    module = trained(nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)))
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    folded = fold_batch_norm(FoldBatchNorm(), module, torch.zeros(1, 2, 5, 5))
    assert all(torch.equal(before[key], tensor) for key, tensor in module.state_dict().items())
    assert not any(part.training for part in folded.modules())


def skip(net: Net, x: Tensor) -> Tensor:
    y = net.conv(x)
    return y + net.norm(y)


def nonlinear(net: Net, x: Tensor) -> Tensor:
    return net.norm(torch.relu(net.conv(x)))


def twice(net: Net, x: Tensor) -> Tensor:
    return net.norm(net.conv(x)) + net.norm(x)


def again(net: Net, x: Tensor) -> Tensor:
    return net.conv(net.norm(net.conv(x)))


def first(net: Net, x: Tensor) -> Tensor:
    return net.conv(net.norm(x))


@pytest.mark.parametrize("forward", [skip, nonlinear, twice, again, first])
def test_a_norm_that_is_not_alone_behind_the_layer_stays(
    forward: Callable[[Net, Tensor], Tensor],
) -> None:
    net = trained(Net(forward, conv=nn.Conv2d(2, 2, 1), norm=nn.BatchNorm2d(2)))
    assert foldable(net, torch.zeros(1, 2, 5, 5)) == {}


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_the_caller_may_have_switched_gradients_off(mode: Callable[[], Any]) -> None:
    net = trained(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)))
    with mode():
        assert foldable(net, torch.zeros(1, 4)) == {"0": "1"}


def test_a_norm_over_tokens_stays() -> None:
    net = trained(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)))
    assert foldable(net, torch.zeros(1, 4, 4)) == {}
    assert foldable(net, torch.zeros(1, 4)) == {"0": "1"}


def test_a_norm_without_running_statistics_stays() -> None:
    norm = nn.BatchNorm1d(4, track_running_stats=False)
    net = nn.Sequential(nn.Linear(4, 4), norm).eval()
    assert foldable(net, torch.zeros(2, 4)) == {}


def test_a_tied_layer_stays_as_it_is() -> None:
    net = trained(
        Net(
            lambda net, x: net.b(net.norm(net.a(x))),
            a=nn.Linear(4, 4),
            norm=nn.BatchNorm1d(4),
            b=nn.Linear(4, 4),
        )
    )
    net.b.weight = net.a.weight
    assert foldable(net, torch.zeros(1, 4)) == {}


def test_several_norms_each_go_to_their_own_layer() -> None:
    net = trained(
        Net(
            lambda net, x: torch.relu(net.na(net.a(x))) + net.nb(net.b(x)),
            a=nn.Linear(4, 3),
            b=nn.Linear(4, 3),
            nb=nn.BatchNorm1d(3),
            na=nn.BatchNorm1d(3),
        )
    )
    assert foldable(net, torch.zeros(1, 4)) == {"a": "na", "b": "nb"}
    assert_same(fold_batch_norm(FoldBatchNorm(), net, torch.zeros(1, 4)), net, noise(9, 4))


@pytest.mark.parametrize(
    ("name", "layers", "words"),
    [
        ("digits-cnn", ("*",), ["layers='*'", "no batch norm to fold", "leave the step out"]),
        ("fashion-cnn", ("fc1",), ["layers='fc1'", "no batch norm to fold", "name conv1, conv2"]),
        ("fashion-cnn", ("conv9",), ["layers='conv9'", "matches no layer", "the model has conv1"]),
    ],
)
def test_a_step_that_folds_nothing_is_refused(
    name: str, layers: tuple[str, ...], words: list[str]
) -> None:
    example = torch.zeros(1, *model_spec(name).input_shape)
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        fold_batch_norm(FoldBatchNorm(layers), load_network(name), example)


def test_a_fold_of_no_layers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"layers=\(\): name at least one layer"):
        FoldBatchNorm(())
