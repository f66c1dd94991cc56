"""A stored file runs again: bit for bit what was evaluated, of any network of its architecture."""

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from compress_core import restore
from compress_core.compressed import Compressed, compress
from compress_core.data import Dataset
from compress_core.original import Original, load_model
from compress_core.recipe import Recipe, parse_step
from compress_core.restoring import restore_decoded
from compress_core.restoring.fitting import RestoreError
from compress_core.storage.container import ContainerError, Decoded, decode
from tests.test_pairs import PAIRS, TEXTS, Network, images, network, recipe_of, refusal

__all__ = ["network"]  # a fixture


def untrained(build: Callable[[], nn.Module], seed: int = 99) -> nn.Module:
    """A network of other values, in training mode as a constructor leaves it."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def assert_is_what_was_evaluated(found: nn.Module, compressed: Compressed, inputs: Tensor) -> None:
    state, expected = found.state_dict(), compressed.module.state_dict()
    assert list(state) == list(expected)
    for key, value in expected.items():
        assert state[key].dtype == value.dtype, key
        assert state[key].shape == value.shape, key
        assert state[key].numpy().tobytes() == value.contiguous().numpy().tobytes(), key
    assert not any(part.training for part in found.modules())
    with torch.inference_mode():
        assert torch.equal(found(inputs), compressed.module(inputs))


@pytest.mark.parametrize(
    "names",
    [(), *((name,) for name in TEXTS), *(pair for pair in PAIRS if not refusal(*pair))],
    ids=lambda names: " + ".join(names),
)
def test_every_step_alone_and_beside_every_other_runs_again(
    network: Original, names: tuple[str, ...]
) -> None:
    compressed = compress(network, recipe_of(*names))
    found = restore(compressed.container, untrained(Network))
    assert_is_what_was_evaluated(found, compressed, images())


REFERENCE = {
    "digits-mlp": ["prune_structured:pruning_ratio=0.4", "factorize:rank=3", "quantize:bits=4"],
    "digits-cnn": ["factorize:rank=4,form=spatial,layers=conv2", "share:clusters=8,scope=all"],
    "digits-transformer": [
        "prune_structured:pruning_ratio=0.5,importance=l1",
        "factorize:energy=0.8,layers=blocks.*.qkv|blocks.*.fc*",
        "quantize_float:format=nf4",
        "quantize_activations:mode=dynamic,layers=blocks.*.fc1|head",
    ],
    "mnist-lenet-5": ["factorize:rank=9,form=tucker,layers=conv2", "prune:sparsity=0.9"],
    "fashion-cnn": ["fold", "prune_structured:pruning_ratio=0.3,layers=conv*", "quantize:bits=5"],
}


@pytest.mark.parametrize("name", REFERENCE)
def test_a_reference_network_is_found_by_its_name(name: str, tmp_path: Path) -> None:
    original = load_model(name)
    compressed = compress(original, tuple(map(parse_step, REFERENCE[name])))
    file = tmp_path / "stored.safetensors"
    file.write_bytes(compressed.container)
    inputs = torch.rand(5, *original.input_shape, generator=torch.Generator().manual_seed(0))
    assert_is_what_was_evaluated(restore(file), compressed, inputs)
    assert_is_what_was_evaluated(restore(str(file)), compressed, inputs)


def test_heads_that_left_stay_away() -> None:
    step = parse_step("prune_structured:pruning_ratio=0.5,layers=blocks.0.attention.qkv")
    found = restore(compress(load_model("digits-transformer"), (step,)).container)
    assert found.get_submodule("blocks.0.attention").heads == 2
    assert found.get_submodule("blocks.1.attention").heads == 4


class Norms(nn.Module):
    """Norms with and without parameters behind grouped, depthwise and transposed convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3, bias=False)
        self.norm1 = nn.BatchNorm2d(8, affine=False)
        self.depthwise = nn.Conv2d(8, 8, 3, groups=8, padding=1)
        self.norm2 = nn.BatchNorm2d(8)
        self.last = nn.Conv2d(8, 6, 1)
        self.kept = nn.BatchNorm2d(6, track_running_stats=False)
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm1(self.first(x)))
        x = torch.relu(self.norm2(self.depthwise(x)))
        out: Tensor = self.head(self.kept(self.last(x)).mean((2, 3)))
        return out


class Buffers(nn.Module):
    """Buffers of other types, one that is empty until it is set, one that is not stored."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)
        self.register_buffer("steps", torch.randint(9, (), dtype=torch.int64))
        self.register_buffer("mask", torch.rand(4) > 0.5)
        self.register_buffer("table", torch.randn(3, dtype=torch.float64))
        self.register_buffer("nothing", torch.zeros(0, 2))
        self.register_buffer("later", None)
        self.register_buffer("scale", torch.arange(4.0), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(x * self.mask * self.scale)
        return out


class BufferOfABias(nn.Module):
    """A buffer that is the bias itself, and another name for the weight."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)
        self.head = nn.Linear(3, 2)
        self.again = self.fc.weight
        self.register_buffer("bias", self.fc.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.nn.functional.linear(x, self.again, self.bias)
        out: Tensor = self.head(torch.relu(self.fc(x[:, [0, 1, 2, 0]])) + x)
        return out


class Colons(nn.Module):
    """Names with the file's own sign in them."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({"a:b": nn.Linear(4, 4), "a": nn.Linear(4, 3)})
        self.register_buffer("x:y", torch.rand(4))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.parts["a"](self.parts["a:b"](x) + self.get_buffer("x:y"))
        return out


OWN: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], list[str]]] = {
    "norms folded": (Norms, (3, 6, 6), ["fold", "quantize:bits=4"]),
    "depthwise cut": (Norms, (3, 6, 6), ["prune_structured:pruning_ratio=0.5"]),
    "folded and cut": (Norms, (3, 6, 6), ["fold", "prune_structured:pruning_ratio=0.5"]),
    "buffers": (Buffers, (4,), ["prune:sparsity=0.5"]),
    "shared bias and weight": (BufferOfABias, (4,), ["quantize:bits=4"]),
    "colons": (Colons, (4,), ["factorize:rank=1,layers=parts.a", "share:clusters=3"]),
    "one layer alone": (lambda: nn.Linear(4, 3), (4,), ["quantize:bits=3"]),
    "its rounded inputs": (lambda: nn.Linear(4, 3), (4,), ["quantize_activations:mode=dynamic"]),
    "its folded norm": (
        lambda: nn.Sequential(nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3)),
        (4,),
        ["fold"],
    ),
}


def original_of(build: Callable[[], nn.Module], shape: tuple[int, ...]) -> Original:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = build().eval()
        for part in module.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.track_running_stats:
                part.running_mean.uniform_(-0.5, 0.5)
                part.running_var.uniform_(0.5, 2)
        inputs = torch.rand(12, *shape)
    data = Dataset("noise", "train", inputs, torch.arange(12) % 2, ("a", "b"))
    return Original(module, shape, name="own", calibration=data)


@pytest.mark.parametrize("name", OWN)
def test_an_own_network_runs_again(name: str) -> None:
    build, shape, steps = OWN[name]
    compressed = compress(original_of(build, shape), tuple(map(parse_step, steps)))
    inputs = torch.rand(5, *shape, generator=torch.Generator().manual_seed(1))
    found = restore(compressed.container, untrained(build))
    assert_is_what_was_evaluated(found, compressed, inputs)


ZOO_RECIPES: list[Recipe] = [(), (parse_step("prune:sparsity=0.5"), parse_step("quantize:bits=5"))]


@pytest.mark.parametrize("recipe", ZOO_RECIPES, ids=["untouched", "pruned and quantized"])
def test_every_animal_of_the_zoo_runs_again(zoo_model: Original, recipe: Recipe) -> None:
    compressed = compress(zoo_model, recipe)
    other = copy.deepcopy(zoo_model.module).train()
    for parameter in other.parameters():
        parameter.data = torch.full_like(parameter, torch.nan)
    inputs = torch.rand(5, *zoo_model.input_shape, generator=torch.Generator().manual_seed(1))
    assert_is_what_was_evaluated(restore(compressed.container, other), compressed, inputs)


def test_tied_tensors_are_one_tensor_again() -> None:
    compressed = compress(original_of(BufferOfABias, (4,)), (parse_step("quantize:bits=4"),))
    found = restore(compressed.container, untrained(BufferOfABias))
    assert found.again is found.fc.weight


def test_a_buffer_that_the_file_ties_to_a_parameter_is_that_parameter() -> None:
    compressed = compress(original_of(BufferOfABias, (4,)), ())
    assert ("bias", ("fc.bias",)) in compressed.tied.items()
    found = restore(compressed.container, untrained(BufferOfABias))
    assert found.get_buffer("bias") is found.fc.bias


def test_neither_the_network_nor_the_random_numbers_are_touched() -> None:
    compressed = compress(original_of(Norms, (3, 6, 6)), (parse_step("fold"),))
    reference = compress(load_model("digits-mlp"), ()).container
    network = untrained(Norms)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    with torch.random.fork_rng():
        torch.manual_seed(3)
        expected = torch.rand(1)
        torch.manual_seed(3)
        found = restore(compressed.container, network)
        restore(reference)
        assert torch.equal(torch.rand(1), expected)
    found.get_submodule("head").bias.fill_(7)
    assert all(part.training for part in network.modules())
    assert all(torch.equal(before[key], t) for key, t in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_two_restored_networks_share_nothing() -> None:
    raw = compress(load_model("digits-mlp"), (parse_step("share:clusters=4,scope=all"),)).container
    first, second = restore(raw), restore(raw)
    addresses = [{p.data_ptr() for p in found.parameters()} for found in (first, second)]
    assert not addresses[0] & addresses[1]


def test_a_network_without_values_is_enough_where_the_file_has_all() -> None:
    compressed = compress(original_of(Norms, (3, 6, 6)), (parse_step("prune:sparsity=0.5"),))
    with torch.device("meta"):
        network = Norms()
    inputs = torch.rand(2, 3, 6, 6)
    assert_is_what_was_evaluated(restore(compressed.container, network), compressed, inputs)


def test_a_buffer_that_no_file_holds_must_have_values() -> None:
    compressed = compress(original_of(Buffers, (4,)), ())
    with torch.device("meta"):
        network = Buffers()
    with pytest.raises(RestoreError, match=r"scale is not persistent.*build it on the CPU"):
        restore(compressed.container, network)


class Wider(Network):
    def __init__(self) -> None:
        super().__init__()
        self.fc2 = nn.Linear(12, 5)


class Longer(Network):
    def __init__(self) -> None:
        super().__init__()
        self.fc3 = nn.Linear(4, 4)


class Shorter(Network):
    def __init__(self) -> None:
        super().__init__()
        del self.fc2


class Lazy(Network):
    def __init__(self) -> None:
        super().__init__()
        self.fc2 = nn.LazyLinear(4)


@pytest.mark.parametrize("step", [None, "quantize:bits=4", "fold", "factorize:rank=3"])
@pytest.mark.parametrize(
    ("build", "words"),
    [
        (Wider, r"fc2.*\(5, 12\)|fc2 has factors of \(3, 12\), \(4, 3\)"),
        (Longer, r"the file has no fc3\.weight; the file has no fc3\.bias"),
        (Shorter, r"the network has no fc2\."),
        (Lazy, r"fc2.weight of the network has no shape yet; run it once before"),
    ],
)
def test_another_architecture_is_refused_and_what_differs_is_named(
    network: Original, build: Callable[[], nn.Module], words: str, step: str | None
) -> None:
    compressed = compress(network, (parse_step(step),) if step else ())
    with pytest.raises(RestoreError, match=words):
        restore(compressed.container, build())


class Narrower(Network):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(72, 3), nn.Linear(3, 4)


@pytest.mark.parametrize("build", [Narrower, Longer, Shorter])
def test_another_architecture_is_refused_where_channels_were_cut(
    network: Original, build: Callable[[], nn.Module]
) -> None:
    compressed = compress(network, recipe_of("channels"))
    with pytest.raises(RestoreError, match=r"another architecture than 'network'.*fc[23]"):
        restore(compressed.container, build())


def test_the_norms_of_a_file_that_folded_none_must_be_there(network: Original) -> None:
    other = untrained(Network)
    other.norm1 = nn.Identity()
    with pytest.raises(RestoreError, match=r"the network has no norm1\..* and 2 more"):
        restore(compress(network, ()).container, other)


def test_the_file_of_an_own_network_asks_for_it(network: Original) -> None:
    words = r"made of 'network', which is none of the reference networks.*restore\(file, network\)"
    with pytest.raises(RestoreError, match=words):
        restore(compress(network, ()).container)


def test_what_is_no_module_is_refused(network: Original) -> None:
    with pytest.raises(RestoreError, match=r"network is a Original, no torch\.nn\.Module"):
        restore(compress(network, ()).container, network)


def test_a_damaged_file_is_refused_by_name(network: Original, tmp_path: Path) -> None:
    file = tmp_path / "damaged.safetensors"
    file.write_bytes(compress(network, ()).container[:-1])
    with pytest.raises(ContainerError, match=r"damaged\.safetensors: .*truncated or damaged"):
        restore(file, untrained(Network))


def changed(compressed: Compressed, **fields: Any) -> Decoded:
    return replace(decode(compressed.container), **fields)


def test_a_recipe_of_another_release_is_refused(network: Original) -> None:
    recipe = {"version": 1, "steps": [{"step": "shrink"}]}
    with pytest.raises(ContainerError, match="recipe cannot be read: unknown step 'shrink'"):
        restore_decoded(changed(compress(network, ()), recipe=recipe), untrained(Network))


def test_a_file_that_does_not_tell_whose_inputs_are_rounded_is_refused(network: Original) -> None:
    decoded = changed(compress(network, recipe_of("dynamic inputs")), inputs={})
    with pytest.raises(ContainerError, match="does not tell which layers' inputs are rounded"):
        restore_decoded(decoded, untrained(Network))


def test_rounded_inputs_of_an_absent_layer_are_refused(network: Original) -> None:
    decoded = changed(compress(network, recipe_of("dynamic inputs")), inputs={"fc9": 8})
    with pytest.raises(RestoreError, match="rounds inputs of fc9, which the network does not have"):
        restore_decoded(decoded, untrained(Network))


def test_half_of_a_static_range_is_refused(network: Original) -> None:
    decoded = decode(compress(network, recipe_of("inputs")).container)
    rest = {key: t for key, t in decoded.rest.items() if key != "fc1.input_zero_point"}
    with pytest.raises(ContainerError, match="fc1 has an input_scale or an input_zero_point alone"):
        restore_decoded(replace(decoded, rest=rest), untrained(Network))
