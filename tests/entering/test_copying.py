"""Nothing is shared with whoever brought the network, nor between results; layouts are kept."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import save
from torch import Tensor, nn

from compress_core.compressed import Compressed, compress
from compress_core.entering.copying import copy_network
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import Quantize, QuantizeActivations
from compress_core.original import Original
from compress_core.storage.container import decode


class Counts(nn.Module):
    """Counts its calls in a buffer, keeps its last features and a running mean, also in eval."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)
        self.register_buffer("calls", torch.zeros(1))
        self.register_buffer("mean", torch.zeros(3))
        self.kept: dict[str, list[Tensor]] = {"features": []}

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc(x)
        self.calls += 1
        self.mean = 0.9 * self.mean + 0.1 * y.detach().mean(0)
        self.kept["features"] = [y]
        return y


RECIPES: dict[str, tuple[Any, ...]] = {
    "untouched": (),
    "pruned": (Prune(sparsity=0.5),),
    "rounded inputs": (QuantizeActivations(mode="dynamic"),),
}


def run(module: nn.Module) -> None:
    module(torch.ones(2, 4))
    with torch.inference_mode():
        module(torch.ones(2, 4))


@pytest.mark.parametrize("recipe", RECIPES)
def test_running_one_result_changes_no_other(recipe: str) -> None:
    original = Original(Counts().eval(), (4,))
    first, second = (compress(original, RECIPES[name]) for name in ("pruned", recipe))
    run(first.module)
    assert first.module.get_buffer("calls") == 2
    for other in (original.module, second.module, compress(original, ()).module):
        assert not other.get_buffer("calls").any()
        assert not other.get_buffer("mean").any()


@pytest.mark.parametrize("recipe", RECIPES)
def test_running_before_storing_changes_no_file(recipe: str) -> None:
    original = Original(Counts().eval(), (4,))
    expected = compress(original, RECIPES[recipe]).container
    made = compress(original, RECIPES[recipe])
    run(made.module)
    run(original.module)
    assert made.container == expected == compress(original, RECIPES[recipe]).container
    assert not decode(expected).state_dict["calls"].any()


def test_writing_to_a_result_changes_no_other() -> None:
    original = Original(nn.Sequential(nn.Linear(4, 3)).eval(), (4,))
    first = compress(original, ())
    with torch.no_grad():
        first.module[0].bias.fill_(7)  # type: ignore[index]
        original.module[0].weight.fill_(7)  # type: ignore[index]
    assert (compress(original, ()).module[0].bias != 7).all()  # type: ignore[index]
    assert (original.layers["0"].weight != 7).all()


def test_a_network_that_has_kept_a_feature_map_is_taken() -> None:
    network, x = Counts().eval(), torch.rand(5, 4)
    network(x)
    assert network.kept["features"][0].requires_grad
    torch.testing.assert_close(Original(network, (4,)).module(x), network.fc(x).detach())
    assert network.kept["features"][0].requires_grad


def test_what_enters_inside_of_inference_mode_can_be_written_to() -> None:
    with torch.inference_mode():
        network = Counts().eval()
        network(torch.ones(2, 4))
        made = compress(Original(network, (4,)), (Prune(sparsity=0.5),))
        module = made.module
    calls = module.get_buffer("calls")
    module(torch.ones(2, 4))
    before = calls.clone()
    calls.add_(1)
    assert torch.equal(calls, before + 1)
    assert not calls.is_inference()


def test_the_network_that_came_is_not_written_to() -> None:
    network = Counts().eval()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    run(compress(Original(network, (4,)), (Quantize(bits=4),)).module)
    assert all(torch.equal(network.state_dict()[key], before[key]) for key in before)
    assert network.fc.weight.requires_grad


class Flat(nn.Module):
    """The commonest line of all behind a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.fc = nn.Linear(128, 5)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv(x).relu()
        out: Tensor = self.fc(h.view(h.size(0), -1))
        return out


@pytest.mark.parametrize("recipe", [(), (Prune(sparsity=0.5),), (Quantize(bits=4),)])
def test_a_view_behind_a_convolution_runs(recipe: tuple[Any, ...]) -> None:
    module = compress(Original(Flat().eval(), (3, 6, 6)), recipe).module
    assert module(torch.rand(2, 3, 6, 6)).shape == (2, 5)


@pytest.mark.parametrize("recipe", [(), (Prune(sparsity=0.5),), (Quantize(bits=4),)])
def test_a_result_can_be_saved_and_viewed_flat(recipe: tuple[Any, ...]) -> None:
    state = compress(Original(Flat().eval(), (3, 6, 6)), recipe).module.state_dict()
    assert save(state)
    assert all(tensor.view(-1).shape == (tensor.numel(),) for tensor in state.values())


def test_a_network_that_came_channels_last_stays_so() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3)).eval().to(memory_format=torch.channels_last)
    made = compress(Original(network, (3, 6, 6)), (Prune(sparsity=0.5),))
    assert made.module[0].weight.stride() == network[0].weight.stride()  # type: ignore


def viewing(view: Callable[[Tensor], Tensor]) -> nn.Module:
    module = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)).eval()
    module[1].weight = nn.Parameter(view(module[0].weight.data))
    return module


@pytest.mark.parametrize(
    ("view", "layers"),
    [
        (lambda w: w, ["0"]),  # the same memory throughout: tied
        (lambda w: w.t(), ["0", "1"]),
        (lambda w: w.view(2, 8)[:, :4].repeat(2, 1), ["0", "1"]),
        (lambda w: torch.cat([w, w])[2:6], ["0", "1"]),
    ],
    ids=["same", "transposed", "repeated", "slice"],
)
def test_weights_in_one_memory_are_stored_and_decoded(
    view: Callable[[Tensor], Tensor], layers: list[str]
) -> None:
    network, x = viewing(view), torch.rand(3, 4)
    made = compress(Original(network, (4,)), ())
    assert list(made.layers) == layers
    torch.testing.assert_close(made.module(x), network(x).detach())
    decoded = decode(made.container).state_dict
    assert torch.equal(decoded["1.weight"], network[1].weight)


def test_a_copy_keeps_what_shares_memory() -> None:
    module = nn.Module()
    module.register_buffer("table", torch.zeros(4))
    module.register_buffer("front", module.table[:2])
    copied = copy_network(module)
    copied.front.fill_(1)  # type: ignore[operator]
    assert copied.table.tolist() == [1, 1, 0, 0]  # type: ignore[operator]
    assert not module.table.any()


class Versioned(nn.Linear):
    def get_extra_state(self) -> dict[str, int]:
        return {"version": 1}

    def set_extra_state(self, state: Any) -> None:
        pass


def test_extra_state_is_no_part_of_the_file() -> None:
    made: Compressed = compress(Original(nn.Sequential(Versioned(8, 4)).eval(), (8,)), ())
    assert set(decode(made.container).state_dict) == {"0.weight", "0.bias"}
    assert 4 * 36 < made.original.stored_bytes < 4 * 36 + 200
