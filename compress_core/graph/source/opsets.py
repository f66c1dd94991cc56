"""The version of the operators that a graph needs for its codes, and how it gets there."""

import onnx_ir as ir
from onnx import (
    ModelProto,
    NodeProto,
    OperatorSetIdProto,
    TensorProto,
    ValueInfoProto,
    helper,
    version_converter,
)
from torch import nn

from compress_core.compressed import Compressed
from compress_core.graph.errors import GraphError
from compress_core.methods.quantization import FloatCoded, Quantized, SignCoded
from compress_core.methods.weight_sharing import Shared
from compress_core.models.importing.onnx import Codes, OnnxNetwork
from compress_core.models.importing.onnx.program import all_instructions
from compress_core.storage.streams import Codes as StoredCodes

ONE_SCALE, SCALES, BLOCKS = 10, 13, 21  # opsets of DequantizeLinear
ROUNDED_INPUTS = 21
# the same in every version, and written by onnxruntime into files of versions that lack it
NEVER_CHANGED = {"LayerNormalization"}


def needed_opset(compressed: Compressed) -> int:
    """The oldest version in which all that is written for the codes exists."""
    codes = [w.codes for s in compressed.layers.values() for w in s.weights]
    codes += [weight.codes for weight in compressed.network.coded.values()]
    inputs = [ROUNDED_INPUTS for s in compressed.layers.values() if s.inputs is not None]
    bytewise = rounds_activations(compressed.base.pristine)
    found = (_opset_of(one, bytewise) for one in codes if one is not None)
    return max([1, *inputs, *found])


def wished_opset(compressed: Compressed) -> int:
    """The oldest version in which codes that no step has changed can leave as they came, too."""
    own = (opset_of_codes(one) for one in _own_codes(compressed))
    return max([needed_opset(compressed), *own])


def _own_codes(compressed: Compressed) -> list[Codes]:
    """Those in which layers came that no step has changed."""
    network = compressed.base.pristine
    assert isinstance(network, OnnxNetwork)
    untouched = (name for name, s in compressed.layers.items() if len(s.key) == 1)
    return [network.codes[name] for name in untouched if name in network.codes]


def opset_of_codes(codes: Codes) -> int:
    """The oldest version that dequantizes them as they are."""
    if codes.block_size or codes.bits != 8:
        return BLOCKS
    return ONE_SCALE if codes.axis is None else SCALES


def rounds_activations(network: nn.Module) -> bool:
    """Whether the file itself rounds what its layers multiply: few bits are bytes there (see
    `widening`)."""
    assert isinstance(network, OnnxNetwork)
    found = all_instructions(network.program)
    return any(not one.layer and one.proto.op_type == "QuantizeLinear" for one in found)


def _opset_of(codes: StoredCodes, bytewise: bool) -> int:
    fewest = 2 if bytewise else 5  # bits of codes that are bytes in the file
    match codes:
        case Quantized() if codes.group_size is None and fewest <= codes.bits <= 8:
            return SCALES if codes.scale.dim() else ONE_SCALE
        case SignCoded() if bytewise:
            return SCALES
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
    imports = [one for one in model.opset_import if one.domain]
    hidden, rest = _apart(model)
    try:
        made = version_converter.convert_version(rest, opset)
    except Exception as error:  # of the converter, which is C++
        reason = str(error).strip().partition("\n")[0][:200]
        raise GraphError(
            f"the codes need version {opset} of ONNX's operators, and the file's graph cannot be "
            f"brought there ({reason}); export it with opset {opset}, or quantize to 8 bits with "
            "granularity=tensor"
        ) from error
    return _joined(made, hidden, imports, model)


def _apart(model: ModelProto) -> tuple[list[NodeProto], ModelProto]:
    """The nodes that the converter does not know, which no version changes, and the model without
    them: their outputs are inputs there, what they read are outputs."""
    hidden = [node for node in model.graph.node if _is_unknown(node)]
    rest = ModelProto()
    rest.CopyFrom(model)
    if not hidden:
        return [], rest
    kept = [node for node in model.graph.node if not _is_unknown(node)]
    for name in ("node", "output"):
        rest.graph.ClearField(name)
    rest.graph.node.extend(kept)
    made = {name for node in hidden for name in node.output if name}
    rest.graph.input.extend(_untyped(name) for name in sorted(made))
    read = {name for node in hidden for name in node.input} | {v.name for v in model.graph.output}
    outputs = sorted(read & {name for node in kept for name in node.output if name})
    rest.graph.output.extend(_untyped(name) for name in outputs)
    return hidden, rest


def _is_unknown(node: NodeProto) -> bool:
    return bool(node.domain) or node.op_type in NEVER_CHANGED


def _untyped(name: str) -> ValueInfoProto:
    """A value that is floats as far as the converter needs to know."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, None)


def _joined(
    made: ModelProto, hidden: list[NodeProto], imports: list[OperatorSetIdProto], own: ModelProto
) -> ModelProto:
    if not hidden:
        return made
    wanted = {value.name for value in own.graph.input}
    inputs = [value for value in made.graph.input if value.name in wanted]
    for name in ("input", "output", "value_info"):  # the converter's types are guesses by now
        made.graph.ClearField(name)
    made.graph.input.extend(inputs)
    made.graph.output.extend(own.graph.output)
    made.graph.node.extend(hidden)
    known = {one.domain for one in made.opset_import}
    made.opset_import.extend(one for one in imports if one.domain not in known)
    sorted_graph = ir.from_proto(made)
    sorted_graph.graph.sort()
    return ir.to_proto(sorted_graph)
