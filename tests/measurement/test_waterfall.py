"""The waterfall: real files from stage to stage, and a sum that is the stored file."""

from itertools import pairwise

import pytest
import torch

from compress_core import compress
from compress_core.compressed import Compressed
from compress_core.measurement.waterfall import fixed_width_file, waterfall
from compress_core.original import Original
from compress_core.recipe import parse_step
from compress_core.storage.layouts import decode_file

RECIPES = {
    "nothing": "",
    "pruned": "prune:sparsity=0.9",
    "deep compression": "prune:sparsity=0.9;share:clusters=16",
    "the whole chain": "prune_structured:pruning_ratio=0.25;factorize:rank=12,layers=fc1;"
    "prune:sparsity=0.5;quantize:bits=4,layers=conv*;share:clusters=8,layers=fc*",
    "three factors": "factorize:rank=9,form=tucker,layers=conv2;quantize:bits=6",
    "corrected": "quantize_gptq:bits=3;correct_bias;quantize_activations:bits=8",
}


def made(original: Original, text: str) -> Compressed:
    return compress(original, tuple(parse_step(part) for part in text.split(";") if part))


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_the_stages_add_up_to_the_stored_file_to_the_byte(
    digits_cnn: Original, recipe: str
) -> None:
    compressed = made(digits_cnn, recipe)
    first, *others = waterfall(compressed)
    taken = sum(a.file_bytes - b.file_bytes for a, b in pairwise([first, *others]))
    assert first.file_bytes == digits_cnn.stored_bytes
    assert first.file_bytes - taken == len(compressed.container)


def test_the_stages_stand_in_the_order_they_act(digits_cnn: Original) -> None:
    names = [stage.name for stage in waterfall(made(digits_cnn, RECIPES["the whole chain"]))]
    middle = ["structured", "factorize", "prune", "quantize", "share"]
    assert names == ["original", *middle, "encode"]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_file_of_fixed_width_decodes_to_the_weights(digits_cnn: Original, recipe: str) -> None:
    compressed = made(digits_cnn, recipe)
    found = decode_file(fixed_width_file(compressed).raw)
    for stored in compressed.layers.values():
        for key, weight in zip(stored.weight_keys, stored.weights, strict=True):
            assert torch.equal(found[key], weight.values)


def test_zeros_save_nothing_before_they_are_encoded(digits_cnn: Original) -> None:
    original, pruned, encoded = waterfall(made(digits_cnn, "prune:sparsity=0.9"))
    assert pruned.file_bytes == original.file_bytes
    assert encoded.file_bytes < original.file_bytes / 4


def test_four_bits_take_an_eighth_and_their_scales(digits_cnn: Original) -> None:
    _, quantized, _ = waterfall(made(digits_cnn, "quantize:bits=4,granularity=tensor"))
    weights = sum(layer.weight.numel() for layer in digits_cnn.layers.values())
    rest = digits_cnn.stored_bytes - 4 * weights
    assert 0 <= quantized.file_bytes - weights / 2 - rest < 1000  # scales and their header
