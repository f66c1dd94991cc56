"""Low rank: NumPy's SVD and the theorem of Eckart and Young as oracles."""

import re
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compress_core.compressed import compress
from compress_core.methods.low_rank import (
    Factorize,
    break_even_rank,
    channel,
    decompose,
    energy_curve,
    energy_rank,
    factor_pair,
    full_rank,
    join,
    matrix_shape,
    parameter_count,
    plan_ranks,
)
from compress_core.original import Original
from compress_core.weights import Layer, Profile


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def split(profile: Profile, rank: int) -> tuple[Tensor, Tensor]:
    return channel.split(profile.factors, rank, tuple(profile.weight.shape))


def plan_rank(step: Factorize, layer: Layer) -> int:
    (ranks,) = plan_ranks(step, {"layer": decompose(layer)}).values()
    assert ranks is not None
    return ranks[0]


def one_layer(layer: nn.Module, *input_shape: int) -> Original:
    return Original(nn.Sequential(OrderedDict(layer=layer)).eval(), input_shape)


@pytest.mark.parametrize("shape", [(6, 9), (9, 6), (5, 2, 3), (8, 4, 3, 3)])
@pytest.mark.parametrize("rank", [1, 3])
def test_the_product_of_a_pair_is_numpys_truncated_svd(shape: tuple[int, ...], rank: int) -> None:
    weight = normal(*shape)
    u, s, vt = np.linalg.svd(weight.numpy().reshape(shape[0], -1), full_matrices=False)
    expected = (u[:, :rank] * s[:rank]) @ vt[:rank]
    joined = join(*split(Profile(weight), rank))
    np.testing.assert_allclose(joined.numpy().reshape(shape[0], -1), expected, atol=1e-5)


@pytest.mark.parametrize("rank", [1, 5, 19])
def test_the_error_is_exactly_that_of_eckart_and_young(rank: int) -> None:
    weight = normal(20, 30)
    dropped = np.linalg.svd(weight.double().numpy(), compute_uv=False)[rank:]
    error = torch.linalg.norm(weight - join(*split(Profile(weight), rank)))
    assert float(error) == pytest.approx(np.sqrt(np.square(dropped).sum()), rel=1e-5)


@pytest.mark.parametrize("shape", [(6, 9), (9, 6), (8, 2, 3, 3)])
def test_full_rank_is_exact(shape: tuple[int, ...]) -> None:
    weight = normal(*shape)
    joined = join(*split(Profile(weight), full_rank(shape)))
    torch.testing.assert_close(joined, weight, rtol=1e-5, atol=1e-5)


def test_a_matrix_of_rank_one_needs_no_more() -> None:
    weight = torch.outer(torch.tensor([1.0, -2.0, 3.0]), torch.tensor([4.0, 5.0]))
    torch.testing.assert_close(join(*split(Profile(weight), 1)), weight)


def test_both_factors_carry_the_same_energy() -> None:
    first, second = split(Profile(normal(10, 20)), 4)
    torch.testing.assert_close(torch.linalg.norm(first), torch.linalg.norm(second))


def test_the_factors_of_a_convolution_keep_its_kernel_in_the_first() -> None:
    first, second = split(Profile(normal(8, 4, 3, 5)), 2)
    assert (first.shape, second.shape) == ((2, 4, 3, 5), (8, 2, 1, 1))


def test_break_even_by_hand() -> None:
    assert break_even_rank((300, 784)) == 216  # 300·784 / 1084 = 216.97
    assert parameter_count((300, 784), 216) == 234_144 <= 300 * 784
    assert parameter_count((300, 784), 217) > 300 * 784


def test_break_even_of_a_convolution_counts_its_kernel() -> None:
    assert matrix_shape((32, 16, 3, 3)) == (32, 144)
    assert break_even_rank((32, 16, 3, 3)) == 26  # 4608 / 176 = 26.2


def test_a_thin_layer_still_has_rank_one() -> None:
    assert break_even_rank((1, 5)) == 1


def test_energy_by_hand() -> None:
    spectrum = np.array([2.0, 1.0])
    assert energy_curve(spectrum).tolist() == [0.8, 1.0]
    assert [energy_rank(spectrum, energy) for energy in (0.5, 0.8, 0.81, 1)] == [1, 1, 2, 2]


def test_all_energy_is_kept_by_the_true_rank() -> None:
    weight = normal(6, 2) @ normal(2, 6)
    assert energy_rank(Profile(weight).spectrum, 1.0) == 2


def test_the_energy_of_zeros_is_all_kept() -> None:
    assert energy_curve(np.zeros(3)).tolist() == [1, 1, 1]


def test_the_planned_rank_keeps_the_energy_and_one_less_does_not(digits_cnn: Original) -> None:
    layer = digits_cnn.layers["fc1"]
    rank = plan_rank(Factorize(energy=0.9), layer)
    curve = energy_curve(layer.profile.spectrum)
    assert curve[rank - 2] < 0.9 <= curve[rank - 1]


def test_without_settings_the_rank_is_break_even(digits_cnn: Original) -> None:
    assert plan_rank(Factorize(), digits_cnn.layers["fc1"]) == 56  # 64·512 / 576 = 56.9


CONVOLUTIONS: list[tuple[type[nn.Module], dict[str, Any]]] = [
    (nn.Conv1d, {}),
    (nn.Conv1d, {"stride": 2, "padding": 1, "dilation": 2, "bias": False}),
    (nn.Conv2d, {}),
    (nn.Conv2d, {"stride": 2, "padding": (1, 2)}),
    (nn.Conv2d, {"padding": "same", "dilation": 2, "bias": False}),
    (nn.Conv2d, {"padding": 1, "padding_mode": "circular"}),
]


@pytest.mark.parametrize(("kind", "options"), CONVOLUTIONS)
def test_a_factorized_convolution_outputs_what_its_reconstructed_kernel_does(
    kind: type[nn.Module], options: dict[str, Any]
) -> None:
    layer = kind(4, 6, 3, **options)
    shape = (4, 9) if kind is nn.Conv1d else (4, 9, 9)
    compressed = compress(one_layer(layer, *shape), (Factorize(rank=2),))
    layer.weight.data = compressed.layers["layer"].dense
    images = normal(2, *shape)
    with torch.inference_mode():
        torch.testing.assert_close(compressed.module(images), layer(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_a_factorized_linear_outputs_what_its_reconstructed_weight_does(bias: bool) -> None:
    layer = nn.Linear(7, 5, bias=bias)
    compressed = compress(one_layer(layer, 7), (Factorize(rank=2),))
    layer.weight.data = compressed.layers["layer"].dense
    inputs = normal(3, 7)
    with torch.inference_mode():
        torch.testing.assert_close(compressed.module(inputs), layer(inputs), rtol=1e-4, atol=1e-5)


def test_the_bias_goes_to_the_second_factor() -> None:
    layer = nn.Linear(7, 5)
    first, second = factor_pair(layer, 2)
    assert first.bias is None
    assert torch.equal(second.bias, layer.bias)


def test_an_embedding_has_no_factor_pair() -> None:
    with pytest.raises(TypeError, match="Embedding has no factor pair"):
        factor_pair(nn.Embedding(4, 4), 1)


def test_a_rank_above_the_full_one_names_both_and_the_way_out(digits_cnn: Original) -> None:
    rule = r"fc1 .* has the full rank 64, and rank=65 is above it; use at most 64 .*layers="
    with pytest.raises(ValueError, match=rule):
        plan_rank(Factorize(rank=65), digits_cnn.layers["fc1"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rank": 0}, ["rank=0", "at least 1", "thinnest"]),
        ({"rank": -3}, ["rank=-3", "at least 1", "thinnest"]),
        ({"rank": 1.5}, ["rank=1.5", "whole number", "thinnest"]),
        ({"rank": True}, ["rank=True", "no number"]),
        ({"energy": 0.0}, ["energy=0", "at least", "0.9 keeps 90 %"]),
        ({"energy": 1.5}, ["energy=1.5", "at most 1", "0.9 keeps 90 %"]),
        ({"rank": 3, "energy": 0.5}, ["rank=3, energy=0.5", "one of them"]),
        ({"layers": ()}, ["layers=()", "at least one", "such as"]),
    ],
)
def test_a_bad_setting_is_refused(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        Factorize(**settings)
