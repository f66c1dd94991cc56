"""Show in a graph how the inputs of layers are rounded: quantize, clip, dequantize before each.

Static: QuantizeLinear with the calibrated scale. Dynamic: the definition of DynamicQuantizeLinear
written out, since the operator itself has one range for the whole batch; here each image of a
convolution has its own, and each row of other layers. Codes are uint8 at every width.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import torch

from compress_core.compressed import Compressed
from compress_core.graph.errors import GraphError
from compress_core.graph.naming import unique_name
from compress_core.graph.simplification import add_initializer
from compress_core.methods.quantization import InputQuantizer
from compress_core.stored import StoredLayer

Rounded = dict[tuple[ir.Value, int, float, int], ir.Value]  # by inputs, bits, scale, zero point
IMAGES_FIRST = {"Conv", "ConvTranspose"}  # their inputs are (B, C, …)
ROWS = {"Gemm"}  # (rows, in)


def write_inputs(
    model: ir.Model, compressed: Compressed, calls: Mapping[str, tuple[str, ...]]
) -> None:
    """Round the inputs of every layer of `model`, a clone of the structure, that has quantizers.

    `calls` are the nodes in which the layers multiply, by the keys of their weights.
    Before the weights are written: a layer is found by its blank weight.
    Raises GraphError for a layer whose call is not found.
    """
    quantized = {name: stored for stored, name in _rounded_calls(compressed, calls)}
    taken, rounded = {str(node.name) for node in model.graph}, Rounded()
    for node in list(model.graph):  # in their order: what is shared stands before its first reader
        stored = quantized.get(str(node.name))
        if stored:
            assert isinstance(stored.inputs, InputQuantizer), "no operators show other inputs"
            weight = model.graph.initializers[stored.weight_keys[0]]
            _Rounding(model.graph, node, weight, stored.inputs, taken).insert(rounded)


def _rounded_calls(
    compressed: Compressed, calls: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[StoredLayer, str]]:
    """The layers whose inputs are rounded, with the name of each node that multiplies these."""
    for stored in compressed.layers.values():
        if stored.inputs is None:
            continue
        found = calls[stored.weight_keys[0]]
        if not found:
            raise GraphError(
                f"the exported graph does not show where {stored.layer.name} multiplies its inputs,"
                " which are rounded; leave it out of quantize_activations (layers=…)"
            )
        for name in found:
            yield stored, name


@dataclass(frozen=True, eq=False)
class _Rounding:
    """The nodes that round the inputs of `user`, a node that multiplies with a layer's weight."""

    graph: ir.Graph
    user: ir.Node
    weight: ir.Value
    quantizer: InputQuantizer
    taken: set[str]  # names of nodes

    def insert(self, rounded: Rounded) -> None:
        """Round the inputs; layers that read the same ones in the same codes share them."""
        inputs, quantizer = self.user.inputs[0], self.quantizer
        assert inputs is not None
        if quantizer.scale is not None and quantizer.zero_point is not None:
            key = (inputs, quantizer.bits, float(quantizer.scale), int(quantizer.zero_point))
            if key not in rounded:
                rounded[key] = self._rounded(inputs)
            self.user.replace_input_with(0, rounded[key])
            return
        if self.user.op_type in IMAGES_FIRST | ROWS:
            self.user.replace_input_with(0, self._rounded(inputs))
            return
        # QuantizeLinear takes scales along one dimension: that of the rows, for any shape
        to_rows = self._constant("rows", np.array([-1, self._sizes[-1]]))
        rows, shape = self._node("Reshape", inputs, to_rows), self._node("Shape", inputs)
        self.user.replace_input_with(0, self._node("Reshape", self._rounded(rows), shape))

    @property
    def _sizes(self) -> tuple[int, ...]:
        """The shape of the weight, (out, in, …)."""
        assert self.weight.shape is not None
        return self.weight.shape.numpy()

    def _rounded(self, inputs: ir.Value) -> ir.Value:
        scale, zero_point = self._parameters(inputs)
        axis = {} if self.quantizer.scale is not None else {"axis": 0}
        codes = self._node("QuantizeLinear", inputs, scale, zero_point, **axis)
        if self.quantizer.bits < 8:
            limits = (np.uint8(0), np.uint8(2**self.quantizer.bits - 1))
            codes = self._node("Clip", codes, *map(self._constant, ("q_min", "q_max"), limits))
        rounded = self._node("DequantizeLinear", codes, scale, zero_point, **axis)
        rounded.shape, rounded.type = inputs.shape, ir.TensorType(ir.DataType.FLOAT)
        return rounded

    def _parameters(self, inputs: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Scale and zero point: constants, or as `choose_qparams` has them, for each of the first
        dimension of the inputs."""
        if self.quantizer.scale is not None and self.quantizer.zero_point is not None:
            scale = self._constant("scale", self.quantizer.scale.numpy())
            return scale, self._constant("zero_point", self.quantizer.zero_point.numpy())
        values = (0, 1, 2**self.quantizer.bits - 1, torch.finfo(torch.float32).tiny)
        names = ("zero", "one", "levels", "tiny")
        zero, one, levels, tiny = map(self._constant, names, map(np.float32, values))
        dimensions = len(self._sizes) if self.user.op_type in IMAGES_FIRST else 2
        others = self._constant("axes", np.arange(1, dimensions))  # all but the first
        low = self._node("Min", self._node("ReduceMin", inputs, others, keepdims=0), zero)
        high = self._node("Max", self._node("ReduceMax", inputs, others, keepdims=0), zero)
        width = self._node("Div", self._node("Sub", high, low), levels)
        scale = self._node("Where", self._node("Greater", width, tiny), width, one)
        shift = self._node("Round", self._node("Div", self._node("Neg", low), scale))
        shift = self._node("Clip", shift, zero, levels)
        return scale, self._node("Cast", shift, to=int(ir.DataType.UINT8))

    def _node(self, operator: str, *inputs: ir.Value, **attributes: int) -> ir.Value:
        node = ir.node(operator, inputs, attributes)
        self._insert(node)
        return node.outputs[0]

    def _insert(self, node: ir.Node) -> None:
        node.name = unique_name(f"{self.user.name}.input.{node.op_type}", self.taken)
        self.graph.insert_before(self.user, [node])

    def _constant(self, name: str, value: np.ndarray | np.generic) -> ir.Value:
        return add_initializer(self.graph, f"{self.user.name}.input.{name}", value)
