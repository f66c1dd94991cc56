"""Spatial SVD: a kh x kw convolution becomes a kh x 1 one with r outputs, then a 1 x kw one.

W[o,i,y,x] ≈ Σ_r first[r,i,y]·second[o,r,x], the truncated SVD of the matrix (in·kh, out·kw).
Source: Jaderberg et al. 2014, 1405.3866 (scheme 2); the optimum as an SVD: Tai et al. 2016,
1511.06067.
"""

import torch
from torch import Tensor, nn

from compress_core.methods.low_rank.channel import Factors, truncate, with_bias_of


def spatial_matrix(weight: Tensor) -> Tensor:
    """(out, in, kh, kw) → (in·kh, out·kw): rows of the kernels against their columns."""
    out, channels, height, width = weight.shape
    return weight.permute(1, 2, 0, 3).reshape(channels * height, out * width)


def spatial_factors(weight: Tensor) -> Factors:
    """U, S, Vᵀ of the spatial matrix, float64."""
    u, s, vt = torch.linalg.svd(spatial_matrix(weight).double(), full_matrices=False)
    return u, s, vt


def split_spatial(factors: Factors, rank: int, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """first (r, in, kh, 1) and second (out, r, 1, kw) of a weight of `shape` (out, in, kh, kw)."""
    out, channels, height, width = shape
    left, right = truncate(factors, rank)
    first = left.T.reshape(rank, channels, height, 1)
    second = right.view(rank, out, 1, width).transpose(0, 1)
    return first.contiguous(), second.contiguous()


def join_spatial(first: Tensor, second: Tensor) -> Tensor:
    """The weight (out, in, kh, kw) that a spatial pair stands for."""
    rows, columns = first.double()[..., 0], second.double()[:, :, 0]
    return torch.einsum("riy,orx->oiyx", rows, columns).float().contiguous()


def spatial_pair(module: nn.Module, rank: int) -> nn.Sequential:
    """The kh x 1 and the 1 x kw convolution that replace `module`, weights unset.

    Each takes its own half of stride, padding and dilation; padding the columns afterwards is the
    same in every padding mode, as the first works on each column alone. The bias goes to the
    second. Raises TypeError for a module without a two-dimensional kernel.
    """
    if not isinstance(module, nn.Conv2d):
        raise TypeError(f"{type(module).__name__} has no spatial pair")
    with torch.device("meta"):
        first = _along(module, 0, module.in_channels, rank, bias=False)
        second = _along(module, 1, rank, module.out_channels, bias=module.bias is not None)
    return with_bias_of(module, nn.Sequential(first, second))


def _along(module: nn.Conv2d, axis: int, channels: int, out: int, *, bias: bool) -> nn.Conv2d:
    """`module` along one axis only (0: rows, 1: columns), between other widths."""

    def only(values: tuple[int, ...], other: int) -> tuple[int, int]:
        return (values[0], other) if axis == 0 else (other, values[1])

    padding = module.padding
    return type(module)(
        channels,
        out,
        only(module.kernel_size, 1),
        stride=only(module.stride, 1),
        padding=padding if isinstance(padding, str) else only(padding, 0),
        dilation=only(module.dilation, 1),
        padding_mode=module.padding_mode,
        bias=bias,
    )
