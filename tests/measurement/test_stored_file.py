"""A stored file measured: the same numbers as before it was written."""

from dataclasses import replace

import pytest

from compress_core.compressed import compress
from compress_core.data import Dataset
from compress_core.measurement.report import measure
from compress_core.measurement.stored_file import measure_file, stored_layers
from compress_core.original import Original, load_model
from compress_core.recipe import parse_step
from compress_core.storage.container import ContainerError, decode

RECIPES = [
    (),
    ("prune:sparsity=0.8", "quantize:bits=5"),
    ("prune_structured:pruning_ratio=0.4,layers=conv*", "factorize:rank=6,layers=fc1"),
    ("factorize:rank=4,form=tucker,layers=conv2", "share:clusters=9,scope=all"),
    ("factorize:rank=4,form=spatial,layers=conv2", "quantize_float:format=nf4"),
    ("quantize_activations:bits=6", "correct_bias"),
]


@pytest.mark.parametrize("steps", RECIPES, ids=" + ".join)
def test_a_file_is_measured_as_what_was_stored(
    digits_cnn: Original, digits: Dataset, steps: tuple[str, ...]
) -> None:
    compressed = compress(digits_cnn, tuple(map(parse_step, steps)))
    data = digits.subset(100)
    assert measure_file(compressed.container, digits_cnn, data) == measure(compressed, data)


def test_noise_is_told_against_the_folded_weights() -> None:
    original = load_model("fashion-cnn")
    compressed = compress(original, (parse_step("fold"), parse_step("quantize:bits=4")))
    found = stored_layers(decode(compressed.container), original)
    expected = {name: stored.sqnr_db for name, stored in compressed.layers.items()}
    assert {name: stored.sqnr_db for name, stored in found.items()} == expected


def test_a_file_without_a_layers_weight_is_refused(digits_cnn: Original) -> None:
    decoded = decode(compress(digits_cnn, ()).container)
    weights = {key: weight for key, weight in decoded.weights.items() if key != "fc2.weight"}
    with pytest.raises(ContainerError, match="the file has no weight of the layer fc2"):
        stored_layers(replace(decoded, weights=weights), digits_cnn)
