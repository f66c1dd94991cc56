"""A layer with a step of its own: the others stay as they are, to the last weight."""

import pytest
import torch

from compress_core import compress, load_model
from compress_core.compressed import Compressed
from compress_core.own_steps import with_own_step
from compress_core.recipe import format_recipe, parse_recipe, up_to
from compress_core.recipe_edit import with_layer_step

SHARED = [
    ("prune", "prune:sparsity=0.5", "prune:sparsity=0.92,scope=layer"),
    ("prune", "prune_taylor:sparsity=0.7", "prune_taylor:sparsity=0.2,scope=layer"),
    ("prune", "prune:sparsity=0.5", "prune:threshold=0.01"),
    ("factorize", "factorize:budget=0.3", "factorize:rank=12"),
    ("factorize", "factorize:budget=0.7", "factorize:energy=0.5"),
]


@pytest.mark.parametrize(("kind", "shared", "own"), SHARED)
@pytest.mark.parametrize("layer", ["conv2", "fc1"])
def test_the_other_layers_stay_as_they_are(kind: str, shared: str, own: str, layer: str) -> None:
    model, recipe = load_model("digits-cnn"), parse_recipe(f"{shared};quantize:bits=6")
    (step,) = parse_recipe(own)
    before = compress(model, up_to(recipe, kind))
    after = compress(model, with_own_step(recipe, kind, layer, step, before))
    quantized = compress(model, recipe)
    assert not torch.equal(after.layers[layer].dense, quantized.layers[layer].dense)
    for name in model.layers.keys() - {layer}:
        assert torch.equal(after.layers[name].dense, quantized.layers[name].dense)


@pytest.mark.parametrize("importance", ["l2", "random", "taylor"])
@pytest.mark.parametrize("ratio", [0.3, 0.6])
@pytest.mark.parametrize("own", ["prune_structured:pruning_ratio=0.5", None])
def test_the_channels_of_the_other_layers_stay_too(
    importance: str, ratio: float, own: str | None
) -> None:
    text = f"prune_structured:pruning_ratio={ratio},scope=global,importance={importance}"
    model, recipe = load_model("digits-cnn"), parse_recipe(text)
    step = parse_recipe(own)[0] if own else None
    before = compress(model, recipe)
    after = compress(model, with_own_step(recipe, "structured", "conv2", step, before))
    assert channels(after, "conv1") == channels(before, "conv1")
    assert channels(after, "fc1") == channels(before, "fc1")
    assert channels(after, "conv2") != channels(before, "conv2")


def channels(made: Compressed, layer: str) -> list[float]:
    """The biases of a layer: of other channels they are others."""
    values: list[float] = made.module.state_dict()[f"{layer}.bias"].tolist()
    return values


def test_taking_a_layer_out_of_a_global_step_leaves_the_others_too() -> None:
    model, recipe = load_model("digits-cnn"), parse_recipe("prune:sparsity=0.5")
    before = compress(model, recipe)
    after = compress(model, with_own_step(recipe, "prune", "fc1", None, before))
    assert torch.equal(after.layers["fc1"].dense, model.layers["fc1"].weight)
    assert torch.equal(after.layers["conv2"].dense, before.layers["conv2"].dense)


@pytest.mark.parametrize("text", ["prune:sparsity=0.5,scope=layer", "prune:threshold=0.02", ""])
def test_a_step_that_treats_each_layer_alone_is_not_touched(text: str) -> None:
    model, recipe = load_model("digits-cnn"), parse_recipe(text)
    (step,) = parse_recipe("prune:sparsity=0.9,scope=layer")
    found = with_own_step(recipe, "prune", "fc1", step, compress(model, recipe))
    assert found == with_layer_step(recipe, "prune", "fc1", step, model.layers)


def test_the_share_of_the_others_is_what_they_had() -> None:
    model, recipe = load_model("digits-cnn"), parse_recipe("prune:sparsity=0.5")
    (step,) = parse_recipe("prune:sparsity=0.9,scope=layer")
    found = with_own_step(recipe, "prune", "fc1", step, compress(model, recipe))
    (text, _) = format_recipe(found).split(";")
    rows = compress(model, recipe).layers
    others = [stored.dense for name, stored in rows.items() if name != "fc1"]
    zeros, weights = sum(int((w == 0).sum()) for w in others), sum(w.numel() for w in others)
    assert text == f"prune:sparsity={round(zeros / weights, 9)}"
