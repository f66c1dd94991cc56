"""Spatial SVD: NumPy's SVD of the reordered kernel and torch's own conv2d as oracles."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from compress_core.methods.low_rank import (
    break_even_rank,
    full_rank,
    join_spatial,
    matrix_shape,
    parameter_count,
    spatial_pair,
    split_spatial,
)
from compress_core.methods.low_rank.spatial import spatial_factors


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def split(weight: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    return split_spatial(spatial_factors(weight), rank, tuple(weight.shape))


def run(modules: nn.Sequential, parts: tuple[Tensor, ...], images: Tensor) -> Tensor:
    weights = {f"{i}.weight": part for i, part in enumerate(parts)}
    modules.load_state_dict(weights, strict=False, assign=True)
    with torch.inference_mode():
        out: Tensor = modules(images)
        return out


kernels = st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
paddings = st.one_of(st.tuples(st.integers(0, 3), st.integers(0, 3)), st.sampled_from(["valid"]))


@given(kernels, pairs, paddings, pairs, st.integers(0, 99))
def test_the_pair_outputs_what_conv2d_of_its_kernel_does(
    shape: tuple[int, int, int, int],
    stride: tuple[int, int],
    padding: tuple[int, int] | str,
    dilation: tuple[int, int],
    seed: int,
) -> None:
    out, channels, *kernel = shape
    layer = nn.Conv2d(channels, out, tuple(kernel), stride, padding, dilation)  # type: ignore[arg-type]
    parts = split(normal(*shape, seed=seed), 1 + seed % full_rank(shape, "spatial"))
    images = normal(2, channels, 13, 11)
    expected = functional.conv2d(
        images, join_spatial(*parts), layer.bias, stride, padding, dilation
    )
    actual = run(spatial_pair(layer, parts[0].shape[0]), parts, images)
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("padding", [(2, 1), (0, 2), (1, 0), "same"])
@pytest.mark.parametrize("bias", [True, False])
def test_every_padding_mode_is_kept(mode: str, padding: tuple[int, int] | str, bias: bool) -> None:
    layer = nn.Conv2d(3, 4, (5, 3), padding=padding, padding_mode=mode, bias=bias)  # type: ignore[arg-type]
    parts = split(layer.weight.detach(), 3)
    layer.weight.data = join_spatial(*parts)
    images = normal(2, 3, 9, 8)
    with torch.inference_mode():
        torch.testing.assert_close(
            run(spatial_pair(layer, 3), parts, images), layer(images), rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("rank", [1, 4, 8])
def test_the_error_is_exactly_that_of_eckart_and_young(rank: int) -> None:
    weight = normal(6, 4, 3, 2)
    matrix = np.einsum("oiyx->iyox", weight.double().numpy()).reshape(12, 12)
    dropped = np.linalg.svd(matrix, compute_uv=False)[rank:]
    error = torch.linalg.norm(weight - join_spatial(*split(weight, rank)))
    assert float(error) == pytest.approx(np.sqrt(np.square(dropped).sum()), rel=1e-5)


@given(kernels)
def test_full_rank_is_exact(shape: tuple[int, int, int, int]) -> None:
    weight = normal(*shape)
    joined = join_spatial(*split(weight, full_rank(shape, "spatial")))
    torch.testing.assert_close(joined, weight, rtol=1e-5, atol=1e-5)


def test_a_separable_kernel_needs_rank_one() -> None:
    sobel = torch.outer(torch.tensor([1.0, 2.0, 1.0]), torch.tensor([1.0, 0.0, -1.0]))[None, None]
    first, second = split(sobel, 1)
    assert (first.shape, second.shape) == ((1, 1, 3, 1), (1, 1, 1, 3))
    torch.testing.assert_close(join_spatial(first, second), sobel)


def test_the_counts_by_hand() -> None:
    shape = (32, 16, 3, 5)  # 7,680 weights as a matrix of (16·3, 32·5)
    assert matrix_shape(shape, "spatial") == (48, 160)
    assert full_rank(shape, "spatial") == 48
    assert break_even_rank(shape, "spatial") == 36  # 7680 / 208 = 36.9
    first, second = split(normal(*shape), 36)
    assert first.numel() + second.numel() == parameter_count(shape, 36, "spatial") == 7488


def test_both_factors_carry_the_same_energy() -> None:
    first, second = split(normal(8, 4, 3, 3), 4)
    torch.testing.assert_close(torch.linalg.norm(first), torch.linalg.norm(second))


def test_the_bias_goes_to_the_second() -> None:
    layer = nn.Conv2d(2, 3, 3)
    first, second = spatial_pair(layer, 2)
    assert first.bias is None
    assert torch.equal(second.bias, layer.bias)


@pytest.mark.parametrize("module", [nn.Linear(4, 4), nn.Conv1d(2, 2, 3)])
def test_without_rows_and_columns_there_is_no_spatial_pair(module: nn.Module) -> None:
    with pytest.raises(TypeError, match=f"{type(module).__name__} has no spatial pair"):
        spatial_pair(module, 1)
