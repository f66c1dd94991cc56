"""The facts of a report are those that the core measures."""

from datetime import date

import numpy as np
import torch
from torch import nn

from compress_core.compressed import Compressed, compress
from compress_core.data import load_dataset
from compress_core.leaving.report import BINS, FileFacts, report_facts
from compress_core.leaving.script import OwnModel, python_script
from compress_core.measurement.ledger import ledger
from compress_core.measurement.report import measure
from compress_core.measurement.waterfall import waterfall
from compress_core.original import Original
from compress_core.recipe import parse_recipe
from compress_core.search.curves import load_curves

RECIPE = parse_recipe("prune:sparsity=0.9;quantize:bits=4")


def theirs() -> Compressed:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3)).eval()
    return compress(Original(network, (6,), name="theirs"), RECIPE)


def test_they_are_what_was_measured(digits_cnn: Original) -> None:
    compressed = compress(digits_cnn, RECIPE)
    report = measure(compressed, load_dataset("digits"))
    facts = report_facts(compressed, report, day=date(2026, 1, 2))
    assert (facts.title, facts.recipe, facts.day) == ("digits-cnn", RECIPE, date(2026, 1, 2))
    assert (facts.size, facts.score, facts.change) == (report.size, report.score, report.change)
    assert facts.ledger == ledger(compressed)
    assert facts.stages == waterfall(compressed)
    assert facts.script == python_script("digits-cnn", RECIPE)
    assert facts.command == (
        "python -m compress_core measure digits-cnn "
        "--step prune:sparsity=0.9 --step quantize:bits=4"
    )


def test_the_largest_layer_comes_first_and_no_weight_is_left_out(digits_cnn: Original) -> None:
    found = report_facts(compress(digits_cnn, RECIPE)).histograms
    assert [histogram.layer for histogram in found] == ["fc1", "conv2", "fc2", "conv1"]
    fc1 = found[0]
    weight = digits_cnn.layers["fc1"].weight
    assert len(fc1.edges) == BINS + 1
    assert fc1.before.sum() == fc1.after.sum() == weight.numel()
    assert np.array_equal(fc1.before, np.histogram(weight.numpy(), fc1.edges)[0])
    assert fc1.after[BINS // 2] >= 0.9 * weight.numel()  # zeros have the bin in the middle


def test_curves_of_a_reference_network_are_those_that_ship(digits_cnn: Original) -> None:
    curves = report_facts(compress(digits_cnn, ())).curves
    shipped = load_curves("digits-cnn").rows
    assert {"prune", "quantize"} <= curves.keys()
    assert all(shipped[recipe] == row for points in curves.values() for recipe, row in points)


def test_a_network_of_other_people_without_data_has_no_score_and_no_curves() -> None:
    facts = report_facts(theirs())
    assert (facts.score, facts.baseline, facts.change, facts.reason) == (None, None, None, "")
    assert (facts.curves, facts.script, facts.command) == ({}, "", "")


def test_one_that_is_named_on_the_command_line_has_a_script() -> None:
    facts = report_facts(theirs(), own=OwnModel("nets:make"))
    assert 'TrustedModel(model="nets:make")' in facts.script
    assert facts.command == ""


def test_files_and_versions_are_told() -> None:
    files = [FileFacts("theirs.onnx", 1234, latency_ms=0.5)]
    facts = report_facts(theirs(), title="Homework", files=files)
    assert facts.title == "Homework"
    assert facts.files == tuple(files)
    assert facts.versions["torch"] == torch.__version__
