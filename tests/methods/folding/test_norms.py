"""Which norms fold: all that can in networks as people write them, none where it would be wrong."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import _get_current_dispatch_mode

from compress_core.methods.folding import (
    FoldBatchNorm,
    Norms,
    find_norms,
    fold_batch_norm,
    fold_pairs,
    unfoldable,
)
from tests.networks import NORMS, Forward, Net, trained


def conv(before: int, width: int, kernel: int = 3, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, width, kernel, padding=kernel // 2, groups=groups, bias=False)


def residual(net: Any, x: Tensor) -> Tensor:
    x = net.relu(net.norm0(net.conv0(x)))
    y = net.norm2(net.conv2(net.relu(net.norm1(net.conv1(x)))))
    y += x
    return net.relu(y).mean((2, 3))


def dense(net: Any, x: Tensor) -> Tensor:
    a = functional.relu(net.norm1(net.conv1(x)), inplace=True)
    b = functional.relu(net.norm2(net.conv2(a)), inplace=True)
    return torch.cat([a, b], 1).mean((2, 3))


def shuffle(net: Any, x: Tensor) -> Tensor:
    x = net.norm1(net.conv1(x))
    x = x.unflatten(1, (2, 4)).transpose(1, 2).flatten(1, 2)
    a, b = x.chunk(2, 1)
    return net.norm2(net.conv2(torch.cat([a.relu_(), b], 1)))


def gate(net: Any, x: Tensor) -> Tensor:
    values, gates = net.norm1(net.conv1(x)).chunk(2, 1)
    values.mul_(torch.sigmoid(gates))
    return values.mean((2, 3))


def out_behind(net: Any, x: Tensor) -> Tensor:
    y = net.norm1(net.conv1(x))
    return torch.clamp(y, min=0, out=y)


def several(net: Any, x: Tensor) -> dict[str, Any]:
    y = net.norm1(net.conv1(x))
    return {"features": y, "rest": [y.mean(), None]}


def block(before: int, width: int, kernel: int, groups: int = 1) -> nn.Sequential:
    layer = conv(before, width, kernel, groups)
    return nn.Sequential(layer, nn.BatchNorm2d(width), nn.ReLU6(inplace=True))


def mobile() -> nn.Module:
    last = nn.Sequential(conv(16, 8, 1), nn.BatchNorm2d(8))
    return nn.Sequential(block(3, 16, 3), block(16, 16, 3, 16), last)


def two_convs(forward: Forward) -> Callable[[], nn.Module]:
    return lambda: Net(
        forward,
        conv1=conv(3, 8),
        norm1=nn.BatchNorm2d(8),
        conv2=conv(8, 8),
        norm2=nn.BatchNorm2d(8),
    )


def one_conv(forward: Forward) -> Callable[[], nn.Module]:
    return lambda: Net(forward, conv1=conv(3, 8), norm1=nn.BatchNorm2d(8))


def one_linear(forward: Forward) -> Callable[[], nn.Module]:
    return lambda: Net(forward, fc=nn.Linear(6, 6), norm=nn.BatchNorm1d(6))


class InTwoPlaces(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.both = nn.Sequential(self.conv, self.norm)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.both(x)
        return out


def basic_block() -> nn.Module:
    convs = {f"conv{i}": conv(3 if i == 0 else 8, 8) for i in range(3)}
    norms = {f"norm{i}": nn.BatchNorm2d(8) for i in range(3)}
    return Net(residual, relu=nn.ReLU(inplace=True), **convs, **norms)


IMAGE = (3, 6, 6)
FOLDED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "a residual block, all in place": (basic_block, IMAGE),
    "a MobileNet block": (mobile, IMAGE),
    "a dense concatenation": (two_convs(dense), IMAGE),
    "a channel shuffle": (two_convs(shuffle), IMAGE),
    "a gate, in place on a view": (one_conv(gate), IMAGE),
    "out= behind the norm": (one_conv(out_behind), IMAGE),
    "a dictionary of outputs": (one_conv(several), IMAGE),
    "a part in two places": (InTwoPlaces, IMAGE),
    "tokens, transposed": (one_linear(lambda n, x: n.norm(n.fc(x).transpose(1, 2))), (6, 6)),
    "tokens, laid out anew": (
        one_linear(lambda n, x: n.norm(n.fc(x).transpose(1, 2).contiguous())),
        (6, 6),
    ),
    "tokens, flattened": (one_linear(lambda n, x: n.norm(n.fc(x).reshape(-1, 6))), (6, 6)),
    "channels last": (
        lambda: nn.Sequential(conv(3, 8), nn.BatchNorm2d(8)).to(memory_format=torch.channels_last),
        IMAGE,
    ),
    "Conv3d": (lambda: nn.Sequential(nn.Conv3d(2, 4, 2), nn.BatchNorm3d(4)), (2, 3, 3, 3)),
    "ConvTranspose1d": (
        lambda: nn.Sequential(nn.ConvTranspose1d(4, 6, 3), nn.BatchNorm1d(6)),
        (4, 5),
    ),
    "ConvTranspose2d in groups": (
        lambda: nn.Sequential(nn.ConvTranspose2d(4, 6, 3, 2, groups=2), nn.BatchNorm2d(6)),
        (4, 5, 5),
    ),
    "ConvTranspose3d, no bias": (
        lambda: nn.Sequential(nn.ConvTranspose3d(4, 6, 2, bias=False), nn.BatchNorm3d(6)),
        (4, 3, 3, 3),
    ),
    "SyncBatchNorm": (lambda: nn.Sequential(conv(3, 8), nn.SyncBatchNorm(8), nn.ReLU(True)), IMAGE),
    "SyncBatchNorm behind a Linear": (
        lambda: nn.Sequential(nn.Linear(6, 4), nn.SyncBatchNorm(4)),
        (6,),
    ),
}


def flat(output: Any) -> Tensor:
    return output["features"] if isinstance(output, dict) else output


@pytest.mark.parametrize("name", FOLDED)
def test_every_norm_that_can_is_folded_and_the_outputs_stay(name: str) -> None:
    make, shape = FOLDED[name]
    module = trained(make())
    folded = fold_pairs(module, find_norms(module, torch.zeros(1, *shape)).pairs)
    assert not any(isinstance(part, NORMS) for part in folded.modules())
    x = torch.randn(5, *shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, actual = flat(module(x.clone())), flat(folded(x.clone()))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


def exported_pairs(module: nn.Module, example: Tensor) -> dict[str, str]:
    """The oracle: norms of torch.export's functional graph that alone read a convolution."""
    with torch.no_grad():
        program = torch.export.export(module, (example,), strict=False).run_decompositions({})
    keys = program.graph_signature.inputs_to_parameters
    pairs = {}
    for node in program.graph.nodes:
        if "native_batch_norm" in str(node.target):
            layer = node.args[0]
            if "conv" in str(layer.target) and len(layer.users) == 1:
                names = [keys[one.args[1].name].removesuffix(".weight") for one in (layer, node)]
                pairs[names[0]] = names[1]
    return pairs


@pytest.mark.parametrize(
    "name", ["a residual block, all in place", "a MobileNet block", "a gate, in place on a view"]
)
def test_the_pairs_are_those_of_the_exported_functional_graph(name: str) -> None:
    make, shape = FOLDED[name]
    module, example = trained(make()), torch.zeros(1, *shape)
    assert find_norms(module, example).pairs == exported_pairs(module, example)


class Standardized(nn.Conv2d):
    """Its weight is not the one that runs."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return self._conv_forward(x, weight / weight.std(), self.bias)


class Padded(nn.Conv2d):
    """Overrides what its parent's forward calls."""

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.conv2d(functional.pad(x, (1, 1, 1, 1), value=1.0), weight, bias)


class Activated(nn.BatchNorm2d):
    """A norm with its non-linearity inside."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(super().forward(x))


class Listed(nn.Module):
    """Its parts run from a list, in which nobody replaces them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.parts = [self.conv, self.norm]

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x


def hooked() -> nn.Module:
    module = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8))
    module[0].register_forward_hook(lambda *_: None)
    return module


def out_before(net: Any, x: Tensor) -> Tensor:
    y = net.conv1(x)
    return net.norm1(torch.add(y, 1, out=y))


def gate_before(net: Any, x: Tensor) -> Tensor:
    y = net.conv1(x)
    y[:, :4].mul_(2)
    return net.norm1(y)


def shuffle_before(net: Any, x: Tensor) -> Tensor:
    return net.norm1(net.conv1(x).unflatten(1, (2, 4)).transpose(1, 2).flatten(1, 2))


def two_readers(net: Any, x: Tensor) -> Tensor:
    y = net.conv1(x)
    return net.norm1(y) + net.norm2(y)


def also_output(net: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    y = net.conv1(x)
    return y, net.norm1(y)


def weight_read_twice(net: Any, x: Tensor) -> Tensor:
    return net.norm1(net.conv1(x)) + net.conv1.weight.sum()


def sequence(*parts: nn.Module) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(*parts)


STAYS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], str]] = {
    "relu in place before": (
        sequence(conv(3, 8), nn.ReLU(inplace=True), nn.BatchNorm2d(8)),
        IMAGE,
        "relu_ and 2 read or write its output",
    ),
    "out= before": (one_conv(out_before), IMAGE, "add and norm1 read or write"),
    "a view written to before": (one_conv(gate_before), IMAGE, "mul_ and norm1 read or write"),
    "a shuffle before": (one_conv(shuffle_before), IMAGE, "something else than its channels"),
    "two norms": (two_convs(two_readers), IMAGE, "norm1 and norm2 read or write"),
    "an output, too": (one_conv(also_output), IMAGE, "the network's output"),
    "a weight read twice": (one_conv(weight_read_twice), IMAGE, "its weight is shared"),
    "a shared layer": (
        lambda: Net(
            lambda n, x: n.norm(n.c(x)) + n.norm(n.c(-x)), c=conv(3, 8), norm=nn.BatchNorm2d(8)
        ),
        IMAGE,
        "it runs 2 times",
    ),
    "tokens": (
        one_linear(lambda n, x: n.norm(n.fc(x))),
        (6, 6),
        "something else than its channels",
    ),
    "a forward of its own": (
        sequence(Standardized(3, 8, 3), nn.BatchNorm2d(8)),
        IMAGE,
        "it is a Standardized with a forward of its own",
    ),
    "padding of its own": (
        sequence(Padded(3, 8, 3), nn.BatchNorm2d(8)),
        IMAGE,
        "it is a Padded with a _conv_forward of its own",
    ),
    "a norm of another kind": (
        sequence(conv(3, 8), Activated(8)),
        IMAGE,
        "it is a Activated with a",
    ),
    "hooks": (hooked, IMAGE, "hooks run before or after it"),
    "a list of parts": (Listed, IMAGE, "without its norm, output differs by"),
    "a layer norm": (
        sequence(nn.Linear(6, 6), nn.LayerNorm(6)),
        (6,),
        "no batch norm, but LayerNorm",
    ),
}


@pytest.mark.parametrize("name", STAYS)
def test_a_norm_that_cannot_be_folded_stays_with_the_reason(name: str) -> None:
    make, shape, reason = STAYS[name]
    module = trained(make())
    norms = find_norms(module, torch.zeros(1, *shape))
    assert norms.pairs == {}
    assert reason in " ".join(norms.reasons.values())


def unwatchable(net: Any, x: Tensor) -> Tensor:
    """As torch.cond, whose operator of higher order refuses a mode that does not know it."""
    if _get_current_dispatch_mode() is not None:
        raise NotImplementedError("no rule registered for HigherOrderOperator")
    out: Tensor = net.norm1(net.conv1(x))
    return out


def test_where_operations_cannot_be_watched_nothing_is_folded() -> None:
    norms = find_norms(trained(one_conv(unwatchable)()), torch.zeros(1, *IMAGE))
    assert norms.pairs == {}
    assert norms.reasons["conv1"] == (
        "who reads its output cannot be seen (no rule registered for HigherOrderOperator)"
    )


def test_a_layer_that_takes_no_norm_says_so() -> None:
    module = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 2)).eval()
    norms = find_norms(module, torch.zeros(1, 2, dtype=torch.int64))
    assert unfoldable("0", module, norms) == (
        "a Embedding takes no batch norm over; a Linear or Conv does"
    )
    assert unfoldable("0.1", module, norms) == "it is no layer of its own"


def test_a_pattern_leaves_out_the_layers_that_cannot() -> None:
    module = trained(two_convs(dense)())
    module.conv2.register_forward_hook(lambda *_: None)
    folded = fold_batch_norm(FoldBatchNorm(("conv*",)), module, torch.zeros(1, *IMAGE))
    assert isinstance(folded.norm1, nn.Identity)
    assert isinstance(folded.norm2, nn.BatchNorm2d)


def test_a_layer_named_by_its_own_name_is_refused_with_the_reason() -> None:
    module = trained(two_convs(dense)())
    module.conv2.register_forward_hook(lambda *_: None)
    words = "layers='conv2': there is no batch norm to fold into conv2: hooks run .*name conv1"
    with pytest.raises(ValueError, match=words):
        fold_batch_norm(FoldBatchNorm(("conv1", "conv2")), module, torch.zeros(1, *IMAGE))


def test_what_is_known_of_the_norms_is_not_searched_again() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).eval()
    words = re.escape("no batch norm to fold into 0: because I say so; leave the step out")
    with pytest.raises(ValueError, match=words):
        fold_batch_norm(
            FoldBatchNorm(),
            module,
            torch.zeros(1, 2),
            norms=Norms({}, {"0": "because I say so"}),
        )


def test_finding_norms_runs_nothing_that_the_network_keeps() -> None:
    def keeping(net: Any, x: Tensor) -> Tensor:
        net.count += 1
        out: Tensor = net.norm1(net.conv1(x))
        return out

    module = trained(one_conv(keeping)())
    module.register_buffer("count", torch.zeros(1))
    find_norms(module, torch.zeros(1, *IMAGE))
    assert module.count == 0
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in module.modules())
