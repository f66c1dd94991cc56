"""The rows that everything shows: they add up to the real file."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from compress_core.compressed import compress
from compress_core.data import Dataset
from compress_core.measurement.accuracy import accuracy_of, paired_difference, predicted_classes
from compress_core.measurement.report import Report, measure, measure_size
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune, PruneWanda
from compress_core.methods.quantization import Quantize
from compress_core.original import Original
from compress_core.storage.container import decode
from compress_core.weights import sqnr_db

CHAIN = (Factorize(rank=16, layers=("fc1",)), Prune(sparsity=0.5), Quantize(bits=4))
FIELDS = {
    "model",
    "recipe",
    "original_bytes",
    "stored_bytes",
    "compression_ratio",
    "sparsity",
    "accuracy",
    "metric",
    "metric_unit",
    "accuracy_low",
    "accuracy_high",
    "n",
    "baseline_accuracy",
    "macs",
    "layers",
    "left_out",
}


@pytest.fixture(scope="module")
def report(digits_cnn: Original, digits: Dataset) -> Report:
    return measure(compress(digits_cnn, CHAIN), digits)


def test_the_bytes_add_up_to_the_file(zoo_model: Original) -> None:
    compressed = compress(zoo_model, (Prune(sparsity=0.5), Quantize(bits=4)))
    size = measure_size(compressed)
    streams = sum(row.bytes for row in size.layers)
    assert size.stored_bytes == len(compressed.container)
    assert sum(decode(compressed.container).parts.values()) == streams + size.rest_bytes
    assert streams + size.rest_bytes + size.header_bytes == size.stored_bytes


def test_the_ratio_is_original_over_stored_bytes(report: Report, digits_cnn: Original) -> None:
    assert report.size.original_bytes == digits_cnn.stored_bytes
    assert report.size.compression_ratio == digits_cnn.stored_bytes / report.size.stored_bytes


def test_sparsity_counts_the_zeros_in_the_file(report: Report, digits_cnn: Original) -> None:
    decoded = decode(compress(digits_cnn, CHAIN).container)
    weights = [weight.values for weight in decoded.weights.values()]
    zeros = sum(int((values == 0).sum()) for values in weights)
    assert report.size.sparsity == pytest.approx(zeros / sum(v.numel() for v in weights))


def test_pruning_half_is_half_sparsity(digits_cnn: Original) -> None:
    assert measure_size(compress(digits_cnn, (Prune(sparsity=0.5),))).sparsity == 0.5


def test_a_row_describes_its_layer(report: Report, digits_cnn: Original) -> None:
    row = next(row for row in report.size.layers if row.name == "fc1")
    stored = compress(digits_cnn, CHAIN).layers["fc1"]
    assert (row.shape, row.bits, row.rank) == ((64, 512), 4, 16)
    assert row.parameters == 16 * (64 + 512)
    assert row.original_bytes == 4 * 64 * 512
    assert row.sqnr_db == sqnr_db(stored.layer.weight, stored.dense)
    assert row.macs == 16 * (64 + 512)


def test_an_untouched_layer_is_exact_and_dense(digits_cnn: Original) -> None:
    for row in measure_size(compress(digits_cnn, ())).layers:
        assert (row.sqnr_db, row.bits, row.rank) == (None, 32, None)
        assert row.encodings == ("dense",)
        assert row.bytes == row.original_bytes


def test_a_smaller_layer_is_measured_against_the_original(
    digits_mlp: Original, halving: type[Any]
) -> None:
    size = measure_size(compress(digits_mlp, (halving(), Quantize(bits=4))))
    fc1, fc2, fc3 = size.layers
    assert (fc1.shape, fc1.original_shape) == ((150, 64), (300, 64))
    assert fc1.original_bytes == 4 * 300 * 64
    assert fc1.parameters == 150 * 64
    assert fc1.sqnr_db is None  # what was removed has no noise
    assert fc2.sqnr_db is None
    assert fc3.sqnr_db is not None
    assert size.original_bytes == digits_mlp.stored_bytes
    assert size.macs == 150 * 64 + 100 * 150 + 1000
    assert size.original_macs == 300 * 64 + 100 * 300 + 1000


def test_macs_of_the_original_stand_beside(report: Report) -> None:
    assert report.size.original_macs == 9_216 + 294_912 + 32_768 + 640
    assert report.size.macs == 9_216 + 294_912 + 16 * (64 + 512) + 640


def test_accuracy_and_change_are_those_of_the_same_images(
    report: Report, digits_cnn: Original, digits: Dataset
) -> None:
    before = predicted_classes(digits_cnn.module, digits)
    after = predicted_classes(compress(digits_cnn, CHAIN).module, digits)
    assert report.accuracy == accuracy_of(after, digits)
    assert report.baseline.as_accuracy() == accuracy_of(before, digits)
    assert report.change == paired_difference(before, after, digits)


def test_a_baseline_at_hand_is_not_computed_again(digits_cnn: Original, digits: Dataset) -> None:
    baseline: Tensor = torch.full((600,), -1)
    found = measure(compress(digits_cnn, ()), digits, baseline=baseline)
    assert found.baseline.value == 0
    assert found.change.difference == found.accuracy.accuracy


def test_the_dictionary_has_every_field_and_is_json(report: Report) -> None:
    row = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert set(row) >= FIELDS
    layer_fields = {"name", "shape", "sparsity", "bits", "rank", "bytes", "sqnr_db"}
    assert all(set(layer) >= layer_fields for layer in row["layers"])
    assert row["model"] == "digits-cnn"


def test_the_dictionary_is_a_copy(report: Report) -> None:
    report.as_dict()["layers"][0]["name"] = "changed"
    assert report.size.layers[0].name == "conv1"


def test_measuring_writes_to_nothing(
    animal: Callable[[str], Original], digits_cnn: Original, digits: Dataset
) -> None:
    before = {key: value.clone() for key, value in digits_cnn.module.state_dict().items()}
    measure(compress(digits_cnn, CHAIN), digits)
    measure_size(compress(animal("norm"), (Quantize(),)))
    after = digits_cnn.module.state_dict()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert not digits_cnn.module.training


def test_the_layers_that_a_step_left_out_are_told_with_the_reason(
    digits_cnn: Original, digits: Dataset
) -> None:
    recipe = (Factorize(rank=4, layers=("fc1",)), PruneWanda(sparsity=0.5, samples=64))
    told = measure(compress(digits_cnn, recipe), digits.subset(20)).as_dict()["left_out"]
    assert [(out["step"], out["layer"]) for out in told] == [
        ("prune_wanda:sparsity=0.5,samples=64", "fc1")
    ]
    assert "factorized to rank 4" in told[0]["reason"]
