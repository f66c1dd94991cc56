"""Profiles of ranks and budgets: at their knots the core's own numbers."""

import numpy as np
import pytest

from compress_core import Factorize, compress
from compress_core.measurement.report import LayerRow, measure_size
from compress_core.methods.low_rank import Form, decompose, energy_curve, forms_of, ranks_at
from compress_core.original import Original
from compress_core.views.ranks import (
    PartCost,
    budget_profiles,
    least_budget,
    rank_profile,
    singular_values,
)


def measured(original: Original, step: Factorize) -> dict[str, LayerRow]:
    return {row.name: row for row in measure_size(compress(original, (step,))).layers}


@pytest.mark.parametrize("form", ["channel", "spatial", "tucker"])
def test_weights_macs_and_energy_at_a_rank_are_those_of_the_core(
    digits_cnn: Original, form: Form
) -> None:
    found = decompose(digits_cnn.layers["conv2"], form)
    profile = rank_profile(digits_cnn, found)
    for i in (0, len(profile.ranks) // 2, len(profile.ranks) - 1):
        rank = int(profile.ranks[i])
        row = measured(digits_cnn, Factorize(rank=rank, form=form, layers=("conv2",)))["conv2"]
        assert (profile.counts[i], profile.macs[i]) == (row.parameters, row.macs)
        assert profile.inner[i] == row.ranks[0]
        kept = found.kept(ranks_at(found.layer.shape, rank, form))
        assert profile.energies[i] == pytest.approx(kept, rel=1e-6)


def test_a_profile_ends_at_the_full_rank_and_all_energy(digits_cnn: Original) -> None:
    for layer in digits_cnn.layers.values():
        for form in forms_of(layer.shape):
            profile = rank_profile(digits_cnn, decompose(layer, form))
            assert profile.ranks[-1] == profile.full
            assert profile.energies[-1] == pytest.approx(1)


def test_singular_values_are_numpys_up_to_a_factor(digits_cnn: Original) -> None:
    layer = digits_cnn.layers["fc1"]
    exact = np.linalg.svd(layer.weight.double().numpy(), compute_uv=False)
    found = singular_values(decompose(layer))
    assert found / found[0] == pytest.approx(exact / exact[0], rel=1e-5, abs=1e-6)
    assert np.cumsum(found**2) == pytest.approx(energy_curve(exact), rel=1e-5)


def test_a_part_costs_its_weights_times_its_positions() -> None:
    cost = PartCost((10, 30, 5), (2, 5))
    assert cost.macs((2, 5)) == 45
    assert cost.macs((4, 5)) == 20 + 60 + 5
    assert cost.macs((2, 1)) == 10 + 6 + 1


def test_a_budget_is_spent_as_the_core_spends_it(digits_cnn: Original) -> None:
    group = {name: decompose(layer) for name, layer in digits_cnn.layers.items()}
    profiles = {profile.name: profile for profile in budget_profiles([group])}
    budgets = next(iter(profiles.values())).budgets
    for i in (0, 20, 40):
        rows = measured(digits_cnn, Factorize(budget=float(budgets[i])))
        assert {n: int(p.counts[i]) for n, p in profiles.items()} == {
            name: row.parameters for name, row in rows.items()
        }
        assert {n: int(p.ranks[i]) for n, p in profiles.items()} == {
            name: row.rank or 0 for name, row in rows.items()
        }


def test_the_whole_budget_leaves_every_layer_as_it_is(digits_cnn: Original) -> None:
    group = {name: decompose(layer) for name, layer in digits_cnn.layers.items()}
    for profile in budget_profiles([group]):
        assert profile.ranks[-1] == 0
        assert profile.counts[-1] == profile.weights
        assert profile.energies[-1] == 1


def test_the_least_budget_can_be_spent_and_no_smaller_one(digits_cnn: Original) -> None:
    group = {name: decompose(layer) for name, layer in digits_cnn.layers.items()}
    least = least_budget(group)
    compress(digits_cnn, (Factorize(budget=least),))
    with pytest.raises(ValueError, match="thinnest"):
        compress(digits_cnn, (Factorize(budget=least - 2e-4),))
