"""From a step to ranks: each form, each way to choose, and every refusal in words."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from compress_core.methods.low_rank import (
    FORMS,
    Decomposition,
    Factorize,
    Form,
    break_even_rank,
    decompose,
    factor_pair,
    forms_of,
    full_rank,
    join,
    join_spatial,
    join_tucker,
    largest_rank,
    parameter_count,
    plan_ranks,
    ranks_at,
    spatial_pair,
    tucker_triple,
    worthwhile_rank,
)
from compress_core.original import Original
from compress_core.weights import Layer, walk_layers

JOINS: dict[Form, Callable[..., Tensor]] = {
    "channel": join,
    "spatial": join_spatial,
    "tucker": join_tucker,
}
BUILDERS: dict[Form, Callable[..., nn.Sequential]] = {
    "channel": factor_pair,
    "spatial": spatial_pair,
    "tucker": tucker_triple,
}


def conv(*, out: int = 12, channels: int = 6) -> Layer:
    generator = torch.Generator().manual_seed(0)
    module = nn.Conv2d(channels, out, 3)
    module.weight.data = torch.randn(out, channels, 3, 3, generator=generator)
    return walk_layers(nn.Sequential(module))["0"]


def decompositions(original: Original) -> dict[str, Decomposition]:
    """Each layer in the last form that it can take."""
    return {
        name: decompose(layer, forms_of(layer.shape)[-1]) for name, layer in original.layers.items()
    }


@pytest.mark.parametrize("form", FORMS)
def test_without_settings_the_rank_is_break_even(form: Form) -> None:
    layer = conv()
    plan = plan_ranks(Factorize(form=form), {"conv": decompose(layer, form)})
    assert plan == {"conv": ranks_at(layer.shape, break_even_rank(layer.shape, form), form)}
    count = sum(part.numel() for part in decompose(layer, form).split(plan["conv"] or ()))
    assert count <= layer.weight.numel()


def cheapest_keeping(energy: float, decomposition: Decomposition) -> int:
    """Weights of the thinnest factors that keep the energy."""
    options = decomposition.options
    return int(min(options.counts[options.kept >= min(energy, 1 - 1e-12)]))


@pytest.mark.parametrize("form", FORMS)
@given(energy=st.floats(0.05, 1))
def test_the_energy_is_kept_with_the_fewest_weights(form: Form, energy: float) -> None:
    layer = conv()
    decomposition = decompose(layer, form)
    ranks = plan_ranks(Factorize(energy=energy, form=form), {"conv": decomposition})["conv"]
    if ranks is None:
        assert cheapest_keeping(energy, decomposition) >= layer.weight.numel()
        return
    fitted = JOINS[form](*decomposition.split(ranks))
    kept = 1 - float((layer.weight - fitted).square().sum() / layer.weight.square().sum())
    assert kept >= energy - 1e-5
    cheaper = [
        other
        for other in decomposition.options.ranks
        if other
        and parameter_count(layer.shape, other, form) < parameter_count(layer.shape, ranks, form)
    ]
    assert all(decomposition.kept(other) < energy for other in cheaper)


def test_a_tucker_layer_offers_the_best_of_all_pairs_of_ranks() -> None:
    layer = conv()
    decomposition = decompose(layer, "tucker")
    options = decomposition.options
    everything = [(r_in, r_out) for r_in in range(1, 7) for r_out in range(1, 13)]
    for ranks, count, kept in zip(options.ranks, options.counts, options.kept, strict=True):
        assert ranks is not None
        assert parameter_count(layer.shape, ranks, "tucker") == count
        fitting = (r for r in everything if parameter_count(layer.shape, r, "tucker") <= count)
        assert kept == max(decomposition.kept(r) for r in fitting)


@pytest.mark.parametrize("budget", [0.1, 0.3, 0.7, 1])
def test_a_budget_counts_all_weights_and_none_grows(digits_cnn: Original, budget: float) -> None:
    found = decompositions(digits_cnn)
    plan = plan_ranks(Factorize(budget=budget), found)
    sizes = {name: layer.weight.numel() for name, layer in digits_cnn.layers.items()}
    parts = {name: found[name].split(ranks) for name, ranks in plan.items() if ranks}
    counts = sizes | {name: sum(p.numel() for p in values) for name, values in parts.items()}
    assert sum(counts.values()) <= budget * sum(sizes.values())
    assert all(counts[name] <= sizes[name] for name in counts)


def test_the_whole_budget_changes_nothing(digits_cnn: Original) -> None:
    plan = plan_ranks(Factorize(budget=1.0), decompositions(digits_cnn))
    assert plan == dict.fromkeys(digits_cnn.layers)


def test_a_layer_that_no_rank_makes_smaller_is_left_as_it_is() -> None:
    layer = walk_layers(nn.Sequential(nn.Linear(5, 1)))["0"]
    assert plan_ranks(Factorize(budget=1.0), {"fc": decompose(layer)}) == {"fc": None}


@pytest.mark.parametrize("form", FORMS)
def test_the_parts_fit_into_their_modules(form: Form) -> None:
    layer = conv()
    ranks = ranks_at(layer.shape, 4, form)
    parts = decompose(layer, form).split(ranks)
    modules = BUILDERS[form](nn.Conv2d(6, 12, 3), *ranks)
    assert [module.weight.shape for module in modules] == [part.shape for part in parts]
    assert tuple(part.shape[0] for part in parts[:-1]) == ranks
    assert sum(part.numel() for part in parts) == parameter_count(layer.shape, 4, form)


@pytest.mark.parametrize("form", FORMS)
def test_full_rank_is_exact(form: Form) -> None:
    layer = conv()
    ranks = ranks_at(layer.shape, full_rank(layer.shape, form), form)
    joined = JOINS[form](*decompose(layer, form).split(ranks))
    torch.testing.assert_close(joined, layer.weight, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_more_rank_never_keeps_less(form: Form) -> None:
    layer = conv()
    found = decompose(layer, form)
    ranks = range(1, full_rank(layer.shape, form) + 1)
    curve = [found.kept(ranks_at(layer.shape, rank, form)) for rank in ranks]
    assert curve == sorted(curve)
    assert curve[-1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("module", "form", "forms"),
    [
        (nn.Linear(4, 4), "spatial", "channel"),
        (nn.Linear(4, 4), "tucker", "channel"),
        (nn.Conv1d(4, 4, 3), "spatial", "channel, tucker"),
    ],
)
def test_a_form_that_a_layer_cannot_take_is_refused(
    module: nn.Module, form: Form, forms: str
) -> None:
    layer = walk_layers(nn.Sequential(module))["0"]
    with pytest.raises(ValueError, match=f"0 .* form='{form}'; .* {forms}: use one .*layers="):
        decompose(layer, form)


def test_a_grouped_convolution_is_refused_in_every_form() -> None:
    layer = walk_layers(nn.Sequential(nn.Conv2d(4, 4, 3, groups=2)))["0"]
    for form in FORMS:
        with pytest.raises(ValueError, match=r"cannot run as factors: .* in 2 groups"):
            decompose(layer, form)


def test_a_rank_above_the_full_one_of_its_form_is_refused() -> None:
    rule = r"0 .* has the full rank 18, and rank=19 is above it; use at most 18 \(below 13"
    with pytest.raises(ValueError, match=rule):
        plan_ranks(Factorize(rank=19, form="spatial"), {"conv": decompose(conv(), "spatial")})


def test_zeros_have_no_energy_to_keep() -> None:
    linear = nn.Linear(3, 4)
    linear.weight.data.zero_()
    layer = walk_layers(nn.Sequential(linear))["0"]
    with pytest.raises(ValueError, match=r"0 is all zero .*energy=0.5.*give it a rank="):
        plan_ranks(Factorize(energy=0.5), {"fc": decompose(layer)})


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"budget": 0.0}, ["budget=0", "at least", "0.5 keeps half"]),
        ({"budget": 1.5}, ["budget=1.5", "at most 1", "0.5 keeps half"]),
        ({"rank": 3, "budget": 0.5}, ["rank=3, budget=0.5", "one of them, not 2"]),
        ({"energy": 0.9, "budget": 0.5}, ["energy=0.9, budget=0.5", "one of them"]),
        ({"form": "cp"}, ["form='cp'", "channel, spatial, tucker"]),
        ({"whiten": 1}, ["whiten=1", "False, True"]),
        (
            {"whiten": True, "form": "tucker"},
            ["whiten=True, form='tucker'", "choose form='channel'"],
        ),
        ({"samples": 0}, ["samples=0", "at least 1", "256"]),
    ],
)
def test_a_bad_setting_is_refused(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        Factorize(**settings)


def test_no_rank_of_a_thin_weight_is_worth_it() -> None:
    assert worthwhile_rank((1, 5)) == 0
    assert worthwhile_rank((64, 512)) == 56


def test_a_rank_of_another_form_takes_at_most_as_many_weights() -> None:
    # a pair of (64, 512) has 576 weights a rank
    assert [largest_rank((64, 512), "channel", n) for n in (10, 576, 1727, 1728)] == [1, 1, 2, 3]
