"""The operators of ONNX as functions of torch tensors, differentiable where ONNX's are."""

import onnx

from compress_core.models.importing.onnx.operators import (
    activations,
    attention,
    control,
    convolution,
    elementwise,
    indexing,
    logic,
    making,
    matrices,
    microsoft,
    microsoft_codes,
    normalization,
    padding,
    pooling,
    quantization,
    recurrent,
    reductions,
    resizing,
    sampling,
    sequences,
    shapes,
    types,
)
from compress_core.models.importing.onnx.operators.attributes import (
    Attributes,
    Builder,
    Operator,
    Subgraph,
)

OLDEST = 7  # before it, broadcasting was said by attributes

ONNX: dict[str, Builder] = {
    **activations.TABLE,
    **attention.TABLE,
    **control.TABLE,
    **convolution.TABLE,
    **elementwise.TABLE,
    **indexing.TABLE,
    **logic.TABLE,
    **making.TABLE,
    **matrices.TABLE,
    **normalization.TABLE,
    **padding.TABLE,
    **pooling.TABLE,
    **quantization.TABLE,
    **recurrent.TABLE,
    **reductions.TABLE,
    **resizing.TABLE,
    **sampling.TABLE,
    **sequences.TABLE,
    **shapes.TABLE,
    **types.TABLE,
}
MICROSOFT: dict[str, Builder] = {**microsoft.TABLE, **microsoft_codes.TABLE}
DOMAINS = {"": ONNX, "ai.onnx": ONNX, "com.microsoft": MICROSOFT}


def operator_for(
    node: onnx.NodeProto, opset: int, *, subgraph: Subgraph | None = None
) -> Operator | None:
    """What runs this node: its attributes are read here, once.

    None where the node has to run elsewhere: for an unknown operator or domain, and for an
    attribute that the operator here does not understand, which must not be passed over.
    """
    build = DOMAINS.get(node.domain, {}).get(node.op_type)
    if build is None or (opset < OLDEST and node.domain != "com.microsoft"):
        return None
    read = Attributes(node, opset, subgraph=subgraph)
    operator = build(read)
    return None if read.not_understood() else operator
