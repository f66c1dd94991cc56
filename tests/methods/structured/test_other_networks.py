"""Networks of other people: cut and the same as silenced, or locked with the reason in words."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from compress_core.equality import named_tensors
from compress_core.methods.structured import (
    Group,
    PruneStructured,
    couple,
    plan_structured,
    refusals,
    shrink,
)
from tests.networks import Net


class RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


@dataclasses.dataclass
class Answer:
    logits: Tensor
    boxes: Any = None


def residual(net: Any, x: Tensor) -> Tensor:
    x = net.relu(net.norm0(net.conv0(x)))
    y = net.norm2(net.conv2(net.relu(net.norm1(net.conv1(x)))))
    y += x
    return net.head(net.relu(y).mean((2, 3)))


def residual_block() -> nn.Module:
    convs = {f"conv{i}": nn.Conv2d(3 if i == 0 else 8, 8, 3, padding=1) for i in range(3)}
    norms = {f"norm{i}": nn.BatchNorm2d(8) for i in range(3)}
    return Net(residual, relu=nn.ReLU(inplace=True), head=nn.Linear(8, 3), **convs, **norms)


def in_place(net: Any, x: Tensor) -> Tensor:
    y = net.a(x)
    y += net.b(x)
    functional.relu_(y).mul_(2)
    return net.head(y)


def two_outputs(net: Any, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    h = net.a(x).relu()
    return net.b(h), {"boxes": net.c(h)}


def dataclass_output(net: Any, x: Tensor) -> Answer:
    h = net.a(x).relu()
    return Answer(net.b(h), [net.c(h), None])


def features_too(net: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    features = net.b(net.a(x).relu())
    return features, net.c(features.relu())


def up_again(net: Any, x: Tensor) -> Tensor:
    a = net.down(x).relu()
    b = net.deep(functional.max_pool2d(a, 2)).relu()
    return net.out(torch.cat([a, net.up(b)], 1))


def linears(**widths: tuple[int, int]) -> dict[str, nn.Module]:
    return {name: nn.Linear(*width) for name, width in widths.items()}


THREE = {"a": (5, 8), "b": (8, 3), "c": (8, 2)}
PRUNED: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], set[str]]] = {
    "a residual block, all in place": (residual_block, (3, 6, 6), {"conv0", "conv1", "conv2"}),
    "a sum in place": (
        lambda: Net(in_place, **linears(a=(5, 8), b=(5, 8), head=(8, 3))),
        (5,),
        {"a", "b"},
    ),
    "a tuple and a dictionary": (lambda: Net(two_outputs, **linears(**THREE)), (5,), {"a"}),
    "a dataclass": (lambda: Net(dataclass_output, **linears(**THREE)), (5,), {"a"}),
    "features that are an output, too": (
        lambda: Net(features_too, **linears(a=(5, 8), b=(8, 8), c=(8, 2))),
        (5,),
        {"a"},
    ),
    "one number": (lambda: nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1)), (5,), {"0"}),
    "SyncBatchNorm": (
        lambda: nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.SyncBatchNorm(8), nn.ReLU(True), nn.Conv2d(8, 2, 3)
        ),
        (3, 6, 6),
        {"0"},
    ),
    "a transposed convolution": (
        lambda: Net(
            up_again,
            down=nn.Conv2d(3, 8, 3, padding=1),
            deep=nn.Conv2d(8, 8, 3, padding=1),
            up=nn.ConvTranspose2d(8, 8, 2, 2),
            out=nn.Conv2d(16, 2, 1),
        ),
        (3, 8, 8),
        {"down"},
    ),
}


def silenced(module: nn.Module, removed: dict[str, tuple[int, ...]], x: Tensor) -> Any:
    """The oracle by hand: hooks put zeros in the outputs of layers and norms, out of place."""

    def silence(indices: tuple[int, ...]) -> Callable[[nn.Module, Any, Tensor], Tensor]:
        def hook(part: nn.Module, _: Any, out: Tensor) -> Tensor:
            axis = out.dim() - 1 if isinstance(part, nn.Linear) else 1
            return out.index_fill(axis, torch.tensor(indices), 0.0)

        return hook

    hooks = [
        module.get_submodule(name).register_forward_hook(silence(indices))
        for name, indices in removed.items()
    ]
    with torch.inference_mode():
        output = module(x)
    for hook in hooks:
        hook.remove()
    return output


def build(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().eval()


@pytest.mark.parametrize("name", PRUNED)
def test_each_output_is_that_of_the_silenced_network(name: str) -> None:
    make, shape, expected = PRUNED[name]
    module = build(make)
    cut = plan_structured(PruneStructured(0.5), module, couple(module, torch.zeros(1, *shape)))
    assert {key for key in cut.outputs if "norm" not in key and key != "1"} == expected
    x = torch.randn(4, *shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        small = dict(named_tensors(shrink(module, cut).module(x)))
    for key, tensor in named_tensors(silenced(module, dict(cut.outputs), x)):
        torch.testing.assert_close(small[key], tensor, rtol=1e-4, atol=1e-5)


class Scaled(nn.Linear):
    """Its weight depends on all of its channels."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight / self.weight.norm(), self.bias)


def asserting(net: Any, x: Tensor) -> Tensor:
    h = net.a(x).relu()
    assert h.shape[1] == 8
    return net.b(h)


def looking_up(net: Any, x: Tensor) -> Tensor:
    h = net.a(x).relu()
    return net.b({8: h}[h.shape[1]])


def tied_by_hand(net: Any, x: Tensor) -> Tensor:
    h = functional.relu(net.enc(functional.relu(net.a(x))))
    return net.b(functional.linear(h, net.enc.weight.t()))


def normalized(net: Any, x: Tensor) -> Tensor:
    h = net.a(x).relu()
    return net.b(functional.layer_norm(h, h.shape[-1:]))


TWO = {"a": (5, 8), "b": (8, 3)}
LOCKED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "a forward of its own": (
        lambda: Net(lambda n, x: n.b(n.a(x).relu()), a=nn.Linear(5, 8), b=Scaled(8, 3)),
        "b cannot be cut: it is a Scaled with a forward of its own",
    ),
    "an assertion": (lambda: Net(asserting, **linears(**TWO)), "does not run"),
    "a key": (lambda: Net(looking_up, **linears(**TWO)), "does not run"),
    "a weight read outside of its layer": (
        lambda: Net(tied_by_hand, **linears(a=(5, 8), enc=(8, 6), b=(8, 3))),
        "does not run",
    ),
    "a layer norm that is a function": (
        lambda: Net(normalized, **linears(**TWO)),
        "changes the others",
    ),
}


@pytest.mark.parametrize("name", LOCKED)
def test_what_cannot_be_followed_locks_its_layers_in_words(name: str) -> None:
    make, words = LOCKED[name]
    module = build(make)
    groups = couple(module, torch.zeros(1, 5))
    assert words in refusals(module, groups, {"a"})["a"]


def grouped_queries(net: Any, tokens: Tensor) -> Tensor:
    h = net.embed(tokens)
    n, (batch, length) = net.norm(h), tokens.shape
    q = net.q(n).view(batch, length, 4, 8).transpose(1, 2)
    k, v = (
        part(n).view(batch, length, 2, 8).transpose(1, 2).repeat_interleave(2, 1)
        for part in (net.k, net.v)
    )
    mixed = functional.scaled_dot_product_attention(q, k, v)
    h = h + net.o(mixed.transpose(1, 2).reshape(batch, length, 32))
    return net.head(h + net.down(functional.silu(net.gate(h)) * net.up(h)))[:, -1]


def decoder() -> nn.Module:
    widths = {"q": 32, "k": 16, "v": 16, "o": 32, "gate": 64, "up": 64, "head": 64}
    layers: dict[str, nn.Module] = {k: nn.Linear(32, n, bias=False) for k, n in widths.items()}
    net = Net(
        grouped_queries,
        embed=nn.Embedding(64, 32, padding_idx=0),
        norm=RMSNorm(32),
        down=nn.Linear(64, 32, bias=False),
        **layers,
    )
    net.head.weight = net.embed.weight
    return net


def decoder_groups() -> tuple[nn.Module, tuple[Group, ...], Tensor]:
    module, tokens = build(decoder), torch.zeros(1, 12, dtype=torch.int64)
    return module, couple(module, tokens), tokens


def test_grouped_queries_lock_their_own_layers_and_leave_the_others() -> None:
    module, groups, _ = decoder_groups()
    reasons = refusals(module, groups, {"q", "k", "v", "o", "gate", "up", "down"})
    assert reasons.keys() == {"q", "k", "v", "o", "down"}
    cut = plan_structured(PruneStructured(0.5), module, groups)
    assert cut.outputs.keys() == {"gate", "up"}
    assert len(cut.inputs["down"]) == 32


def test_a_gated_pair_answers_as_with_its_neurons_silenced() -> None:
    module, groups, _ = decoder_groups()
    cut = plan_structured(PruneStructured(0.5), module, groups)
    tokens = torch.randint(64, (3, 12), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        small = shrink(module, cut).module(tokens)
    torch.testing.assert_close(small, silenced(module, dict(cut.outputs), tokens))


def test_padding_does_not_hide_that_channels_hang_together() -> None:
    def text(net: Any, x: Tensor) -> Tensor:
        h = net.a(net.embed(x)).relu()
        return net.b(functional.layer_norm(h, h.shape[-1:])).mean(1)

    embed = nn.Embedding(50, 16, padding_idx=0)
    layers = {"a": nn.Linear(16, 8, bias=False), "b": nn.Linear(8, 3, bias=False)}
    module = build(lambda: Net(text, embed=embed, **layers))
    groups = couple(module, torch.zeros(1, 12, dtype=torch.int64))
    assert "changes the others" in refusals(module, groups, {"a"})["a"]


def test_a_small_output_is_not_hidden_by_a_large_one() -> None:
    def both(net: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        h = net.a(x).relu()
        return 1e6 * net.b(h), net.b(h) * h.shape[1]

    module = build(lambda: Net(both, **linears(**TWO)))
    groups = couple(module, torch.zeros(1, 5))
    assert "changes the others" in refusals(module, groups, {"a"})["a"]


def test_layers_that_a_pattern_names_beside_a_coupled_half_are_pruned_alone() -> None:
    module = build(residual_block)
    groups = couple(module, torch.zeros(1, 3, 6, 6))
    step = PruneStructured(0.5, layers=("conv[12]",))
    cut = plan_structured(step, module, groups)
    assert set(cut.outputs) == {"conv1", "norm1"}
    reasons = refusals(module, groups, {"conv1", "conv2"})
    assert reasons == {
        "conv2": "its channels are coupled with those of conv0, and go only together; name them "
        "in the same step: layers=conv0|conv2"
    }


def test_a_network_without_any_gradient_is_refused() -> None:
    module = build(lambda: Net(lambda n, x: n.b(n.a(x)).argmax(-1), **linears(**TWO)))
    with pytest.raises(ValueError, match=r"cannot be followed \(no output depends"):
        couple(module, torch.zeros(1, 5))


def test_an_output_of_an_unknown_kind_is_refused() -> None:
    module = build(lambda: Net(lambda n, x: {*n.b(n.a(x))}, **linears(**TWO)))
    with pytest.raises(ValueError, match=r"cannot be followed .*is a set"):
        couple(module, torch.zeros(1, 5))


def test_the_layers_say_how_wide_they_are() -> None:
    depthwise = nn.Conv2d(8, 8, 3, groups=8)
    parts = (nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(True), depthwise, nn.Conv2d(8, 2, 1))
    module = build(lambda: nn.Sequential(*parts, nn.Flatten(), nn.Linear(8, 3)))
    cut = plan_structured(
        PruneStructured(0.5, layers=("0", "3")), module, couple(module, torch.zeros(1, 3, 6, 6))
    )
    first, norm, _, middle, last, _, _ = shrink(module, cut).module
    assert (first.in_channels, first.out_channels, norm.num_features) == (3, 4, 4)
    assert (middle.in_channels, middle.out_channels, middle.groups) == (4, 4, 4)
    assert (last.in_channels, last.out_channels) == (4, 2)
