"""What a recipe removes, channel by channel: the importances that ranked them, and the reasons."""

import numpy as np
import pytest
import torch

from compress_core import compress, load_model
from compress_core.applying.structured import locked_layers
from compress_core.methods.structured import PruneStructured
from compress_core.original import Original
from compress_core.recipe import Recipe
from compress_core.views.channels import channel_groups

USUAL = PruneStructured(0.0)


def test_the_least_important_channels_go() -> None:
    original = load_model("digits-cnn")
    step = PruneStructured(0.5)
    conv1, *_ = channel_groups(original, (step,), USUAL)
    norms = original.layers["conv1"].weight.flatten(1).double().norm(dim=1).numpy()
    assert np.allclose(conv1.importances, norms)
    assert conv1.kept.sum() == 8
    assert conv1.importances[conv1.kept].min() >= conv1.importances[~conv1.kept].max()
    assert conv1.relative.mean() == pytest.approx(1)
    weight = compress(original, (step,)).base.layers["conv1"].weight
    assert torch.equal(weight, original.layers["conv1"].weight[torch.from_numpy(conv1.kept)])


@pytest.mark.parametrize(
    "recipe",
    [
        (),
        (PruneStructured(0.3),),
        (PruneStructured(0.3), PruneStructured(0.7, importance="l1", layers=("conv2",))),
        (PruneStructured(0.4, scope="global", floor=3), PruneStructured(0.1, layers=("fc1",))),
    ],
)
def test_what_is_kept_is_what_the_compressed_network_has(recipe: Recipe) -> None:
    original = load_model("digits-cnn")
    groups = channel_groups(original, recipe, USUAL)
    left = compress(original, recipe).base.layers
    assert [group.layers for group in groups] == [("conv1",), ("conv2",), ("fc1",)]
    assert [g.kept.sum() for g in groups] == [len(left[g.layers[0]].weight) for g in groups]


def test_an_exception_is_ranked_on_the_network_that_the_others_leave() -> None:
    original = load_model("digits-cnn")
    recipe = (PruneStructured(0.5), PruneStructured(0.25, importance="l1", layers=("conv2",)))
    _, conv2, _ = channel_groups(original, recipe, USUAL)
    left = compress(original, (PruneStructured(0.5, layers=("conv1", "fc1")),)).base
    expected = left.layers["conv2"].weight.flatten(1).double().abs().sum(1).numpy()
    assert np.allclose(conv2.importances, expected)


def test_groups_that_no_step_prunes_are_ranked_as_usual() -> None:
    original = load_model("digits-cnn")
    recipe = (PruneStructured(0.5, layers=("conv1",)),)
    conv1, conv2, _ = channel_groups(original, recipe, PruneStructured(0.0, importance="l1"))
    l1 = original.layers["conv2"].weight.flatten(1).double().abs().sum(1).numpy()
    assert np.allclose(conv2.importances, l1)
    assert conv2.kept.all()
    assert conv1.kept.sum() == 8


def test_units_have_the_name_of_what_they_are() -> None:
    groups = channel_groups(load_model("digits-transformer"), (), USUAL)
    assert [(g.layers[0], g.units, len(g.kept)) for g in groups][:2] == [
        ("blocks.0.attention.qkv", "heads", 4),
        ("blocks.0.fc1", "neurons", 96),
    ]
    assert channel_groups(load_model("digits-cnn"), (), USUAL)[0].units == "filters"


def test_a_floor_that_spares_channels_is_marked() -> None:
    groups = channel_groups(load_model("digits-cnn"), (PruneStructured(0.9, floor=4),), USUAL)
    assert [group.floored for group in groups] == [True, True, False]


def test_each_layer_has_a_group_or_a_reason() -> None:
    original = load_model("digits-transformer")
    free = {name for group in channel_groups(original, (), USUAL) for name in group.layers}
    locked = locked_layers(original)
    assert free | locked.keys() == original.layers.keys()
    assert free.isdisjoint(locked)
    assert "output" in locked["head"]


def test_an_importance_without_its_data_is_refused() -> None:
    bare = load_model("digits-cnn")
    bare = Original(bare.module, bare.input_shape)
    with pytest.raises(ValueError, match="without training data"):
        channel_groups(bare, (), PruneStructured(0.0, importance="taylor"))
