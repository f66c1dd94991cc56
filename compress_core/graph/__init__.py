"""The ONNX graph of a compressed model, annotated for people, and a light form of it for viewers.

torch.onnx.export runs once per structure (`structure`); each recipe then only fills the weights
in (`weights`) and says at each node what was done to it (`annotation`).
"""

from compress_core.compressed import Compressed

DATA_FIELDS = (
    "raw_data",
    "float_data",
    "double_data",
    "int32_data",
    "int64_data",
    "uint64_data",
    "string_data",
)


def to_onnx(compressed: Compressed) -> bytes:
    """The compressed model as an ONNX file, for any batch size.

    A single input is named "images", a single output "logits"; several input_0, output_0 and so on.
    Quantized weights are integers behind DequantizeLinear nodes, in the smallest integer type that
    holds their codes, and decode bit for bit to the weights of `compressed.module`. Rounded inputs
    pass QuantizeLinear and DequantizeLinear, with a constant scale or one that the graph computes
    of each image. Layers that can multiply integers get int32 biases, and scales that hold a norm
    behind them (`integers`): there a code may differ from the module's by one.
    The first call for a structure takes seconds, later ones milliseconds; equal models give equal
    bytes. A network that came from an ONNX file leaves as that file's graph with other weights: its
    names, types and free sizes stay, and so does the version of the operators, unless the codes
    need a newer one.
    Raises GraphError (a ValueError) for a model that cannot be exported.
    """
    # onnx and its helpers take half a second to import, which only callers of this function pay
    import onnx_ir as ir

    from compress_core.graph.activations import write_inputs
    from compress_core.graph.annotation import annotate
    from compress_core.graph.integers import write_integers
    from compress_core.graph.source.own_types import write_own_types
    from compress_core.graph.source.widening import widen_codes
    from compress_core.graph.structure import find_structure
    from compress_core.graph.weights import write_weights
    from compress_core.models.importing.onnx import OnnxNetwork

    structure = find_structure(compressed)
    model = structure.model.clone()
    write_inputs(model, compressed, structure.calls)  # while a layer is found by its blank weight
    write_weights(model, compressed)
    if isinstance(compressed.base.pristine, OnnxNetwork):
        write_own_types(model, compressed)
        widen_codes(model)
    write_integers(model)
    annotate(model, compressed, structure.macs)
    raw: bytes = ir.to_proto(model).SerializeToString(deterministic=True)
    return raw


def strip_weights(model: bytes, *, limit: int = 1024) -> bytes:
    """The graph without the data of initializers above `limit` bytes; name, type and shape stay.

    For viewers alone: Netron calls such a tensor empty and shows its type and shape, while one
    whose data lies in an absent external file makes it ask the server for that file.
    """
    import onnx

    graph = onnx.load_model_from_string(model)
    for tensor in graph.graph.initializer:
        if tensor.ByteSize() > limit:
            for field in DATA_FIELDS:
                tensor.ClearField(field)
    stripped: bytes = graph.SerializeToString(deterministic=True)
    return stripped
