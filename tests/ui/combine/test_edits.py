"""Edits of the combine table: a layer's own step, by the method that it has."""

import pytest

from compress_core import Factorize, Prune, Quantize, Recipe
from compress_core.methods.pruning import PruneNM, PruneTaylor, PruneWanda, RandomPrune
from compress_core.methods.quantization import (
    Binarize,
    QuantizeFloat,
    QuantizeGPTQ,
    QuantizeMX,
    Ternarize,
)
from compress_core.methods.structured import PruneStructured
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.recipe_edit import with_layer_step
from compress_core.steps import AnyStep
from ui.combine.edits import BITS, CHANNELS, CLUSTERS, PRUNE, RANK, Cell, edited

SHAPES = {"conv1": (16, 1, 3, 3), "conv2": (32, 16, 3, 3), "fc1": (64, 512), "fc2": (10, 64)}
OTHERS = ("conv1", "conv2", "fc1")
OWN = ("fc2",)


def write(recipe: Recipe, kind: str, layer: str, step: AnyStep | None) -> Recipe:
    return with_layer_step(recipe, kind, layer, step, SHAPES)


def edit(before: Recipe, column: str, value: object, layer: str = "fc2") -> Recipe:
    return edited(before, Cell(layer, column, value), SHAPES, write)


def test_a_sparsity_cell_becomes_an_exception_of_its_layer() -> None:
    recipe = edit((Prune(0.9),), PRUNE, 50.0)
    assert recipe == (Prune(0.9), Prune(0.5, scope="layer", layers=OWN))


@pytest.mark.parametrize(
    ("step", "own"),
    [
        (RandomPrune(0.9, seed=3), RandomPrune(0.5, seed=3, layers=OWN)),
        (PruneTaylor(0.9, samples=64), PruneTaylor(0.5, samples=64, layers=OWN)),
        (PruneWanda(0.9), PruneWanda(0.5, layers=OWN)),
        (PruneNM(2, 4), Prune(0.5, scope="layer", layers=OWN)),
        (Prune(threshold=0.1), Prune(0.5, scope="layer", layers=OWN)),
    ],
)
def test_a_sparsity_cell_keeps_the_method_where_it_has_a_share(step: AnyStep, own: AnyStep) -> None:
    assert edit((step,), PRUNE, 50.0) == (step, own)


@pytest.mark.parametrize(
    ("step", "bits", "own"),
    [
        (Quantize(4, "asymmetric"), 8, Quantize(8, "asymmetric", layers=OWN)),
        (QuantizeGPTQ(4, samples=64), 3, QuantizeGPTQ(3, samples=64, layers=OWN)),
        (QuantizeFloat("fp8_e4m3"), 4, QuantizeFloat("fp4_e2m1", layers=OWN)),
        (QuantizeFloat("nf4"), 4, QuantizeFloat("nf4", layers=OWN)),
        (QuantizeMX("nvfp4"), 4, QuantizeMX("nvfp4", layers=OWN)),
        (QuantizeMX("nvfp4"), 6, QuantizeMX("mxfp6_e2m3", layers=OWN)),
        (QuantizeMX("mxfp4"), 5, Quantize(5, layers=OWN)),
        (QuantizeFloat("fp16"), 5, Quantize(5, layers=OWN)),
        (Binarize(), 1, Binarize(layers=OWN)),
        (Ternarize(), 2, Ternarize(layers=OWN)),
        (Ternarize(), 6, Quantize(6, layers=OWN)),
    ],
)
def test_a_bits_cell_keeps_the_method_where_it_has_such_bits(
    step: AnyStep, bits: int, own: AnyStep
) -> None:
    assert edit((step,), BITS, bits) == (step, own)


def test_32_bits_take_a_layer_out_of_quantization() -> None:
    assert edit((Quantize(bits=4),), BITS, 32) == (Quantize(bits=4, layers=OTHERS),)


def test_a_rank_cell_keeps_form_and_calibration() -> None:
    before = (Factorize(energy=0.9, form="tucker", layers=("conv2",)),)
    (step,) = edit(before, RANK, 7, "conv2")
    assert step == Factorize(rank=7, form="tucker", layers=("conv2",))
    (_, own) = edit((Factorize(budget=0.5, whiten=True, samples=64),), RANK, 7)
    assert own == Factorize(rank=7, whiten=True, samples=64, layers=OWN)


@pytest.mark.parametrize("rank", [None, 10])
def test_no_rank_or_the_full_one_takes_the_factors_away(rank: int | None) -> None:
    assert edit((Factorize(rank=4, layers=OWN),), RANK, rank) == ()


def test_a_channels_cell_keeps_the_importance() -> None:
    before = (PruneStructured(0.5, importance="taylor", floor=4),)
    own = PruneStructured(0.25, importance="taylor", floor=4, layers=OWN)
    assert edit(before, CHANNELS, 25.0) == (*before, own)
    assert edit(before, CHANNELS, 0.0) == (
        PruneStructured(0.5, importance="taylor", floor=4, layers=OTHERS),
    )


def test_clusters_end_a_layers_quantization_and_bits_its_sharing() -> None:
    shared = edit((Quantize(bits=4),), CLUSTERS, 32)
    assert shared == (Quantize(bits=4, layers=OTHERS), ShareWeights(32, layers=OWN))
    assert edit((ShareWeights(16, init="optimal"),), CLUSTERS, 8) == (
        ShareWeights(16, init="optimal"),
        ShareWeights(8, init="optimal", layers=OWN),
    )
    assert edit((ShareWeights(16),), BITS, 6) == (
        ShareWeights(16, layers=OTHERS),
        Quantize(6, layers=OWN),
    )
    assert edit((ShareWeights(16),), CLUSTERS, None) == (ShareWeights(16, layers=OTHERS),)
