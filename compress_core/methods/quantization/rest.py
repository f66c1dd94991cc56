"""Biases and norms in few bits: the tensors beside the weights, each with one scale of its own."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from compress_core.methods.quantization.affine import Quantize, Quantized, quantize
from compress_core.methods.step import ALL_LAYERS, check_choice, check_layers

REST_BITS = (3, 4, 5, 6, 7, 8)
MAX_MOVE = 1 / 8  # of a value of a tensor of positive ones


@dataclass(frozen=True)
class QuantizeRest:
    """Biases, parameters and statistics of norms are rounded to `bits` and coded as weights are.

    Asymmetric, one scale for each tensor. `tensors` are patterns of state-dict keys. It acts after
    all steps that change these tensors, so `layers` must keep its default. A tensor stays as it is
    where rounding would not make the file smaller, where it holds NaN or infinite values, and where
    all its values are positive (a variance) and one of them would move by more than an eighth.
    Raises ValueError for other values. Source: Jacob et al. 2017, 1712.05877, equation 1.
    """

    kind: ClassVar[str] = "rest"

    bits: int = 8
    tensors: tuple[str, ...] = ("*",)
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_choice("bits", self.bits, REST_BITS)
        check_layers(self.tensors, "tensors", "tensor")
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
    moved = (coded.dequantize() - values).abs()
    if (values > 0).all() and (moved > MAX_MOVE * values).any():
        return None
    return coded
