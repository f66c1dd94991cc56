"""Codes that move with the weights behind them: training through the rounding."""

from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from compress_core.methods.quantization import (
    FloatCoded,
    MXCoded,
    Quantized,
    QuantizeMX,
    SignCoded,
    code_range,
    decode_float,
    encode_float,
    quantize_mx,
)
from compress_core.methods.quantization.granularity import spread
from compress_core.methods.retraining import code_lengths, learned_steps, relaxed_bits
from compress_core.methods.retraining.step_size import straight_through
from compress_core.storage.streams import StoredWeight, weight_of
from compress_core.training.constraints.free import Free, parameter, settled
from compress_core.training.constraints.scales import SMALLEST_SCALE
from compress_core.weights import as_matrix

COUNTED_EVERY = 50  # steps between two counts of the codes


class Behind(Free):
    """Weights behind codes with positive scales, both of which move."""

    def __init__(self, codes: Quantized | FloatCoded, values: Tensor, kept: Tensor | None) -> None:
        self.scale = parameter(codes.scale)
        self._group_size = codes.group_size
        super().__init__(values, kept)
        self.parameters = [self.values, self.scale]

    def _scales(self) -> Tensor:
        """The scale of each weight, as it broadcasts against the matrix (out, in)."""
        return spread(self.scale, as_matrix(self.values).shape, self._group_size)

    @torch.no_grad()
    def settle(self) -> None:
        super().settle()
        self.scale.clamp_(min=SMALLEST_SCALE)


class Rounded(Behind):
    """Affine codes that move with the weights behind them, and scales that move (LSQ)."""

    def __init__(self, codes: Quantized, values: Tensor, kept: Tensor | None = None) -> None:
        super().__init__(codes, values, kept)
        self._codes = codes
        q_min, q_max = code_range(codes.bits, codes.scheme)
        zero = spread(codes.zero_point, as_matrix(values).shape, codes.group_size)
        self._zero, self._low, self._high = zero, q_min - zero, q_max - zero

    def weight(self) -> Tensor:
        matrix = as_matrix(self.values)
        rounded = learned_steps(matrix, self._scales(), self._low.float(), self._high.float())
        return rounded.view(self._codes.codes.shape)

    @torch.no_grad()
    def codes(self) -> Quantized:
        """The codes by now."""
        matrix = as_matrix(self.values) / self._scales()
        codes = matrix.clamp(self._low, self._high).round() + self._zero
        return replace(
            self._codes,
            codes=codes.int().view(self._codes.codes.shape).contiguous(),
            scale=settled(self.scale),
        )

    def symbols(self) -> Tensor:
        """The weights as real-valued symbols, counted from 0, differentiable; scales held."""
        scaled = as_matrix(self.values) / self._scales().detach()
        q_min, _ = code_range(self._codes.bits, self._codes.scheme)
        return scaled.clamp(self._low, self._high) + (self._zero - q_min)

    def stored(self) -> StoredWeight:
        return weight_of(self.codes())


class Priced(Rounded):
    """The same, and it knows how many bits its codes take."""

    remembered: ClassVar[tuple[str, ...]] = ("kept", "lengths", "age")

    def __init__(self, codes: Quantized, values: Tensor, kept: Tensor | None = None) -> None:
        super().__init__(codes, values, kept)
        self._q_min, q_max = code_range(codes.bits, codes.scheme)
        self._alphabet = q_max - self._q_min + 1
        self.lengths = torch.zeros(self._alphabet)
        self.count = values.numel()
        self.age = 0

    def bits(self) -> Tensor:
        """Bits of all weights, differentiable; the codes are counted every COUNTED_EVERY calls."""
        if self.age % COUNTED_EVERY == 0:
            self.lengths = code_lengths(self.codes().codes - self._q_min, self._alphabet)
        self.age += 1
        return relaxed_bits(self.symbols(), self.lengths)


class Signed(Free):
    """Signs that move with the weights behind them, and scales that move."""

    def __init__(self, codes: SignCoded, values: Tensor) -> None:
        self.scale = parameter(codes.scale)
        super().__init__(values)
        self.parameters = [self.values, self.scale]

    def weight(self) -> Tensor:
        values = self.values
        signs = torch.where(values >= 0, 1.0, -1.0)
        passed = values.clamp(-1, 1)  # the gradient passes where |w| <= 1
        scale = self.scale.view(-1, *[1] * (values.dim() - 1))
        return signs * scale + (passed - passed.detach())

    @torch.no_grad()
    def settle(self) -> None:
        self.scale.clamp_(min=0)

    def stored(self) -> StoredWeight:
        codes = (settled(self.values) >= 0).to(torch.uint8)
        return weight_of(SignCoded(codes, settled(self.scale)))


class RoundedFloat(Behind):
    """Low-bit floats that move with the weights behind them, and scales that move."""

    def __init__(self, codes: FloatCoded, values: Tensor, kept: Tensor | None = None) -> None:
        super().__init__(codes, values, kept)
        self._codes = codes
        if codes.bits == 16:  # these have no scale
            self.parameters = [self.values]

    def weight(self) -> Tensor:
        scaled = as_matrix(self.values) / self._scales()
        nearest = decode_float(
            encode_float(scaled.detach(), self._codes.format), self._codes.format
        )
        return (straight_through(scaled, nearest) * self._scales()).view(self._codes.codes.shape)

    @torch.no_grad()
    def stored(self) -> StoredWeight:
        codes = encode_float(as_matrix(self.values) / self._scales(), self._codes.format)
        codes = codes.view(self._codes.codes.shape).contiguous()
        return weight_of(replace(self._codes, codes=codes, scale=settled(self.scale)))


class RoundedBlocks(Free):
    """Microscaled codes that move with the weights behind them, as do the scales of the blocks."""

    def __init__(self, codes: MXCoded, values: Tensor, kept: Tensor | None = None) -> None:
        super().__init__(values, kept)
        self._step = QuantizeMX(codes.format)

    def weight(self) -> Tensor:
        nearest = quantize_mx(self.values.detach().contiguous(), self._step).dequantize()
        return straight_through(self.values, nearest)

    def stored(self) -> StoredWeight:
        return weight_of(quantize_mx(settled(self.values), self._step))
