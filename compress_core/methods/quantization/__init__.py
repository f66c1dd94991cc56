"""Quantization: fewer bits for each weight, and for the inputs of the layers.

One method a file; `granularity` says what shares a scale, `ranges` which range the levels cover.
"""

from compress_core.methods.quantization.activations import (
    ACTIVATION_BITS,
    InputQuantizer,
    Mode,
    QuantizeActivations,
    dynamic_qparams,
    input_refusal,
    plan_input,
    round_input,
)
from compress_core.methods.quantization.affine import (
    BITS,
    Quantize,
    Quantized,
    quantize,
    textbook_min_max,
    textbook_times_255,
)
from compress_core.methods.quantization.binary import (
    Binarize,
    SignCoded,
    Ternarize,
    binarize,
    ternarize,
)
from compress_core.methods.quantization.data_aware import (
    CorrectBias,
    QuantizeGPTQ,
    corrected_bias,
    gptq,
)
from compress_core.methods.quantization.floats import (
    FORMAT_BITS,
    FloatCoded,
    FloatFormat,
    QuantizeFloat,
    decode_float,
    encode_float,
    quantize_float,
)
from compress_core.methods.quantization.granularity import GRANULARITIES, Granularity
from compress_core.methods.quantization.microscaling import (
    MX_FORMATS,
    MXCoded,
    MXFormat,
    QuantizeMX,
    quantize_mx,
)
from compress_core.methods.quantization.ranges import (
    CLIP_GRID,
    Clipping,
    Scheme,
    choose_qparams,
    code_range,
)
from compress_core.methods.quantization.rest import (
    REST_BITS,
    QuantizeRest,
    quantize_tensor,
    round_scale,
)

__all__ = [
    "ACTIVATION_BITS",
    "BITS",
    "CLIP_GRID",
    "FORMAT_BITS",
    "GRANULARITIES",
    "MX_FORMATS",
    "REST_BITS",
    "Binarize",
    "Clipping",
    "CorrectBias",
    "FloatCoded",
    "FloatFormat",
    "Granularity",
    "InputQuantizer",
    "MXCoded",
    "MXFormat",
    "Mode",
    "Quantize",
    "QuantizeActivations",
    "QuantizeFloat",
    "QuantizeGPTQ",
    "QuantizeMX",
    "QuantizeRest",
    "Quantized",
    "Scheme",
    "SignCoded",
    "Ternarize",
    "binarize",
    "choose_qparams",
    "code_range",
    "corrected_bias",
    "decode_float",
    "dynamic_qparams",
    "encode_float",
    "gptq",
    "input_refusal",
    "plan_input",
    "quantize",
    "quantize_float",
    "quantize_mx",
    "quantize_tensor",
    "round_input",
    "round_scale",
    "ternarize",
    "textbook_min_max",
    "textbook_times_255",
]
