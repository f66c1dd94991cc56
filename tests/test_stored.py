"""Layers as stored: the keys and forms of their weights, and what a table's new row brings."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from compress_core import stored as stored_module
from compress_core.compressed import Act, Compressed
from compress_core.graph import to_onnx
from compress_core.measurement.cost import macs_by_layer
from compress_core.measurement.report import layer_row
from compress_core.methods.low_rank import decompose
from compress_core.methods.quantization import Quantize
from compress_core.network import start
from compress_core.original import Original
from compress_core.storage.container import decode
from compress_core.storage.streams import StoredWeight
from compress_core.stored import StoredLayer, untouched
from compress_core.weights import Profile

PAIR = (torch.ones(2, 64), torch.ones(300, 2))
TRIPLE = (torch.ones(2, 64) / 8, torch.arange(6.0).view(3, 2) / 8, torch.ones(300, 3) / 8)


def build_three(linear: nn.Linear, first: int, second: int) -> nn.Sequential:
    layers = nn.Sequential(
        nn.Linear(linear.in_features, first, bias=False),
        nn.Linear(first, second, bias=False),
        nn.Linear(second, linear.out_features),
    )
    layers[2].bias = linear.bias
    return layers.eval().requires_grad_(False)


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch, digits_mlp: Original) -> StoredLayer:
    """fc1 of the digits' MLP in a form of three factors, which two rows of tables make known."""
    monkeypatch.setitem(stored_module.JOINS, "tucker", lambda a, b, c: c @ b @ a)
    monkeypatch.setitem(stored_module.BUILDERS, "tucker", build_three)
    return untouched(digits_mlp.layers["fc1"]).with_factors("three", "tucker", TRIPLE)


def compressed_with(original: Original, *changed: StoredLayer) -> Compressed:
    """The model as if functions of steps had left these layers."""
    layers = {layer.layer.name: layer for layer in changed}
    before = start(original)
    act = Act(Quantize(), 0, tuple(layers), before, before.with_layers(layers))
    return Compressed(original, (), (act,), ())


def images(original: Original) -> Tensor:
    return torch.rand(4, *original.input_shape, generator=torch.Generator().manual_seed(0))


def run(raw: bytes, inputs: Tensor) -> Tensor:
    import onnxruntime

    session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"images": inputs.numpy()})[0])


def test_an_untouched_layer_is_its_weight(digits_mlp: Original) -> None:
    stored = untouched(digits_mlp.layers["fc1"])
    assert (stored.form, stored.ranks, stored.rank, stored.bits) == ("plain", (), None, 32)
    assert stored.weight_keys == ("fc1.weight",)
    assert stored.dense is digits_mlp.layers["fc1"].weight
    assert stored.sqnr_db is None


def test_a_pair_has_one_rank_and_two_keys(digits_mlp: Original) -> None:
    stored = untouched(digits_mlp.layers["fc1"]).with_factors("pair", "channel", PAIR)
    assert (stored.ranks, stored.rank) == ((2,), 2)
    assert stored.weight_keys == ("fc1.0.weight", "fc1.1.weight")
    assert torch.equal(stored.dense, torch.full((300, 64), 2.0))
    assert stored.key == ("fc1", "pair")


def test_three_factors_have_two_ranks_and_three_keys(three: StoredLayer) -> None:
    assert (three.ranks, three.rank) == ((2, 3), 2)
    assert three.weight_keys == ("fc1.0.weight", "fc1.1.weight", "fc1.2.weight")
    assert torch.equal(three.dense, TRIPLE[2] @ TRIPLE[1] @ TRIPLE[0])


def test_the_parts_are_the_weights_before_they_were_pruned(three: StoredLayer) -> None:
    zeros = tuple(StoredWeight(Profile(torch.zeros_like(f))) for f in TRIPLE)
    pruned = three.with_weights("zeros", zeros)
    assert [part.weight for part in pruned.parts] == list(TRIPLE)
    assert not pruned.dense.any()
    assert pruned.key == ("fc1", "three", "zeros")
    assert pruned.form == "tucker"


def test_three_factors_run_in_the_layers_place(three: StoredLayer, digits_mlp: Original) -> None:
    module = compressed_with(digits_mlp, three).module
    replaced = compressed_with(
        digits_mlp,
        untouched(digits_mlp.layers["fc1"]).with_weights(
            "dense", (StoredWeight(Profile(three.dense)),)
        ),
    ).module
    with torch.inference_mode():
        torch.testing.assert_close(
            module(images(digits_mlp)), replaced(images(digits_mlp)), atol=1e-4, rtol=1e-4
        )


def test_three_factors_come_back_from_the_file(three: StoredLayer, digits_mlp: Original) -> None:
    compressed = compressed_with(digits_mlp, three)
    decoded = decode(compressed.container).state_dict
    state = compressed.module.state_dict()
    assert decoded.keys() == state.keys()
    assert "fc1.2.bias" in decoded
    assert all(torch.equal(decoded[key], value) for key, value in state.items())


def test_macs_of_three_factors_are_added_up(three: StoredLayer, digits_mlp: Original) -> None:
    macs = macs_by_layer(compressed_with(digits_mlp, three).module, digits_mlp)
    assert macs["fc1"] == 64 * 2 + 2 * 3 + 3 * 300


def test_a_row_tells_all_ranks(three: StoredLayer, digits_mlp: Original) -> None:
    row = layer_row(three, digits_mlp.layers["fc1"], 0)
    assert (row.rank, row.ranks) == (2, (2, 3))
    assert row.parameters == 64 * 2 + 2 * 3 + 3 * 300
    assert len(row.encodings) == 3


def test_the_graph_computes_with_three_factors(three: StoredLayer, digits_mlp: Original) -> None:
    import onnx

    compressed = compressed_with(digits_mlp, three)
    raw = to_onnx(compressed)
    with torch.inference_mode():
        expected = compressed.module(images(digits_mlp))
    torch.testing.assert_close(run(raw, images(digits_mlp)), expected, atol=1e-4, rtol=1e-4)
    nodes = {node.name: node for node in onnx.load_from_string(raw).graph.node}
    facts = {prop.key: prop.value for prop in nodes["fc1.2"].metadata_props}
    assert facts["factor"] == "3 of 3"


@pytest.mark.parametrize(
    ("name", "layer", "key"),
    [
        ("no_bias", "fc1", "fc1.bias"),  # it may get one
        ("conv1d", "conv", "conv.bias"),
        ("packed", "attention.in_proj", "attention.in_proj_bias"),
        ("attention", "attention.q_proj", "attention.q_proj.bias"),
        ("packed_cross", "attention.q_proj", None),  # a part of in_proj_bias
        ("words", "embedding", None),
        ("tied", "a", None),
        ("repeated", "a", None),
    ],
)
def test_the_key_of_the_bias(
    animal: Callable[[str], Original], name: str, layer: str, key: str | None
) -> None:
    assert untouched(animal(name).layers[layer]).bias_key == key


def test_the_bias_of_factors_is_the_lasts(three: StoredLayer, digits_mlp: Original) -> None:
    pair = untouched(digits_mlp.layers["fc1"]).with_factors("pair", "channel", PAIR)
    assert pair.bias_key == "fc1.1.bias"
    assert three.bias_key == "fc1.2.bias"


FORMS: dict[str, Callable[[Original], StoredLayer]] = {
    "plain": lambda o: untouched(o.layers["fc1"]),
    "channel": lambda o: untouched(o.layers["fc1"]).with_factors(
        "pair", "channel", decompose(o.layers["fc1"]).split((3,))
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["no_bias", "digits"])
def test_a_replaced_bias_reaches_module_rest_and_file(
    animal: Callable[[str], Original], digits_mlp: Original, form: str, name: str
) -> None:
    original = digits_mlp if name == "digits" else animal(name)
    bias = torch.arange(float(original.layers["fc1"].shape[0])) / 8
    stored = replace(FORMS[form](original), bias=bias)
    compressed = compressed_with(original, stored)
    key = str(stored.bias_key)
    for found in (
        compressed.module.state_dict(),
        compressed.rest,
        decode(compressed.container).state_dict,
    ):
        assert torch.equal(found[key], bias)
    assert decode(compressed.container).state_dict.keys() == compressed.module.state_dict().keys()


@pytest.mark.parametrize("form", FORMS)
def test_a_replaced_bias_reaches_the_graph_and_its_change_too(
    digits_mlp: Original, form: str
) -> None:
    for value in (1.0, 2.0):  # the second finds the structure that the first has exported
        stored = replace(FORMS[form](digits_mlp), bias=torch.full((300,), value))
        compressed = compressed_with(digits_mlp, stored)
        with torch.inference_mode():
            expected = compressed.module(images(digits_mlp))
        found = run(to_onnx(compressed), images(digits_mlp))
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_bias_that_was_not_there_reaches_the_graph(animal: Callable[[str], Original]) -> None:
    original = animal("no_bias")
    plain = compressed_with(original, untouched(original.layers["fc1"]))
    stored = replace(untouched(original.layers["fc1"]), bias=torch.arange(4.0))
    for compressed in (plain, compressed_with(original, stored)):
        with torch.inference_mode():
            expected = compressed.module(images(original))
        torch.testing.assert_close(run(to_onnx(compressed), images(original)), expected)


class Doubled:
    """Inputs that are doubled on their way in, by a factor that the file holds."""

    bits = 8

    def attach(self, module: nn.Module) -> None:
        module.register_buffer("input_factor", torch.tensor(2.0))
        module.register_forward_pre_hook(lambda m, args: (args[0] * m.input_factor, *args[1:]))


@pytest.mark.parametrize("form", FORMS)
def test_what_acts_on_inputs_runs_in_the_module_and_is_stored(
    digits_mlp: Original, form: str
) -> None:
    stored = replace(FORMS[form](digits_mlp), inputs=Doubled())
    compressed = compressed_with(digits_mlp, stored)
    once = compressed_with(digits_mlp, replace(stored, inputs=None))
    with torch.inference_mode():
        # the first layer sees the images themselves
        expected = once.module(2 * images(digits_mlp))
        torch.testing.assert_close(compressed.module(images(digits_mlp)), expected)
    assert decode(compressed.container).rest["fc1.input_factor"] == 2
    assert not any(m._forward_pre_hooks for m in digits_mlp.module.modules())
    assert macs_by_layer(compressed.module, digits_mlp) == macs_by_layer(once.module, digits_mlp)
