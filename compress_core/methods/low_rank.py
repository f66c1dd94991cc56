"""Low rank: one weight becomes a pair of thinner ones, W ≈ (U·√S)_r (√S·Vᵀ)_r.

A Linear becomes Linear(in, r) then Linear(r, out); a Conv becomes the same kernel with r output
channels, then a 1 x 1 convolution (the channel split of Denton et al. 2014, 1404.0736).
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from compress_core.methods.step import ALL_LAYERS, check_layers, check_number, check_whole
from compress_core.weights import Layer, Profile, as_matrix


@dataclass(frozen=True)
class Factorize:
    """Truncated SVD. `rank` itself, or the least rank that keeps the share `energy` of Σσ².

    With neither, the largest rank that does not grow the layer (break-even).
    Raises ValueError for a rank below 1 or energy outside (0, 1]; a rank above the full one is
    refused when the layers are known. Source: Eckart & Young 1936.
    """

    kind: ClassVar[str] = "factorize"

    rank: int | None = None
    energy: float | None = None
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        if self.rank is not None and self.energy is not None:
            raise ValueError(f"rank={self.rank}, energy={self.energy}: give one of them, not both")
        if self.rank is not None:
            check_whole("rank", self.rank, low=1, high=2**31, remedy="rank 1 is the thinnest pair")
        if self.energy is not None:
            check_number(
                "energy", self.energy, low=1e-6, high=1, closed=True, remedy="0.9 keeps 90 % of Σσ²"
            )
        check_layers(self.layers)


def full_rank(shape: tuple[int, ...]) -> int:
    """min(out, in) of a weight (out, …)."""
    out, columns = matrix_shape(shape)
    return min(out, columns)


def break_even_rank(shape: tuple[int, ...]) -> int:
    """The largest r whose pair is not larger than the weight: r·(m + n) <= m·n, at least 1."""
    out, columns = matrix_shape(shape)
    return max(1, out * columns // (out + columns))


def matrix_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[0], int(np.prod(shape[1:]))


def energy_curve(spectrum: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of Σσ² kept by the first r singular values, r = 1 … full, (full,)."""
    squares = np.cumsum(np.square(spectrum))
    return squares / squares[-1] if squares[-1] else np.ones_like(squares)


def energy_rank(spectrum: NDArray[np.float64], energy: float) -> int:
    """The least rank that keeps at least the share `energy` of Σσ²."""
    curve = energy_curve(spectrum)
    # 1 - 1e-12: the last entries of a cumulated sum differ from 1 by rounding only
    return int(np.searchsorted(curve, min(energy, 1 - 1e-12))) + 1


def plan_rank(step: Factorize, layer: Layer) -> int:
    """The rank that `step` gives `layer`. Raises ValueError where the layer refuses one."""
    if layer.refuses_factors:
        raise ValueError(
            f"{layer.name} cannot run as a factor pair: {layer.refuses_factors}; "
            "name other layers (layers=…)"
        )
    if step.energy is not None:
        if not layer.profile.spectrum.any():
            raise ValueError(
                f"energy={step.energy:g}: the weights of {layer.name} are all zero and have no "
                "energy to keep; give rank= for that layer"
            )
        return energy_rank(layer.profile.spectrum, step.energy)
    if step.rank is None:
        return break_even_rank(layer.shape)
    full = full_rank(layer.shape)
    if step.rank > full:
        raise ValueError(
            f"rank={step.rank} is above the full rank {full} of {layer.name} {layer.shape}; "
            f"use at most {full} (below {break_even_rank(layer.shape) + 1} it saves anything), "
            "or name other layers (layers=…)"
        )
    return step.rank


def split(profile: Profile, rank: int) -> tuple[Tensor, Tensor]:
    """first (r, in, …) and second (out, r, 1 …): second @ first is the best rank-r fit, both with
    as many dimensions as the weight.

    √S goes to both sides, so that their ranges, and their quantization errors, are alike.
    """
    u, s, vt = profile.factors
    root = s[:rank].sqrt()
    first = (root[:, None] * vt[:rank]).float().contiguous()  # LAPACK's vt is column-major
    second = (u[:, :rank] * root).float().contiguous()
    ones = (1,) * (profile.weight.dim() - 2)
    return first.view(rank, *profile.weight.shape[1:]), second.view(-1, rank, *ones)


def join(first: Tensor, second: Tensor) -> Tensor:
    """The weight (out, …) that a pair stands for: second @ first."""
    product = as_matrix(second).double() @ as_matrix(first).double()
    return product.float().view(-1, *first.shape[1:])


def factor_pair(module: nn.Module, rank: int) -> nn.Sequential:
    """The pair of modules that replaces `module`, weights unset; the bias goes to the second."""
    with torch.device("meta"):  # no memory, and no draw from the global random generator
        pair = _factor_pair(module, rank)
    if isinstance(module.bias, Tensor):
        pair[1].bias = nn.Parameter(module.bias.detach(), requires_grad=False)
    return pair.eval()


def _factor_pair(module: nn.Module, rank: int) -> nn.Sequential:
    first: nn.Module
    second: nn.Module
    if isinstance(module, nn.Linear):
        first = nn.Linear(module.in_features, rank, bias=False)
        second = nn.Linear(rank, module.out_features, bias=module.bias is not None)
    elif isinstance(module, nn.Conv1d | nn.Conv2d):
        first = type(module)(
            module.in_channels,
            rank,
            module.kernel_size,  # type: ignore[arg-type]  # a tuple as long as the module's own
            stride=module.stride,  # type: ignore[arg-type]
            padding=module.padding,  # type: ignore[arg-type]
            dilation=module.dilation,  # type: ignore[arg-type]
            padding_mode=module.padding_mode,
            bias=False,
        )
        second = type(module)(rank, module.out_channels, 1, bias=module.bias is not None)
    else:
        raise TypeError(f"{type(module).__name__} has no factor pair")
    return nn.Sequential(first, second)


def parameter_count(shape: tuple[int, ...], rank: int) -> int:
    """Weights of the pair at `rank`: r·(out + in)."""
    return rank * sum(matrix_shape(shape))
