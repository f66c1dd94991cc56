"""What other people's forward does besides calling layers: right, or refused in words."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from compress_core.compressed import Compressed, compress
from compress_core.dataset import Dataset
from compress_core.graph import to_onnx
from compress_core.graph.structure import GraphError
from compress_core.original import Original
from compress_core.recipe import parse_step
from tests.networks import Forward, Net
from tests.zoo.checking import answers, assert_graph_agrees, assert_restored, build
from tests.zoo.networks import NETWORKS, Animal

NUMBERS = ((5,),)


def linears(forward: Forward, **parts: Any) -> Animal:
    """A forward function over layers a (5 → 6) and b (6 → 4), and other parts."""
    return Animal(lambda: Net(forward, a=nn.Linear(5, 6), b=nn.Linear(6, 4), **parts), NUMBERS)


def compressed_by(animal: Animal, *texts: str) -> Compressed:
    shape, recipe = animal.shapes[0], tuple(map(parse_step, texts))
    data = Dataset("noise", "train", torch.rand(12, *shape), torch.arange(12) % 4)
    return compress(Original(build(animal), shape, name="net", calibration=data), recipe)


class Lists(nn.Module):
    """Keeps its weights in a plain list, too, and reads them there."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(5, 6), nn.Linear(6, 4)
        self.weights = [self.a.weight, self.b.weight]

    def forward(self, x: Tensor) -> Tensor:
        h = functional.relu(functional.linear(x, self.weights[0], self.a.bias))
        return functional.linear(h, self.weights[1], self.b.bias)


def test_weights_in_a_plain_list_are_those_of_the_result() -> None:
    animal = Animal(Lists, NUMBERS)
    compressed = compressed_by(animal, "prune:sparsity=0.5", "quantize:bits=4")
    module, x = compressed.module, torch.rand(3, 5)
    assert all(
        kept is part.weight for kept, part in zip(module.weights, module.children(), strict=True)
    )
    expected = functional.relu(x @ module.a.weight.T + module.a.bias) @ module.b.weight.T
    torch.testing.assert_close(module(x), expected + module.b.bias)
    assert_restored(compressed, animal)
    assert_graph_agrees(compressed, animal)
    assert to_onnx(compressed)


def test_gradients_reach_weights_in_a_plain_list() -> None:
    compressed = compressed_by(Animal(Lists, NUMBERS), "prune_taylor:sparsity=0.5")
    assert compressed.skipped == ()


def test_a_network_that_writes_to_its_weights_is_refused() -> None:
    def clamping(net: Any, x: Tensor) -> Tensor:
        net.a.weight.data.clamp_(-1, 1)
        return net.b(net.a(x))

    with pytest.raises(ValueError, match=r"writes to its parameter a\.weight as it runs"):
        compressed_by(linears(clamping))


def test_a_network_that_takes_any_number_of_inputs_has_a_graph() -> None:
    animal = linears(lambda net, x: net.b(net.a(x)))  # Net.forward takes *inputs
    assert_graph_agrees(compressed_by(animal), animal)
    assert to_onnx(compressed_by(animal))


def test_a_batch_size_that_the_exporter_makes_constant_is_refused() -> None:
    animal = linears(lambda net, x: net.b(net.a(x)) + x.new_zeros(len(x), 4))
    with pytest.raises(GraphError, match="its batch size would be constant"):
        to_onnx(compressed_by(animal))


def test_whole_numbers_as_a_parameter_leave_the_channels_followed() -> None:
    order = nn.Parameter(torch.arange(4), requires_grad=False)
    animal = linears(lambda net, x: net.b(net.a(x).relu())[:, net.order], order=order)
    compressed = compressed_by(animal, "prune_structured:pruning_ratio=0.5")
    assert compressed.layers["a"].layer.shape == (3, 5)


def test_a_network_that_cannot_be_derived_is_refused_by_gradients_alone() -> None:
    def overwriting(net: Any, x: Tensor) -> Tensor:
        return net.b(net.a(x).sigmoid().mul_(2))

    with pytest.raises(ValueError, match="does not run with gradients"):
        compressed_by(linears(overwriting), "prune_taylor:sparsity=0.5")
    assert compressed_by(linears(overwriting), "prune_wanda:sparsity=0.5").skipped == ()


def test_gradients_pass_through_a_checkpoint() -> None:
    animal = linears(lambda net, x: net.b(checkpoint(net.a, x, use_reentrant=False)))
    assert compressed_by(animal, "prune_taylor:sparsity=0.5").skipped == ()


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_layers_beside_a_recurrent_one_lose_channels(kind: type[nn.RNNBase]) -> None:
    def forward(net: Any, x: Tensor) -> Tensor:
        return net.d(net.c(net.rnn(net.b(net.a(x).relu()))[0][:, -1]).relu())

    widths = {"a": (5, 8), "b": (8, 6), "c": (4, 8), "d": (8, 4)}
    layers = {name: nn.Linear(*width) for name, width in widths.items()}
    rnn = kind(6, 4, batch_first=True)
    animal = Animal(lambda: Net(forward, **layers, rnn=rnn), ((6, 5),))
    compressed = compressed_by(animal, "prune_structured:pruning_ratio=0.5")
    shapes = {name: stored.layer.shape for name, stored in compressed.layers.items()}
    assert (shapes["a"], shapes["b"], shapes["c"]) == ((4, 5), (6, 4), (4, 4))
    assert "b" in {left_out.layer for left_out in compressed.skipped}


def test_a_network_of_two_inputs_is_folded_and_loses_channels() -> None:
    animal = NETWORKS["two inputs"]
    network = build(animal)
    example = tuple(torch.randn(3, *shape) for shape in animal.shapes)
    original = Original(network, example=example, name="two inputs")
    folded = compress(original, (parse_step("fold"),)).module
    expected = answers(network, example)["output"]
    torch.testing.assert_close(answers(folded, example)["output"], expected, atol=1e-5, rtol=1e-5)
    smaller = compress(original, (parse_step("prune_structured:pruning_ratio=0.5"),))
    assert {"conv", "numbers", "mix"} == smaller.winners("structured").keys()
    assert smaller.layers["mix"].layer.shape == (4, 6)


def test_a_convolution_over_three_dimensions_that_lost_channels_runs_again() -> None:
    animal = NETWORKS["conv3d"]
    compressed = compressed_by(animal, "prune_structured:pruning_ratio=0.5")
    assert compressed.layers["0"].layer.shape == (3, 2, 3, 3, 3)
    assert_restored(compressed, animal)
