"""Quantization: fewer bits for each weight, and for the inputs of the layers.

One method a file; `granularity` says what shares a scale, `ranges` which range the levels cover.
"""

from compress_core.methods.quantization.affine import (
    BITS,
    Quantize,
    Quantized,
    quantize,
    textbook_min_max,
    textbook_times_255,
)
from compress_core.methods.quantization.granularity import Granularity
from compress_core.methods.quantization.ranges import (
    CLIP_GRID,
    Clipping,
    Scheme,
    choose_qparams,
    code_range,
)

__all__ = [
    "BITS",
    "CLIP_GRID",
    "Clipping",
    "Granularity",
    "Quantize",
    "Quantized",
    "Scheme",
    "choose_qparams",
    "code_range",
    "quantize",
    "textbook_min_max",
    "textbook_times_255",
]
