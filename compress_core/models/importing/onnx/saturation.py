"""Where onnxruntime's integer products are not what ONNX says, and how files are compared there.

On x86 processors without VNNI its kernels add two products of an unsigned and a signed byte in 16
bits, which saturate: 255 · 127 + 255 · 127 gives 32,767. Codes of 7 bits never do.
Source: onnxruntime.ai/docs/performance/model-optimizations/quantization.html.
"""

from functools import cache

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from compress_core.models.importing.onnx.reading import tensors_of


@cache
def products_saturate() -> bool:
    """Whether onnxruntime's products of bytes saturate on this processor."""
    import onnxruntime

    most = {"x": np.full((1, 8), 255, np.uint8), "w": np.full((8, 16), 127, np.int8)}
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 8]),
        helper.make_tensor_value_info("w", TensorProto.INT8, [8, 16]),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.INT32, [1, 16])
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["x", "w"], ["y"])], "most", inputs, [output]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 10)], ir_version=5)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, most)
    return bool((found != 8 * 255 * 127).any())


def with_halved_codes(raw: bytes) -> bytes | None:
    """The file with 7 bits of each weight of signed bytes, whose products do not saturate; None
    where there is no such weight."""
    model = onnx.load_model_from_string(raw)
    weights = [
        tensor
        for tensor in tensors_of(model.graph)
        if tensor.data_type == TensorProto.INT8 and len(tensor.dims) > 1
    ]
    for tensor in weights:
        codes = numpy_helper.to_array(tensor)
        tensor.CopyFrom(numpy_helper.from_array(codes >> 1, tensor.name))
    return bytes(model.SerializeToString()) if weights else None
