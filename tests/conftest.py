"""Models for all tests: the digits networks, and a zoo of tiny ones, each odd in one way.

An Original is never written to, so one of each serves the whole session.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from compress_core.compressed import BASES
from compress_core.data import Dataset, load_dataset
from compress_core.methods.low_rank import Factorize, full_rank
from compress_core.methods.pruning import Prune, RandomPrune
from compress_core.methods.quantization import BITS, Quantize
from compress_core.original import Original, load_model
from compress_core.recipe import STEPS, Recipe

# the same examples in every run: a red test is red for everybody
settings.register_profile(
    "repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


class Tied(nn.Module):
    """Two layers that share one weight, and one bias."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 4)
        self.b.weight, self.b.bias = self.a.weight, self.a.bias

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.b(torch.relu(self.a(x)))
        return out


class Repeated(nn.Module):
    """One module that stands in two places, as in ALBERT."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = self.a

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.b(torch.relu(self.a(x)))
        return out


class Words(nn.Module):
    """An embedding and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.embedding(x.long()).mean(1))
        return out


class Attention(nn.Module):
    """Packed attention projections; keys and values of another width have weights of their own."""

    def __init__(self, width: int | None = None) -> None:
        super().__init__()
        self.width = width
        self.attention = nn.MultiheadAttention(8, 2, kdim=width, vdim=width, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        other = x[..., : self.width]
        mixed, _ = self.attention(x, key=other, value=other, need_weights=False)
        out: Tensor = self.head(mixed.mean(1))
        return out


def make_linear(weight: Tensor) -> nn.Module:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    linear.weight.data = weight
    return nn.Sequential(OrderedDict(fc=linear)).eval()


def chain(**layers: nn.Module) -> nn.Module:
    return nn.Sequential(OrderedDict(layers))


# name: (how to build it, the shape of one input)
ZOO: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "tied": (Tied, (4,)),
    "repeated": (Repeated, (4,)),
    "words": (Words, (5,)),
    "attention": (Attention, (3, 8)),
    "cross_attention": (lambda: Attention(4), (3, 8)),
    "grouped": (lambda: chain(conv=nn.Conv2d(4, 6, 3, groups=2)), (4, 5, 5)),
    "conv1d": (lambda: chain(conv=nn.Conv1d(2, 3, 3, stride=2, padding=1)), (2, 7)),
    "norm": (lambda: chain(conv=nn.Conv2d(2, 4, 3), norm=nn.BatchNorm2d(4)), (2, 5, 5)),
    "no_bias": (lambda: chain(fc1=nn.Linear(5, 4, bias=False), fc2=nn.Linear(4, 3)), (5,)),
    "one_weight": (lambda: make_linear(torch.tensor([[0.5]])), (1,)),
    "all_zero": (lambda: make_linear(torch.zeros(3, 4)), (4,)),
    "constant": (lambda: make_linear(torch.full((3, 4), 0.25)), (4,)),
}


@pytest.fixture(scope="session", params=ZOO)
def zoo_model(request: pytest.FixtureRequest) -> Original:
    """Each animal of the zoo in turn."""
    return make_animal(request.param)


@pytest.fixture(scope="session")
def animal() -> Callable[[str], Original]:
    """The animal of a given name."""
    return make_animal


def make_animal(name: str) -> Original:
    build, input_shape = ZOO[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = build().eval()
        images = torch.rand(12, *input_shape)
    classes = module(images).shape[1]
    labels = torch.arange(12) % classes
    names = tuple("abcdefgh"[:classes])
    data = Dataset("noise", "train", images, labels, names)
    return Original(module, input_shape, name=name, calibration=data)


@pytest.fixture(scope="session")
def linear_of() -> Callable[[Tensor], Original]:
    """A model with one layer, `fc`, of the given weight (out, in) and without bias."""
    return lambda weight: Original(make_linear(weight), (weight.shape[1],), name="linear")


@pytest.fixture(scope="session")
def digits_cnn() -> Original:
    return load_model("digits-cnn")


@pytest.fixture(scope="session")
def digits_mlp() -> Original:
    return load_model("digits-mlp")


@pytest.fixture(scope="session")
def digits_transformer() -> Original:
    return load_model("digits-transformer")


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_dataset("digits")


@dataclass(frozen=True)
class Halve:
    """A stand-in for a step that changes the network: the first half of fc1's neurons is left."""

    kind: ClassVar[str] = "structured"

    layers: tuple[str, ...] = ("fc1",)


def halve(_step: Halve, names: tuple[str, ...], base: Original) -> Original:
    assert names == ("fc1",)
    module = base.with_module(base.module).module  # a copy of our own
    first, second = module.fc1, module.fc2
    left = first.out_features // 2
    module.fc1 = nn.Linear(first.in_features, left)
    module.fc1.weight.data, module.fc1.bias.data = first.weight[:left], first.bias[:left]
    module.fc2 = nn.Linear(left, second.out_features)
    module.fc2.weight.data, module.fc2.bias.data = second.weight[:, :left], second.bias
    return base.with_module(module.eval())


@pytest.fixture
def halving(monkeypatch: pytest.MonkeyPatch) -> type[Any]:
    """`Halve`, known to the tables as the methods' own steps are."""
    monkeypatch.setitem(BASES, Halve, halve)
    monkeypatch.setitem(STEPS, "halve", Halve)
    return Halve


@pytest.fixture(scope="session")
def recipes_for() -> Callable[[Original], st.SearchStrategy[Recipe]]:
    """All recipes of up to four steps that name layers of the model."""
    return make_recipes


def make_recipes(original: Original) -> st.SearchStrategy[Recipe]:
    layers = st.sampled_from([("*",), *((name,) for name in original.layers)])
    sparsity = st.floats(0, 0.99)
    steps = [
        st.builds(
            Prune, sparsity=sparsity, scope=st.sampled_from(["global", "layer"]), layers=layers
        ),
        st.builds(Prune, threshold=st.floats(0, 1), layers=layers),
        st.builds(Prune, sigmas=st.floats(0, 3), layers=layers),
        st.builds(RandomPrune, sparsity=sparsity, seed=st.integers(0, 9), layers=layers),
        st.builds(
            Quantize,
            bits=st.sampled_from(BITS),
            scheme=st.sampled_from(["symmetric", "asymmetric"]),
            granularity=st.sampled_from(["tensor", "channel", "group"]),
            clipping=st.sampled_from(["min_max", "percentile", "mse"]),
            group_size=st.integers(2, 9),
            layers=layers,
        ),
    ]
    pairs = {name: layer for name, layer in original.layers.items() if not layer.refuses_factors}
    for name, layer in pairs.items():
        ranks = st.integers(1, full_rank(layer.shape))
        steps.append(st.builds(Factorize, rank=ranks, layers=st.just((name,))))
    return st.lists(st.one_of(steps), max_size=4).map(tuple)
