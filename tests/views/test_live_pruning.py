"""Curves for the browser: at their knots they are what the core does."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from compress_core import Quantize, compress, load_model
from compress_core.applying.prune import scores_of
from compress_core.measurement.report import measure_size
from compress_core.methods.pruning import (
    Prune,
    PruneNM,
    PruneTaylor,
    PruneWanda,
    RandomPrune,
    ScoreScope,
)
from compress_core.steps import AnyStep
from compress_core.stored import untouched
from compress_core.views.live_pruning import (
    FALLEN_KNOTS,
    HISTOGRAM_BINS,
    SPARSITY_KNOTS,
    kept_counts,
    pruning_profile,
    score_profile,
)
from compress_core.views.summaries import pruned_layer
from tests.live_bytes import measured_bytes

MODEL = load_model("digits-cnn")
LAYERS = ("conv2", "fc1")


def profile(step: PruneTaylor | PruneWanda, layer: str, codes: Quantize | None = None):
    scores = scores_of(step, layer, MODEL).weight
    measured = measured_bytes(MODEL, (codes,) if codes else (), step) or {}
    stored, by_row = untouched(MODEL.layers[layer]), step.scope == "row"
    return score_profile(stored, scores, by_row=by_row, measured=measured.get(layer))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("sparsity", [0.25, 0.5, 0.9])
@pytest.mark.parametrize(
    "step",
    [PruneTaylor(0.5, scope="layer"), PruneWanda(0.5, scope="layer"), PruneWanda(0.5)],
    ids=lambda step: f"{type(step).__name__} {step.scope}",
)
def test_a_curve_says_at_its_knots_what_the_core_does(
    step: PruneTaylor | PruneWanda, sparsity: float, layer: str
) -> None:
    found = profile(step, layer)
    done = compress(MODEL, (type(step)(sparsity, scope=step.scope),)).layers[layer]
    cut = pruned_layer(done)
    energy = np.interp(cut.sparsity, found.sparsities, found.energies)
    assert 1 - energy == pytest.approx(cut.energy_kept, abs=2e-3)
    at = cut.sparsity * (FALLEN_KNOTS - 1)
    table = found.fallen.reshape(FALLEN_KNOTS, HISTOGRAM_BINS)
    low = int(at)
    fallen = table[low] + (at - low) * (table[low + 1] - table[low])
    kept = found.counts - fallen
    assert np.abs(kept - kept_counts(done)).sum() <= 0.01 * found.weights
    assert (found.columns > 0) == (step.scope == "row")


def real_and_estimated(step: PruneWanda, codes: Quantize | None) -> tuple[int, float]:
    """Bytes of fc1 in the file, and by its curve."""
    found = profile(step, "fc1", codes)
    pruned = pruned_layer(compress(MODEL, (step,)).layers["fc1"]).sparsity
    recipe: tuple[AnyStep, ...] = (step, codes) if codes else (step,)
    (row,) = (r for r in measure_size(compress(MODEL, recipe)).layers if r.name == "fc1")
    return row.bytes, float(np.interp(pruned, SPARSITY_KNOTS[::5], found.byte_counts))


@pytest.mark.parametrize(
    ("codes", "off"),
    [(None, 0.02), (Quantize(bits=4), 0.05), (Quantize(bits=5, scheme="asymmetric"), 0.05)],
)
@pytest.mark.parametrize("scope", ["layer", "row"])
def test_the_bytes_change_as_those_of_the_file(
    codes: Quantize | None, off: float, scope: ScoreScope
) -> None:
    before, after = (real_and_estimated(PruneWanda(s, scope=scope), codes) for s in (0.5, 0.8))
    assert after[1] / before[1] == pytest.approx(after[0] / before[0], rel=off)


def test_the_scores_part_layers_at_one_threshold() -> None:
    step = PruneTaylor(0.8)
    profiles = [profile(step, layer) for layer in MODEL.layers]
    done = compress(MODEL, (step,)).layers
    fallen = {name: pruned_layer(stored).sparsity for name, stored in done.items()}
    finest = next(found for found in profiles if found.name == "fc1")
    threshold = np.interp(fallen["fc1"], finest.sparsities, finest.magnitudes)
    for found in profiles:
        sparsity = np.interp(threshold, found.magnitudes, found.sparsities)
        assert sparsity == pytest.approx(fallen[found.name], abs=0.01)


def test_magnitudes_as_scores_give_the_curves_of_magnitude_pruning() -> None:
    stored = untouched(MODEL.layers["fc1"])
    plain, scored = pruning_profile(stored), score_profile(stored, stored.layer.weight.abs())
    for name in ("sparsities", "magnitudes", "counts", "byte_counts"):
        assert np.array_equal(getattr(plain, name), getattr(scored, name)), name
    assert np.allclose(plain.energies, scored.energies, atol=1e-6)


@pytest.mark.parametrize("step", [Prune(0.5), RandomPrune(0.5), PruneNM(1, 4)])
def test_what_is_left_lies_in_the_bins_of_the_whole(step: AnyStep) -> None:
    done = compress(MODEL, (step,)).layers["fc1"]
    before = pruning_profile(untouched(MODEL.layers["fc1"])).counts
    left = kept_counts(done)
    assert left.sum() == int(done.weights[0].values.count_nonzero())
    assert (left <= before).all()


def test_a_layer_without_weights_above_zero_has_a_profile() -> None:
    layer = replace(MODEL.layers["conv1"], weight=torch.zeros(4, 2, 3, 3))
    found = score_profile(untouched(layer), torch.zeros(4, 2, 3, 3), by_row=True)
    assert np.isfinite(found.energies).all()
    assert found.byte_counts[-1] < found.byte_counts[0] + 1
