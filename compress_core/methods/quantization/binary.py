"""One and two bits a weight: binary {-α, α} and ternary {-α, 0, α}, α per output channel."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from compress_core.methods.quantization.affine import Quantized
from compress_core.methods.step import ALL_LAYERS, check_layers, check_number
from compress_core.weights import as_matrix


@dataclass(frozen=True)
class Binarize:
    """Binary weights: w ≈ α·sign(w), α = mean|w| of the output channel, which has the least error.

    sign(0) is +1: a 1-bit code has no zero, so a layer is either pruned or binarized.
    Source: Rastegari et al. 2016, 1603.05279 §3.1.
    """

    kind: ClassVar[str] = "quantize"

    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_layers(self.layers)


@dataclass(frozen=True)
class Ternarize:
    """Ternary weights: 0 where |w| <= Δ, else ±α; Δ = delta·mean|w|, α the mean of |w| above Δ.

    Both Δ and α are of one output channel. delta: in [0, 1); 0.7 is near the optimum of normal
    weights, and below 1 a channel always keeps its largest weight. Pruned weights stay zero.
    Raises ValueError for other values. Source: Li et al. 2016, 1605.04711 §2.
    """

    kind: ClassVar[str] = "quantize"

    delta: float = 0.7
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_number("delta", self.delta, low=0, high=1, remedy="0.7 fits normal weights")
        check_layers(self.layers)


@dataclass(frozen=True, eq=False)
class SignCoded:
    """Signs and their scale: `codes` (uint8, 1 is +1 and 0 is -1) has the weight's shape, `scale`
    (float32, (out,)) is 0 for a channel of zeros, which thus stays zero."""

    codes: Tensor
    scale: Tensor

    @property
    def bits(self) -> int:
        """Bits of a code: 1."""
        return 1

    def dequantize(self) -> Tensor:
        """scale · (2·code - 1), float32, in the shape of the weight."""
        signs = as_matrix(self.codes).float() * 2 - 1
        # + 0.0: a channel of zeros has no negative ones
        return (signs * self.scale[:, None] + 0.0).view(self.codes.shape)


def binarize(weight: Tensor) -> SignCoded:
    """Signs of a weight (out, …) and mean|w| of each output channel. The input is untouched."""
    scale = as_matrix(weight).abs().double().mean(1).float()  # (out,)
    return SignCoded((weight >= 0).to(torch.uint8), scale)


def ternarize(weight: Tensor, step: Ternarize) -> Quantized:
    """Codes -1, 0, 1 of a weight (out, …) with scale α: 2-bit symmetric, as `Quantize` has them.

    A channel of zeros gets scale 1. The input is untouched.
    """
    matrix = as_matrix(weight)
    magnitude = matrix.abs().double()
    kept = magnitude > step.delta * magnitude.mean(1, keepdim=True)
    count = kept.sum(1)
    scale = torch.where(kept, magnitude, 0.0).sum(1) / count.clamp(min=1)
    scale = torch.where(count > 0, scale, 1.0).float()
    codes = (matrix.sign() * kept).to(torch.int32).view(weight.shape)
    return Quantized(codes, scale, torch.zeros_like(scale, dtype=torch.int32), 2, "symmetric", None)
