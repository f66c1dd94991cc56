"""Biases and norms in few bits: the tensors beside the weights, each with one scale of its own.

The floats beside codes, which are scales and codebooks, may be rounded to half precision, too.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from compress_core.methods.quantization.affine import Quantize, Quantized, quantize
from compress_core.methods.step import ALL_LAYERS, check_choice, check_layers

Floats = Literal["fp32", "fp16", "bf16"]

REST_BITS = (3, 4, 5, 6, 7, 8)
FLOAT_TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
MAX_MOVE = 1 / 8  # of a value of a tensor of positive ones


@dataclass(frozen=True)
class QuantizeRest:
    """Biases, parameters and statistics of norms are rounded to `bits` and coded as weights are.

    Asymmetric, one scale for each tensor. `tensors` are patterns of state-dict keys. To
    `scales` the scales and codebooks of all codes are rounded, those of the layers included. It
    acts after all steps that change these tensors, so `layers` must keep its default. A tensor
    stays as it is where rounding would not make the file smaller, where it holds NaN or infinite
    values, and where all its values are positive (a variance) and one of them would move by more
    than an eighth.
    Raises ValueError for other values. Source: Jacob et al. 2017, 1712.05877, equation 1.
    """

    kind: ClassVar[str] = "rest"

    bits: int = 8
    tensors: tuple[str, ...] = ("*",)
    scales: Floats = "fp32"
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_choice("bits", self.bits, REST_BITS)
        check_layers(self.tensors, "tensors", "tensor")
        check_choice("scales", self.scales, get_args(Floats))
        if self.layers != ALL_LAYERS:
            raise ValueError(
                f"layers={self.layers!r}: biases and norms are named by their own keys; leave "
                "layers out and write tensors=('fc1.bias',)"
            )


def quantize_tensor(values: Tensor, step: QuantizeRest) -> Quantized | None:
    """Codes of a tensor (n, …), float32; None where rounding would harm it (see `QuantizeRest`)."""
    if not values.isfinite().all():
        return None
    whole = Quantize(bits=step.bits, scheme="asymmetric", granularity="tensor")
    coded = quantize(values, whole)
    coded = replace(coded, scale=round_scale(coded.scale, step.scales))
    moved = (coded.dequantize() - values).abs()
    if (values > 0).all() and (moved > MAX_MOVE * values).any():
        return None
    return coded


def round_scale(scale: Tensor, to: Floats) -> Tensor:
    """Scales or codebook, float32, rounded to half precision; the same tensor where one of them is
    out of its range, and for "fp32"."""
    if to == "fp32":
        return scale
    rounded = scale.to(FLOAT_TYPES[to]).float()
    lost = ~rounded.isfinite() | ((rounded == 0) & (scale != 0))
    return scale if lost.any() else rounded
