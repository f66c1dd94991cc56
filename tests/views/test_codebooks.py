"""What the page of shared weights draws: codebooks, their usage, and errors against the optimum."""

import math

import pytest
import torch

from compress_core import Original, compress, load_model
from compress_core.methods.pruning import Prune
from compress_core.methods.weight_sharing import Shared, ShareWeights
from compress_core.recipe import Recipe
from compress_core.views.codebooks import (
    above,
    above_together,
    before_sharing,
    best_sharing,
    codebook_view,
    compare_owners,
    index_bytes,
    shared_rows,
)


@pytest.fixture(scope="module")
def model() -> Original:
    return load_model("digits-mlp")


def rows_of(model: Original, recipe: Recipe):
    before, after, best = (
        compress(model, steps).layers
        for steps in (before_sharing(recipe), recipe, best_sharing(recipe))
    )
    return shared_rows(before, after, best)


def test_a_row_counts_weights_bits_and_codebook(model: Original) -> None:
    row = rows_of(model, (ShareWeights(clusters=16, layers=("fc1",)),))[0]
    assert (row.name, row.weights, row.entries, row.bits) == ("fc1", 64 * 300, 16, 4)
    assert (row.codebooks, row.codebook_bytes, row.together) == (1, 64, ("fc1",))


def test_the_squared_error_is_that_of_the_weights_that_are_evaluated(model: Original) -> None:
    recipe = (Prune(sparsity=0.5), ShareWeights(clusters=8, layers=("fc1",)))
    pruned = compress(model, recipe[:1]).layers["fc1"].dense.double()
    shared = compress(model, recipe).layers["fc1"].dense.double()
    assert rows_of(model, recipe)[0].sse == pytest.approx(float((pruned - shared).square().sum()))


def test_the_optimal_start_is_no_fraction_above_the_optimum(model: Original) -> None:
    best, linear = (
        rows_of(model, (ShareWeights(clusters=16, init=init),))[0].above_optimum
        for init in ("optimal", "linear")
    )
    assert best == 0
    assert linear is not None
    assert linear > 0


def test_beyond_256_clusters_nothing_is_called_the_optimum(model: Original) -> None:
    row = rows_of(model, (ShareWeights(clusters=300, layers=("fc1",)),))[0]
    assert row.above_optimum is None


@pytest.mark.parametrize(
    ("found", "least", "fraction"), [(3.0, 2.0, 0.5), (2.0, 2.0, 0.0), (0.0, 0.0, 0.0)]
)
def test_errors_above_the_least_are_fractions_of_it(
    found: float, least: float, fraction: float
) -> None:
    assert above(found, least) == fraction


def test_an_error_above_none_is_infinitely_larger() -> None:
    assert math.isinf(above(1.0, 0.0))


def test_a_common_codebook_names_its_layers_and_is_compared_as_one(model: Original) -> None:
    recipe = (ShareWeights(clusters=16, scope="all", init="optimal"),)
    rows = rows_of(model, recipe)
    before, after = compress(model, ()).layers, compress(model, recipe).layers
    assert {row.together for row in rows} == {("fc1", "fc2", "fc3")}
    assert above_together(rows[0].together, before, after, after) == 0
    assert all(row.above_optimum for row in rows)  # a codebook of a layer's own would fit better


def test_the_usage_of_the_entries_adds_up_to_the_weights(model: Original) -> None:
    recipe = (ShareWeights(clusters=16),)
    view = codebook_view(*(compress(model, r).layers["fc1"] for r in ((), recipe)))
    assert (view.usage.sum(), view.counts.sum(), view.zeros) == (64 * 300, 64 * 300, 0)
    assert len(view.codebook) == 16


def test_zeros_with_an_entry_of_their_own_are_left_out_of_the_histogram(model: Original) -> None:
    recipe = (Prune(sparsity=0.75, scope="layer"), ShareWeights(clusters=16))
    view = codebook_view(*(compress(model, r).layers["fc1"] for r in (recipe[:1], recipe)))
    assert (view.zeros, view.counts.sum()) == (14_400, 4_800)
    assert view.usage[view.codebook == 0] == 14_400


def test_a_layer_without_codebook_has_none(model: Original) -> None:
    stored = compress(model, ()).layers["fc1"]
    assert codebook_view(stored, stored).codebook.size == 0


def test_each_owner_counts_its_codebooks_once(model: Original) -> None:
    other = compress(load_model("digits-cnn"), ()).layers
    models = {"mlp": compress(model, ()).layers, "cnn": other}
    found = compare_owners(models, ShareWeights(clusters=16))
    assert [way.owner for way in found] == ["layer", "model", "both"]
    assert [way.codebooks for way in found] == [7, 2, 1]
    assert [way.codebook_bytes for way in found] == [448, 128, 64]


def test_a_common_codebook_has_the_larger_error() -> None:
    models = {name: compress(load_model(name), ()).layers for name in ("digits-mlp", "digits-cnn")}
    found = compare_owners(models, ShareWeights(clusters=16, init="optimal"))
    errors = [sum(way.sse) for way in found]
    assert errors == sorted(errors)
    assert all(way.total_bytes == sum(way.index_bytes) + way.codebook_bytes for way in found)


def test_indices_are_counted_without_their_codebook() -> None:
    codes = Shared(torch.tensor([-1.0, 1.0]), torch.randint(0, 2, (8, 100), dtype=torch.int32))
    assert index_bytes(codes) == 100  # one bit each
