"""Show in a graph how the inputs of layers are rounded: quantize, clip, dequantize before each.

Static: QuantizeLinear with the calibrated scale. Dynamic: DynamicQuantizeLinear, which has 8 bits;
below, its own definition written out, with fewer levels. Codes are uint8 at every width.
"""

from dataclasses import dataclass

import numpy as np
import onnx_ir as ir
import torch

from compress_core.compressed import Compressed
from compress_core.graph.simplification import add_initializer
from compress_core.graph.structure import unique_name, weight_users
from compress_core.methods.quantization import InputQuantizer


def write_inputs(model: ir.Model, compressed: Compressed) -> None:
    """Round the inputs of every layer of `model`, a clone of the structure, that has quantizers.

    Before the weights are written: a layer is found by its blank weight.
    """
    taken = {str(node.name) for node in model.graph}
    for stored in compressed.layers.values():
        if stored.inputs is None:
            continue
        assert isinstance(stored.inputs, InputQuantizer), "no operators show other inputs"
        weight = model.graph.initializers[stored.weight_keys[0]]
        for user in weight_users(weight):
            _Rounding(model.graph, user, stored.inputs, taken).insert()


@dataclass(frozen=True, eq=False)
class _Rounding:
    """The nodes that round what `user`, a node with a layer's weight, multiplies."""

    graph: ir.Graph
    user: ir.Node
    quantizer: InputQuantizer
    taken: set[str]  # names of nodes

    def insert(self) -> None:
        inputs = self.user.inputs[0]
        assert inputs is not None
        codes, scale, zero_point = self._codes(inputs)
        rounded = self._node("DequantizeLinear", codes, scale, zero_point)
        rounded.shape, rounded.type = inputs.shape, ir.TensorType(ir.DataType.FLOAT)
        self.user.replace_input_with(0, rounded)

    def _codes(self, inputs: ir.Value) -> tuple[ir.Value, ir.Value, ir.Value]:
        """Codes, scale and zero point of the inputs."""
        if self.quantizer.scale is None and self.quantizer.bits == 8:
            node = ir.node("DynamicQuantizeLinear", [inputs], num_outputs=3)
            self._insert(node)
            codes, scale, zero_point = node.outputs
            return codes, scale, zero_point
        scale, zero_point = self._parameters(inputs)
        codes = self._node("QuantizeLinear", inputs, scale, zero_point)
        if self.quantizer.bits < 8:
            limits = (np.uint8(0), np.uint8(2**self.quantizer.bits - 1))
            codes = self._node("Clip", codes, *map(self._constant, ("q_min", "q_max"), limits))
        return codes, scale, zero_point

    def _parameters(self, inputs: ir.Value) -> tuple[ir.Value, ir.Value]:
        """Scale and zero point: constants, or as `choose_qparams` has them of each input."""
        if self.quantizer.scale is not None and self.quantizer.zero_point is not None:
            scale = self._constant("scale", self.quantizer.scale.numpy())
            return scale, self._constant("zero_point", self.quantizer.zero_point.numpy())
        values = (0, 1, 2**self.quantizer.bits - 1, torch.finfo(torch.float32).tiny)
        names = ("zero", "one", "levels", "tiny")
        zero, one, levels, tiny = map(self._constant, names, map(np.float32, values))
        low = self._node("Min", self._node("ReduceMin", inputs, keepdims=0), zero)
        high = self._node("Max", self._node("ReduceMax", inputs, keepdims=0), zero)
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
