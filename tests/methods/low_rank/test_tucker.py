"""Tucker-2: orthonormal factors, NumPy's HOSVD, and torch's own convolution as oracles."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from compress_core.methods.low_rank import (
    Ranks,
    break_even_rank,
    full_rank,
    is_larger,
    join_tucker,
    parameter_count,
    ranks_at,
    split_tucker,
    tucker_triple,
)
from compress_core.methods.low_rank.tucker import hosvd_energy, mode_factors


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def split(weight: Tensor, ranks: Ranks, **options: int) -> tuple[Tensor, Tensor, Tensor]:
    return split_tucker(weight, mode_factors(weight), ranks, **options)


def error(weight: Tensor, parts: tuple[Tensor, Tensor, Tensor]) -> float:
    return float(torch.linalg.norm((weight - join_tucker(*parts)).double()))


shapes = st.one_of(
    st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 4)),
)

CONVOLUTIONS: list[tuple[type[nn.Module], dict[str, Any]]] = [
    (nn.Conv1d, {}),
    (nn.Conv1d, {"stride": 2, "padding": 1, "dilation": 2, "bias": False}),
    (nn.Conv2d, {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}),
    (nn.Conv2d, {"padding": "same", "bias": False}),
    (nn.Conv2d, {"padding": 1, "padding_mode": "circular"}),
    (nn.Conv2d, {"padding": 2, "padding_mode": "reflect"}),
]


@pytest.mark.parametrize(("kind", "options"), CONVOLUTIONS)
def test_the_triple_outputs_what_its_reconstructed_kernel_does(
    kind: type[nn.Module], options: dict[str, Any]
) -> None:
    layer = kind(4, 6, 3, **options)
    images = normal(2, 4, 9) if kind is nn.Conv1d else normal(2, 4, 9, 9)
    parts = split(layer.weight.detach(), (2, 3))
    modules = tucker_triple(layer, 2, 3)
    weights = {f"{i}.weight": part for i, part in enumerate(parts)}
    modules.load_state_dict(weights, strict=False, assign=True)
    layer.weight.data = join_tucker(*parts)
    with torch.inference_mode():
        torch.testing.assert_close(modules(images), layer(images), rtol=1e-4, atol=1e-5)


@given(shapes, st.data())
def test_the_outer_factors_are_orthonormal(shape: tuple[int, ...], data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, full_rank(shape, "tucker")))
    first, _, last = split(normal(*shape), ranks_at(shape, rank, "tucker"))
    for columns in (first.flatten(1).T, last.flatten(1)):
        torch.testing.assert_close(columns.T @ columns, torch.eye(columns.shape[1]))


@given(shapes)
def test_full_rank_is_exact(shape: tuple[int, ...]) -> None:
    weight = normal(*shape)
    parts = split(weight, ranks_at(shape, full_rank(shape, "tucker"), "tucker"))
    torch.testing.assert_close(join_tucker(*parts), weight, rtol=1e-5, atol=1e-5)


@given(shapes, st.data(), st.integers(1, 6))
def test_iterating_is_never_worse_than_the_hosvd(
    shape: tuple[int, ...], data: st.DataObject, iterations: int
) -> None:
    weight = normal(*shape, seed=iterations)
    ranks = ranks_at(shape, data.draw(st.integers(1, full_rank(shape, "tucker"))), "tucker")
    start = error(weight, split(weight, ranks, iterations=0))
    later = error(weight, split(weight, ranks, iterations=iterations))
    assert later <= start + 1e-5


def test_iterating_pays() -> None:
    weight = normal(16, 12, 3, 3)
    errors = [error(weight, split(weight, (3, 4), iterations=n)) for n in (0, 1, 5)]
    assert errors == sorted(errors, reverse=True)
    assert errors[2] < 0.999 * errors[0]


@pytest.mark.parametrize("ranks", [(1, 1), (3, 5), (4, 6)])
def test_without_iterations_it_is_numpys_hosvd(ranks: Ranks) -> None:
    weight = normal(6, 4, 3, 3)
    array = weight.double().numpy()
    u_out = np.linalg.svd(array.reshape(6, -1))[0][:, : ranks[1]]
    u_in = np.linalg.svd(array.swapaxes(0, 1).reshape(4, -1))[0][:, : ranks[0]]
    expected = np.einsum("oiyx,op,ap,iq,bq->abyx", array, u_out, u_out, u_in, u_in)
    joined = join_tucker(*split(weight, ranks, iterations=0))
    np.testing.assert_allclose(joined.numpy(), expected, atol=1e-5)


@given(shapes, st.data())
def test_the_energy_table_is_that_of_the_hosvd(shape: tuple[int, ...], data: st.DataObject) -> None:
    weight = normal(*shape)
    table = hosvd_energy(weight, mode_factors(weight))
    r_in, r_out = (data.draw(st.integers(1, n)) for n in table.shape)
    dropped = error(weight, split(weight, (r_in, r_out), iterations=0)) ** 2
    total = float(weight.double().square().sum())
    assert table[r_in - 1, r_out - 1] == pytest.approx(1 - dropped / total, abs=1e-5)


def test_a_tensor_of_known_ranks_needs_no_more() -> None:
    weight = torch.einsum("pqk,op,iq->oik", normal(3, 2, 5), normal(8, 3), normal(6, 2))
    assert error(weight, split(weight, (2, 3))) == pytest.approx(0, abs=1e-4)


def test_one_number_makes_both_ranks_in_proportion() -> None:
    assert ranks_at((64, 32, 3, 3), 64, "tucker") == (32, 64)
    assert ranks_at((64, 32, 3, 3), 20, "tucker") == (10, 20)
    assert ranks_at((64, 32, 3, 3), 1, "tucker") == (1, 1)
    assert ranks_at((64, 3, 3, 3), 27, "tucker") == (3, 27)  # more outputs than 3·3·3 are not free


def test_the_counts_by_hand() -> None:
    shape = (64, 32, 3, 3)  # 18,432 weights
    assert parameter_count(shape, (10, 20), "tucker") == 32 * 10 + 10 * 20 * 9 + 20 * 64 == 3400
    assert parameter_count(shape, 20, "tucker") == 3400
    assert sum(part.numel() for part in split(normal(*shape), (10, 20))) == 3400


@given(shapes)
def test_break_even_is_the_last_rank_that_is_not_larger(shape: tuple[int, ...]) -> None:
    larger = [is_larger(shape, r, "tucker") for r in range(1, full_rank(shape, "tucker") + 1)]
    assert break_even_rank(shape, "tucker") == max(1, larger.count(False))
    assert larger == sorted(larger)


def test_a_linear_has_no_triple() -> None:
    with pytest.raises(TypeError, match="Linear has no Tucker triple"):
        tucker_triple(nn.Linear(4, 4), 1, 1)
