"""Activations: the input of a layer as unsigned codes, x ≈ scale · (q - zero_point).

Simulated: codes turn back into float32 before the layer multiplies. Static parameters, one pair per
layer, come from calibration and lie in the layer's buffers `input_scale` and `input_zero_point`,
which are part of its state dict. Dynamic ones come from the input itself: one pair for each image
that a convolution sees, for each row (one token) that a linear layer multiplies. They are never
shared between images, whatever the order of the dimensions: an answer is that of its image alone.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from compress_core.methods.quantization.affine import Quantize
from compress_core.methods.quantization.ranges import (
    Clipping,
    choose_qparams,
    choose_range,
    round_to_codes,
)
from compress_core.methods.step import ALL_LAYERS, check_choice, check_seed, check_whole
from compress_core.weights import Layer

Mode = Literal["static", "dynamic"]

ACTIVATION_BITS = (4, 5, 6, 7, 8)
CONVOLUTIONS = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)
MULTIPLYING = (nn.Linear, *CONVOLUTIONS)  # their forward multiplies its argument, nothing else
READERS = (nn.MultiheadAttention, nn.TransformerEncoderLayer)  # of weights inside of them


@dataclass(frozen=True)
class QuantizeActivations:
    """The inputs of layers in 4 to 8 bits, asymmetric.

    mode: "static", one range per layer from `samples` calibration inputs, the full min-max, the
      `percentile` of |x| or the one of least squared error; or "dynamic", the min-max of each
      image (convolution) or of each row along the last dimension (other layers).
    Raises ValueError for other values, and for a clipping that dynamic ranges would not have.
    Source: Jacob et al. 2017, 1712.05877 §3; ONNX DynamicQuantizeLinear.
    """

    kind: ClassVar[str] = "activations"

    bits: int = 8
    mode: Mode = "static"
    clipping: Clipping = "min_max"
    percentile: float = 99.9
    samples: int = 256
    seed: int = 0
    layers: tuple[str, ...] = ALL_LAYERS

    def __post_init__(self) -> None:
        check_choice("bits", self.bits, ACTIVATION_BITS)
        check_choice("mode", self.mode, ("static", "dynamic"))
        _ = self.affine  # refuses what `Quantize` refuses
        check_whole("samples", self.samples, low=1, high=2**31, remedy="256 are usual")
        check_seed(self.seed)
        if self.mode == "dynamic" and self.clipping != "min_max":
            raise ValueError(
                f"mode=dynamic, clipping={self.clipping}: dynamic ranges are the min-max of each "
                "image or row; leave clipping out, or take mode=static"
            )

    @property
    def affine(self) -> Quantize:
        """The step that quantizes a weight tensor the same way."""
        return Quantize(
            self.bits, "asymmetric", "tensor", self.clipping, self.percentile, layers=self.layers
        )


@dataclass(frozen=True, eq=False)
class InputQuantizer:
    """How one layer's input is quantized: `scale` (float32) and `zero_point` (uint8), both of
    shape (), or None for those of each image or row as it comes."""

    bits: int
    scale: Tensor | None = None
    zero_point: Tensor | None = None

    def attach(self, module: nn.Module) -> None:
        """Make `module`, which is written to, round its first argument.

        Of a Sequential in a layer's place that is what comes into its first part.
        """
        if self.scale is not None:
            module.register_buffer("input_scale", self.scale)
            module.register_buffer("input_zero_point", self.zero_point)
        module.register_forward_pre_hook(RoundInput(self.bits, dimensions_of_one_input(module)))


def plan_input(step: QuantizeActivations, values: Tensor) -> InputQuantizer:
    """The static quantizer for a layer whose calibration inputs are `values`, float32 (n,)."""
    low, high = choose_range(
        values[None],
        clipping=step.clipping,
        percentile=step.percentile,
        bits=step.bits,
        scheme="asymmetric",
    )
    scale, zero_point = choose_qparams(low[0], high[0], step.bits, "asymmetric")
    return InputQuantizer(step.bits, scale, zero_point.to(torch.uint8))


def dimensions_of_one_input(module: nn.Module) -> int:
    """How many of the last dimensions of a layer's input share a dynamic range.

    A convolution's channels and positions: one image. Of other layers the last dimension alone:
    where the batch stands before it, (B, T, C) or (T, B, C) or (B·T, C), cannot be known.
    """
    part = module[0] if isinstance(module, nn.Sequential) else module  # the first of the factors
    return 1 + len(part.kernel_size) if isinstance(part, CONVOLUTIONS) else 1


def dynamic_qparams(values: Tensor, bits: int, dimensions: int = 1) -> tuple[Tensor, Tensor]:
    """Scale and zero point of each min-max over the last `dimensions`, which stay as 1.

    For each of them the definition of ONNX's DynamicQuantizeLinear.
    """
    # not aminmax, which torch's ONNX exporter cannot translate
    last = tuple(range(-dimensions, 0))
    low, high = values.amin(last, keepdim=True), values.amax(last, keepdim=True)
    return choose_qparams(low, high, bits, "asymmetric")


def round_input(values: Tensor, scale: Tensor, zero_point: Tensor, bits: int) -> Tensor:
    """scale · (clamp(round(x / scale) + zero_point, 0, 2ᵏ - 1) - zero_point), float32."""
    codes = round_to_codes(values, scale, zero_point, bits=bits, scheme="asymmetric")
    return codes.sub_(zero_point).mul_(scale)


@dataclass(frozen=True)
class RoundInput:
    """The forward pre-hook: rounds a module's first argument, by its buffers if it has them.

    `dimensions`: how many of the argument's last ones share a range if it has none.
    """

    bits: int
    dimensions: int

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        values, *others = inputs
        if hasattr(module, "input_scale"):
            scale = module.get_buffer("input_scale")
            zero_point = module.get_buffer("input_zero_point")
        else:
            scale, zero_point = dynamic_qparams(values, self.bits, self.dimensions)
        return (round_input(values, scale, zero_point, self.bits), *others)


def input_refusal(model: nn.Module, layer: Layer) -> str | None:
    """Why `layer` has no input of its own to round, None where it has one.

    A tied weight has several, an embedding takes indices, torch's attention and encoder modules
    multiply without calling a layer, and a forward of its own may multiply something else.
    """
    path = layer.key.rpartition(".")[0]
    module, owner = model.get_submodule(path), model.get_submodule(path.rpartition(".")[0])
    if len(layer.tied_keys) > 1:
        return f"its weight is tied ({', '.join(layer.tied_keys)}), each with inputs of its own"
    if layer.hides_inputs:
        return layer.hides_inputs
    if isinstance(module, READERS) or isinstance(owner, READERS):
        return "the attention or encoder module reads the weight itself"
    if all(type(module).forward is not known.forward for known in MULTIPLYING):
        return f"{type(module).__name__} has a forward of its own, and may multiply something else"
    return None
