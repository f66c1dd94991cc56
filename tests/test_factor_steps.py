"""The steps that factorize a whole model, by the shapes of its layers and by hand."""

import torch
from torch import nn

from compress_core import Factorize, Original, Prune
from compress_core.factor_steps import (
    able,
    form_in_use,
    grouped,
    possible_forms,
    whole_groups,
    whole_step,
    with_whole,
)


def network() -> Original:
    """A kernel, a convolution in groups, which cannot run as factors, and a matrix."""
    with torch.random.fork_rng():
        parts = [nn.Conv2d(2, 4, 3), nn.Conv2d(4, 4, 3, groups=4), nn.Flatten(), nn.Linear(64, 5)]
        return Original(nn.Sequential(*parts).eval(), (2, 8, 8))


LAYERS = network().layers
ABLE = ("0", "3")


def test_a_convolution_in_groups_cannot_run_as_factors() -> None:
    assert tuple(able(LAYERS)) == ABLE


def test_a_matrix_has_one_form_and_a_kernel_all() -> None:
    assert possible_forms(LAYERS, ["3"]) == {"channel"}
    assert possible_forms(LAYERS, ["0", "3"]) == {"channel", "spatial", "tucker"}


def test_what_has_no_kernel_becomes_a_pair() -> None:
    assert whole_groups(LAYERS, "tucker") == [("channel", ABLE), ("tucker", ("0",))]
    assert grouped(LAYERS, "tucker") == [("channel", ("3",)), ("tucker", ("0",))]


def test_the_whole_models_step_goes_before_exceptions_and_replaces_the_one_before() -> None:
    own = Factorize(rank=2, layers=("3",))
    recipe = with_whole((Prune(0.5), own), LAYERS, Factorize(energy=0.9, form="tucker"))
    pair = Factorize(energy=0.9, layers=ABLE)
    kernel = Factorize(energy=0.9, form="tucker", layers=("0",))
    assert recipe == (Prune(0.5), pair, kernel, own)
    assert with_whole(recipe, LAYERS, None) == (Prune(0.5), own)
    assert whole_step(recipe, LAYERS) == pair
    assert form_in_use(recipe, LAYERS) == "tucker"


def test_without_a_step_for_the_whole_model_no_form_is_in_use() -> None:
    assert form_in_use((Factorize(rank=2, layers=("3",)),), LAYERS) is None
