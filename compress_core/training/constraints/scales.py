"""Codes that stay, while their scales are trained."""

from dataclasses import replace
from typing import ClassVar

import torch
from torch import Tensor

from compress_core.methods.quantization import FloatCoded, Quantized, SignCoded
from compress_core.storage.streams import StoredWeight, weight_of
from compress_core.training.constraints.free import parameter, settled

SMALLEST_SCALE = 1e-8


class Scaled:
    """Codes that stay, with scales that move."""

    remembered: ClassVar[tuple[str, ...]] = ()

    def __init__(self, codes: Quantized | FloatCoded | SignCoded) -> None:
        self.scale = parameter(codes.scale)
        self._codes = codes
        self._smallest = 0.0 if isinstance(codes, SignCoded) else SMALLEST_SCALE
        has_scale = not isinstance(codes, FloatCoded) or codes.bits < 16
        self.parameters = [self.scale] if has_scale else []

    def weight(self) -> Tensor:
        return replace(self._codes, scale=self.scale).dequantize()

    @torch.no_grad()
    def settle(self) -> None:
        self.scale.clamp_(min=self._smallest)

    def stored(self) -> StoredWeight:
        return weight_of(replace(self._codes, scale=settled(self.scale)))
