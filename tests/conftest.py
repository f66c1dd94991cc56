"""Models for all tests: the digits networks, and a zoo of tiny ones, each odd in one way.

An Original is never written to, so one of each serves the whole session.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from compress_core.applying.structured import coupled_groups
from compress_core.data import Dataset, load_dataset
from compress_core.methods.folding import FoldBatchNorm, foldable
from compress_core.methods.low_rank import Factorize, forms_of, full_rank
from compress_core.methods.pruning import Prune, PruneNM, PruneTaylor, PruneWanda, RandomPrune
from compress_core.methods.quantization import (
    BITS,
    FORMAT_BITS,
    MX_FORMATS,
    Binarize,
    CorrectBias,
    Quantize,
    QuantizeActivations,
    QuantizeFloat,
    QuantizeGPTQ,
    QuantizeMX,
    Ternarize,
)
from compress_core.methods.structured import PruneStructured
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.network import Names, Network
from compress_core.opening import store
from compress_core.opening.rooms import close_rooms
from compress_core.original import Original, load_model
from compress_core.recipe import Recipe
from compress_core.steps import BY_NAME, BY_TYPE, AnyStep, Row
from compress_core.stored import untouched
from compress_core.trained import FOLDER_VARIABLE
from tests.opening.files import open_in_sandbox, small_network

# the same examples in every run: a red test is red for everybody
settings.register_profile(
    "repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def own_results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Jobs, results of training and opened networks go to folders of the tests, not to the user's
    cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER_VARIABLE, str(tmp_path_factory.mktemp("trained")))
        patch.setenv("COMPRESS_JOBS_DIR", str(tmp_path_factory.mktemp("jobs")))
        patch.setenv(store.FOLDER_VARIABLE, str(tmp_path_factory.mktemp("opened")))
        yield


@pytest.fixture(scope="session")
def opened_name(own_results: None) -> Iterator[str]:  # noqa: ARG001  # the folder is its
    """The name of an opened network: 16 inputs, 12 hidden, 4 classes."""
    yield open_in_sandbox(small_network(), "Small Net.onnx")
    close_rooms()


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


class Packed(nn.MultiheadAttention):
    """A subclass may have a forward of its own: its projections stay packed."""


class Attention(nn.Module):
    """torch's attention; keys and values of another width have weights of their own."""

    def __init__(
        self,
        width: int | None = None,
        kind: type[nn.MultiheadAttention] = nn.MultiheadAttention,
    ) -> None:
        super().__init__()
        self.width = width
        self.attention = kind(8, 2, kdim=width, vdim=width, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        other = x[..., : self.width]
        mixed, _ = self.attention(x, key=other, value=other, need_weights=False)
        out: Tensor = self.head(mixed.mean(1))
        return out


class Bare(nn.Module):
    """Parameters of no layer of torch: positions, and a weight for functional.linear."""

    def __init__(self) -> None:
        super().__init__()
        self.positions = nn.Parameter(torch.randn(1, 3, 4))
        self.mix = Mix()
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.mix(x + self.positions).mean(1))
        return out


class Mix(nn.Module):
    """A linear layer of one's own."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4))
        self.bias = nn.Parameter(torch.randn(4))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)


class Recurrent(nn.Module):
    """An LSTM in both directions and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(4, 3, batch_first=True, bidirectional=True)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.rnn(x)[0].mean(1))
        return out


class Cell(nn.Module):
    """A GRU's cell that a loop calls twice."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.cell(x[:, 1], self.cell(x[:, 0]))
        return out


class Halves(nn.Module):
    """A bilinear layer of the two halves of its input."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Bilinear(3, 2, 4)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x[:, :3], x[:, 3:])
        return out


class Bag(nn.Module):
    """A bag of words whose gradient is sparse, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(10, 4, mode="sum", sparse=True)
        self.head = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.bag(x.long()))
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
    "packed": (lambda: Attention(kind=Packed), (3, 8)),
    "packed_cross": (lambda: Attention(4, Packed), (3, 8)),
    "grouped": (lambda: chain(conv=nn.Conv2d(4, 6, 3, groups=2)), (4, 5, 5)),
    "conv1d": (lambda: chain(conv=nn.Conv1d(2, 3, 3, stride=2, padding=1)), (2, 7)),
    "transposed": (lambda: chain(up=nn.ConvTranspose2d(4, 6, 3, 2, groups=2)), (4, 3, 3)),
    "volume": (lambda: chain(conv=nn.Conv3d(2, 3, 2)), (2, 3, 3, 3)),
    "bare": (Bare, (3, 4)),
    "recurrent": (Recurrent, (3, 4)),
    "cell": (Cell, (2, 4)),
    "bilinear": (Halves, (5,)),
    "bag": (Bag, (5,)),
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


def halve(_step: Halve, names: Names, network: Network) -> Network:
    assert names == ("fc1",)
    return network.with_base("halved", lambda: halved(network.base))


def halved(base: Original) -> nn.Module:
    module = base.with_module(base.module).module  # a copy of our own
    first, second = module.fc1, module.fc2
    left = first.out_features // 2
    module.fc1 = nn.Linear(first.in_features, left)
    module.fc1.weight.data, module.fc1.bias.data = first.weight[:left], first.bias[:left]
    module.fc2 = nn.Linear(left, second.out_features)
    module.fc2.weight.data, module.fc2.bias.data = second.weight[:, :left], second.bias
    return module.eval()


@pytest.fixture
def halving(monkeypatch: pytest.MonkeyPatch) -> type[Any]:
    """`Halve`, known to the table as the methods' own steps are."""
    row: Any = Row("halve", Halve, halve)  # type: ignore[arg-type]
    monkeypatch.setitem(BY_NAME, "halve", row)
    monkeypatch.setitem(BY_TYPE, Halve, row)
    return Halve


@pytest.fixture(scope="session")
def recipes_for() -> Callable[[Original], st.SearchStrategy[Recipe]]:
    """All recipes of up to four steps that name layers of the model."""
    return make_recipes


def make_recipes(original: Original) -> st.SearchStrategy[Recipe]:
    """Steps of all kinds; a layer is either quantized or shared, and pruned or binarized."""
    others = [*base_steps(original), *factor_steps(original), *input_steps(original)]
    pruned, quantized = prune_steps(original), quantize_steps(original)
    shared = st.builds(
        ShareWeights,
        clusters=st.integers(2, 40),
        init=st.sampled_from(["linear", "density", "random", "optimal"]),
        keep_zeros=st.booleans(),
        scope=st.sampled_from(["layer", "all"]),
        layers=some_layers(original),
    )
    binary = st.builds(Binarize, layers=some_layers(original))
    mixtures = [[*pruned, *quantized], [*pruned, shared], [*quantized, binary]]
    return st.one_of(
        *(st.lists(st.one_of(*mixture, *others), max_size=4).map(tuple) for mixture in mixtures)
    )


def some_layers(original: Original) -> st.SearchStrategy[tuple[str, ...]]:
    return st.sampled_from([("*",), *((name,) for name in original.layers)])


def seen_layers(original: Original) -> list[str]:
    """The layers whose inputs can be calibrated on."""

    def is_seen(name: str) -> bool:
        try:
            return original.calibrate(8).moments(name) is not None
        except ValueError:
            return False

    return [name for name in original.layers if is_seen(name)]


def prune_steps(original: Original) -> list[st.SearchStrategy[AnyStep]]:
    layers, sparsity = some_layers(original), st.floats(0, 0.99)
    scopes = st.sampled_from(["global", "layer"])
    steps: list[st.SearchStrategy[AnyStep]] = [
        st.builds(Prune, sparsity=sparsity, scope=scopes, layers=layers),
        st.builds(Prune, threshold=st.floats(0, 1), layers=layers),
        st.builds(Prune, sigmas=st.floats(0, 3), layers=layers),
        st.builds(RandomPrune, sparsity=sparsity, seed=st.integers(0, 9), layers=layers),
        st.builds(PruneNM, n=st.integers(1, 3), m=st.integers(4, 9), layers=layers),
    ]
    scored = st.sampled_from(["global", "layer", "row"])
    for name in seen_layers(original):
        if original.module(original.example).dim() == 2:  # a classifier, whose loss has gradients
            steps.append(st.builds(PruneTaylor, sparsity, scored, st.just(8), layers=just(name)))
        steps.append(st.builds(PruneWanda, sparsity, scored, st.just(8), layers=just(name)))
    return steps


def just(name: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.just((name,))


def quantize_steps(original: Original) -> list[st.SearchStrategy[AnyStep]]:
    layers = some_layers(original)
    granularity = st.sampled_from(["tensor", "channel", "group"])
    affine: dict[str, Any] = {
        "bits": st.sampled_from(BITS),
        "scheme": st.sampled_from(["symmetric", "asymmetric"]),
        "granularity": granularity,
        "clipping": st.sampled_from(["min_max", "percentile", "mse"]),
        "group_size": st.integers(2, 9),
    }
    return [
        st.builds(Quantize, **affine, layers=layers),
        st.builds(
            QuantizeFloat,
            st.sampled_from(list(FORMAT_BITS)),
            granularity,
            st.integers(2, 9),
            layers=layers,
        ),
        st.builds(QuantizeMX, st.sampled_from(list(MX_FORMATS)), layers=layers),
        st.builds(Ternarize, st.floats(0, 0.99), layers=layers),
        *(
            st.builds(QuantizeGPTQ, **affine, samples=st.just(8), layers=just(name))
            for name in seen_layers(original)
        ),
    ]


def input_steps(original: Original) -> list[st.SearchStrategy[AnyStep]]:
    """Biases and inputs of the layers that have some of their own."""
    steps: list[st.SearchStrategy[AnyStep]] = []
    for name in seen_layers(original):
        if untouched(original.layers[name]).bias_key:
            steps.append(st.builds(CorrectBias, st.just(8), layers=just(name)))
        if not original.layers[name].refuses_factors:
            bits, modes = st.integers(4, 8), st.sampled_from(["static", "dynamic"])
            steps.append(
                st.builds(QuantizeActivations, bits, modes, samples=st.just(8), layers=just(name))
            )
    return steps


def factor_steps(original: Original) -> list[st.SearchStrategy[AnyStep]]:
    steps: list[st.SearchStrategy[AnyStep]] = []
    for name, layer in original.layers.items():
        for form in () if layer.refuses_factors else forms_of(layer.shape):
            ranks = st.integers(1, full_rank(layer.shape, form))
            whiten = st.booleans() if form == "channel" else st.just(False)
            steps.append(
                st.builds(
                    Factorize,
                    rank=ranks,
                    form=st.just(form),
                    whiten=whiten,
                    samples=st.just(8),
                    layers=just(name),
                )
            )
    return steps


def base_steps(original: Original) -> list[st.SearchStrategy[AnyStep]]:
    """Steps for the network as a whole, where it has a norm to fold and channels to spare."""
    steps: list[st.SearchStrategy[AnyStep]] = []
    if foldable(original.module, original.example):
        steps.append(st.builds(FoldBatchNorm))
    if has_spare_channels(original):
        importance = st.sampled_from(["l1", "l2", "random"])
        steps.append(st.builds(PruneStructured, st.floats(0, 0.9), importance))
    return steps


def has_spare_channels(original: Original) -> bool:
    try:
        return not all(group.locked for group in coupled_groups(original))
    except ValueError:  # its channels cannot be followed, and it says so
        return False
