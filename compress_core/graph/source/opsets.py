"""The version of the operators that a graph needs for its codes, and how it gets there."""

from onnx import ModelProto, helper, version_converter

from compress_core.compressed import Compressed
from compress_core.graph.errors import GraphError
from compress_core.methods.quantization import FloatCoded, Quantized, SignCoded
from compress_core.methods.weight_sharing import Shared
from compress_core.storage.streams import Codes

ONE_SCALE, SCALES, BLOCKS = 10, 13, 21  # opsets of DequantizeLinear
ROUNDED_INPUTS = 21


def needed_opset(compressed: Compressed) -> int:
    """The oldest version in which all that is written for the codes exists."""
    codes = [w.codes for s in compressed.layers.values() for w in s.weights]
    codes += [weight.codes for weight in compressed.network.coded.values()]
    inputs = [ROUNDED_INPUTS for s in compressed.layers.values() if s.inputs is not None]
    return max([1, *inputs, *(_opset_of(one) for one in codes if one is not None)])


def _opset_of(codes: Codes) -> int:
    match codes:
        case Quantized() if codes.group_size is None and 4 < codes.bits <= 8:
            return SCALES if codes.scale.dim() else ONE_SCALE
        case Shared():
            return ONE_SCALE if 4 < codes.bits <= 8 else BLOCKS
        case FloatCoded() if codes.bits == 16:
            return SCALES
        case Quantized() | SignCoded() | FloatCoded():
            return BLOCKS
    return 1


def raise_opset(model: ModelProto, opset: int) -> ModelProto:
    """The model with operators of at least that version."""
    own = next(one for one in model.opset_import if one.domain == "")
    if own.version < opset:
        model = _converted(model, opset)
    least = helper.find_min_ir_version_for(list(model.opset_import), ignore_unknown=True)
    model.ir_version = max(model.ir_version, least)
    return model


def _converted(model: ModelProto, opset: int) -> ModelProto:
    try:
        return version_converter.convert_version(model, opset)
    except Exception as error:  # of the converter, which is C++
        reason = str(error).strip().partition("\n")[0][:200]
        raise GraphError(
            f"the codes need version {opset} of ONNX's operators, and the file's graph cannot be "
            f"brought there ({reason}); export it with opset {opset}, or quantize to 8 bits with "
            "granularity=tensor"
        ) from error
