"""Channel SVD: W ≈ (U·√S)_r (√S·Vᵀ)_r, the kernel with r outputs, then a 1 x 1 convolution.

A Linear becomes Linear(in, r) then Linear(r, out). Source: Denton et al. 2014, 1404.0736.
"""

import torch
from torch import Tensor, nn

from compress_core.weights import as_matrix

Factors = tuple[Tensor, Tensor, Tensor]  # U (m, full), S (full,), Vᵀ (full, n), float64


def split(factors: Factors, rank: int, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """first (r, in, …) and second (out, r, 1 …) of a weight of `shape` (out, in, …).

    second @ first is the best rank-r fit of the matrix that the factors are of.
    """
    left, right = truncate(factors, rank)
    ones = (1,) * (len(shape) - 2)
    return right.view(rank, *shape[1:]), left.view(-1, rank, *ones)


def truncate(factors: Factors, rank: int) -> tuple[Tensor, Tensor]:
    """(m, r) and (r, n), float32: the best rank-r fit is their product.

    √S goes to both sides, so that their ranges, and their quantization errors, are alike.
    """
    u, s, vt = factors
    root = s[:rank].sqrt()
    left, right = u[:, :rank] * root, root[:, None] * vt[:rank]
    return left.float().contiguous(), right.float().contiguous()  # LAPACK's are column-major


def join(first: Tensor, second: Tensor) -> Tensor:
    """The weight (out, …) that a pair stands for: second @ first."""
    product = as_matrix(second).double() @ as_matrix(first).double()
    return product.float().view(-1, *first.shape[1:])


def factor_pair(module: nn.Module, rank: int) -> nn.Sequential:
    """The pair of modules that replaces `module`, weights unset; the bias goes to the second."""
    with torch.device("meta"):  # no memory, and no draw from the global random generator
        pair = _factor_pair(module, rank)
    return with_bias_of(module, pair)


def with_bias_of(module: nn.Module, parts: nn.Sequential) -> nn.Sequential:
    """`parts` in evaluation mode, the last of them with the bias of `module`."""
    if isinstance(module.bias, Tensor):
        parts[-1].bias = nn.Parameter(module.bias.detach(), requires_grad=False)
    return parts.eval()


def _factor_pair(module: nn.Module, rank: int) -> nn.Sequential:
    first: nn.Module
    second: nn.Module
    if isinstance(module, nn.Linear):
        first = nn.Linear(module.in_features, rank, bias=False)
        second = nn.Linear(rank, module.out_features, bias=module.bias is not None)
    elif isinstance(module, nn.Conv1d | nn.Conv2d):
        first = convolution_like(module, module.in_channels, rank)
        second = type(module)(rank, module.out_channels, 1, bias=module.bias is not None)
    else:
        raise TypeError(f"{type(module).__name__} has no factor pair")
    return nn.Sequential(first, second)


def convolution_like(module: nn.Conv1d | nn.Conv2d, channels: int, out: int) -> nn.Module:
    """A convolution with the kernel size and steps of `module` between other widths, no bias."""
    return type(module)(
        channels,
        out,
        module.kernel_size,  # type: ignore[arg-type]  # a tuple as long as the module's own
        stride=module.stride,  # type: ignore[arg-type]
        padding=module.padding,  # type: ignore[arg-type]
        dilation=module.dilation,  # type: ignore[arg-type]
        padding_mode=module.padding_mode,
        bias=False,
    )
