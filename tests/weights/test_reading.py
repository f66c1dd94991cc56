"""Who reads a layer's weight or attributes besides the layer itself."""

import re
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from compress_core.compressed import compress
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import QuantizeActivations
from compress_core.methods.structured import PruneStructured
from compress_core.original import Original

Read = Callable[["Reader", Tensor], Tensor]


class Reader(nn.Module):
    """Two linear layers, and something that the network itself reads of the first."""

    def __init__(self, read: Read) -> None:
        super().__init__()
        self.enc, self.head = nn.Linear(6, 6), nn.Linear(6, 3)
        self.read = read

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.read(self, self.enc(x).relu()))
        return out


READS: dict[str, tuple[Read, str]] = {
    "transposed": (lambda net, h: linear(h, net.enc.weight.t()), "weight"),
    "T": (lambda net, h: h @ net.enc.weight.T, "weight"),
    "computed": (lambda net, h: h * net.enc.weight.square().mean(), "weight"),
    "listed": (lambda net, h: h + next(net.enc.parameters())[0], "weight"),
    "by key": (lambda net, h: h @ dict(net.named_parameters())["enc.weight"], "weight"),
    "width": (lambda net, h: h.view(-1, net.enc.in_features), "in_features"),
    "bias": (lambda net, h: h + net.enc.bias, "bias"),
    "type": (lambda net, h: h.to(net.enc.weight.dtype), "weight"),
    "nothing": (lambda _net, h: h, ""),
}


def reader(name: str) -> Original:
    torch.manual_seed(0)
    return Original(Reader(READS[name][0]).eval(), (6,))


@pytest.mark.parametrize("name", ["transposed", "T", "computed", "listed", "by key"])
def test_a_weight_that_the_network_reads_too_is_found(name: str) -> None:
    reads = reader(name).reads
    assert reads.weights == {"enc": "the network (Reader) reads its weight, too"}


@pytest.mark.parametrize("name", ["width", "bias", "type", "nothing"])
def test_what_tells_nothing_of_the_weights_values_is_no_read_of_them(name: str) -> None:
    assert reader(name).reads.weights == {}


@pytest.mark.parametrize("name", READS)
def test_a_layer_in_whose_place_factors_would_break_the_network_is_refused(name: str) -> None:
    original, word = reader(name), READS[name][1]
    recipe = (Factorize(rank=2, layers=("enc",)),)
    if word:
        with pytest.raises(ValueError, match=rf"enc cannot run as factors: .* reads its {word}"):
            compress(original, recipe)
    else:
        assert compress(original, recipe).module(original.example).shape == (1, 3)


def test_inputs_of_a_weight_that_is_read_twice_are_not_rounded() -> None:
    with pytest.raises(ValueError, match=r"enc has no input to quantize: the network .* too"):
        compress(reader("T"), (QuantizeActivations(mode="dynamic", layers=("enc",)),))


def test_channels_of_a_weight_that_is_read_twice_are_not_removed() -> None:
    with pytest.raises(ValueError, match=r"enc keeps all of its channels: the network .* too"):
        compress(reader("T"), (PruneStructured(0.5, layers=("enc",)),))


def test_both_readers_get_the_compressed_weight() -> None:
    original = reader("T")
    module = compress(original, (Prune(sparsity=0.5),)).module
    x = torch.randn(4, 6)
    weight, bias = module.enc.weight, module.enc.bias
    expected = module.head((x @ weight.T + bias).relu() @ weight.T)
    torch.testing.assert_close(module(x), expected)


def test_a_part_of_the_network_is_named_as_the_reader() -> None:
    class Tower(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enc, self.dec = nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = self.dec(linear(self.enc(x), self.enc.weight))
            return out

    original = Original(nn.Sequential(nn.ReLU(), Tower()).eval(), (4,))
    assert original.reads.weights == {"1.enc": "1 (Tower) reads its weight, too"}


def test_nobody_reads_the_layers_of_a_reference_network(digits_transformer: Original) -> None:
    assert digits_transformer.reads.weights == digits_transformer.reads.attributes == {}


def test_looking_leaves_the_network_as_it_is() -> None:
    original = reader("T")
    kinds = [type(part) for part in original.module.modules()]
    _ = original.reads
    assert [type(part) for part in original.module.modules()] == kinds
    hooks = [part._forward_hooks or part._forward_pre_hooks for part in original.module.modules()]
    assert not any(hooks)


def test_a_module_of_torch_that_reads_its_child_is_said_so(
    animal: Callable[[str], Original],
) -> None:
    refusal = animal("packed").layers["attention.out_proj"].refuses_factors
    assert re.search("reads the weight itself", str(refusal))
