"""Data-aware SVD: output errors on the inputs themselves, against plain SVD's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from compress_core.methods.low_rank import decompose, full_rank, join
from compress_core.methods.low_rank.whitening import balanced, damped, whitened_factors
from compress_core.weights import Layer, walk_layers


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def layer_of(module: nn.Module, weight: Tensor) -> Layer:
    module.weight.data = weight
    return walk_layers(nn.Sequential(module))["0"]


def linear(weight: Tensor) -> Layer:
    return layer_of(nn.Linear(weight.shape[1], weight.shape[0]), weight)


def gram_of(rows: Tensor) -> Tensor:
    return rows.double().T @ rows.double() / len(rows)


def fit(layer: Layer, rank: int, gram: Tensor | None = None) -> Tensor:
    decomposition = decompose(layer, "channel", None if gram is None else lambda: gram)
    return join(*decomposition.split((rank,)))


def output_error(layer: Layer, fitted: Tensor, rows: Tensor) -> float:
    difference = (layer.weight - fitted).double().flatten(1)
    return float((rows.double() @ difference.T).square().sum())


@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 30), st.integers(0, 99), st.data()
)  # fewer inputs than channels too: the second moment is singular then
def test_the_output_error_is_never_above_plain_svds(
    out: int, width: int, count: int, seed: int, data: st.DataObject
) -> None:
    layer = linear(normal(out, width, seed=seed))
    rows = normal(count, width, seed=seed + 1) * torch.logspace(-3, 2, width)
    rank = data.draw(st.integers(1, full_rank(layer.shape)))
    aware = output_error(layer, fit(layer, rank, gram_of(rows)), rows)
    plain = output_error(layer, fit(layer, rank), rows)
    rounding = 1e-9 * float((rows.double() @ layer.weight.double().T).square().sum())
    assert aware <= plain + rounding


@pytest.mark.parametrize("rank", [1, 3, 5])
def test_the_output_of_a_convolution_is_nearer_too(rank: int) -> None:
    images = normal(8, 3, 9, 9).cumsum(3)  # neighbouring pixels are alike, as in photographs
    options = {"stride": 2, "padding": 1, "dilation": 2}
    layer = layer_of(nn.Conv2d(3, 6, 3, **options), normal(6, 3, 3, 3))
    rows = functional.unfold(images, 3, **options).transpose(1, 2).flatten(0, 1)

    def error(fitted: Tensor) -> float:
        difference = functional.conv2d(images, fitted - layer.weight, None, **options)
        return float(difference.double().square().sum())

    assert error(fit(layer, rank, gram_of(rows))) < error(fit(layer, rank))


@pytest.mark.parametrize("rank", [1, 4, 6])
def test_inputs_without_preference_give_plain_svd(rank: int) -> None:
    layer = linear(normal(6, 8))
    torch.testing.assert_close(fit(layer, rank, 3 * torch.eye(8)), fit(layer, rank))


def test_inputs_of_zeros_give_plain_svd() -> None:
    layer = linear(normal(6, 8))
    torch.testing.assert_close(fit(layer, 2, torch.zeros(8, 8)), fit(layer, 2))


@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 9))
def test_full_rank_is_exact_even_where_no_input_has_been(out: int, width: int, count: int) -> None:
    layer = linear(normal(out, width))
    gram = gram_of(normal(count, width, seed=1))
    fitted = fit(layer, full_rank(layer.shape), gram)
    torch.testing.assert_close(fitted, layer.weight, rtol=1e-4, atol=1e-5)


def test_the_squared_singular_values_are_the_output_energies_dropped() -> None:
    weight, rows = normal(6, 8), normal(50, 8, seed=1)
    gram = gram_of(rows)
    u, s, vt = whitened_factors(weight, gram)
    difference = weight.double() - (u[:, :2] * s[:2]) @ vt[:2]
    error = torch.trace(difference @ damped(gram) @ difference.T)
    np.testing.assert_allclose(float(error), float(s[2:].square().sum()), rtol=1e-9)


def test_a_dead_input_costs_no_rank() -> None:
    """Plain SVD spends its one rank on the large column; no input ever comes there."""
    weight = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
    rows = torch.tensor([[0.0, 1.0], [0.0, -1.0]])
    layer = linear(weight)
    assert output_error(layer, fit(layer, 1), rows) == pytest.approx(2)
    assert output_error(layer, fit(layer, 1, gram_of(rows)), rows) == pytest.approx(0, abs=1e-9)


def test_balancing_moves_lengths_and_keeps_the_product() -> None:
    u, s, vt = factors = (normal(3, 2), torch.tensor([2.0, 1.0]), normal(2, 5))
    left, middle, right = balanced(factors)
    torch.testing.assert_close((left * middle) @ right, (u * s) @ vt)
    torch.testing.assert_close(torch.linalg.norm(right, dim=1), torch.ones(2))


def test_both_factors_carry_the_same_energy() -> None:
    gram = gram_of(normal(50, 20, seed=1) * torch.logspace(-2, 2, 20))
    first, second = decompose(linear(normal(10, 20)), "channel", lambda: gram).split((4,))
    torch.testing.assert_close(first.norm(dim=1), second.norm(dim=0))
