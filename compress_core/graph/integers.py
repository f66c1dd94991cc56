"""Let a graph multiply integers: what onnxruntime needs to make one integer kernel of a layer.

A layer whose inputs have static codes, and whose weight is dequantized from integers of 8 bits,
becomes a QLinearConv where only operators that keep the order of numbers (ReLU, max pooling,
Reshape) stand between it and the codes of the next, or a QGemm. For that:

- The bias becomes int32, its scale that of the products, x_scale · w_scale. It moves by at most
  half of what one code of an input times one code of a weight adds. (onnxruntime would do so by
  itself behind convolutions, and ruin the bias of a channel whose weights are all zero.)
- A batch norm behind a convolution moves into the scales of the weight and into the bias. The codes
  stay; those of a channel with a negative factor change their sign. Exact but for rounded floats.
- Zero points are given even where they are 0, and few bits are spread over all 8: both exact.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray
from onnx_ir.passes import common

from compress_core.graph.simplification import add_initializer, replace_value

Floats = NDArray[np.floating[Any]]

BYTES = {ir.DataType.INT8, ir.DataType.UINT8}
MOST = 2**31 - 1  # of an int32
KEEPS_ORDER = {"Relu", "Clip", "MaxPool", "Reshape", "Flatten", "Transpose"}
STEP = 2.0**-20  # of a bias whose channel has no weight but zeros: any scale decodes those


def write_integers(model: ir.Model) -> None:
    """Rewrite the layers of `model` that can multiply integers; weights and inputs are written."""
    for node in list(model.graph):
        weight = read_weight(node) if _gains(node) else None
        if weight and _is_constant(node, 2):
            _write_layer(model.graph, node, weight)
    common.RemoveUnusedNodesPass()(model)  # the biases and norms that became integers


def _gains(node: ir.Node) -> bool:
    """Whether a layer becomes an integer kernel, if it has the weight and the inputs for it."""
    if node.op_type != "Conv":
        return node.op_type == "Gemm" and _has_bytes(node)
    norm = _norm_behind(node)
    return _reaches_codes((norm or node).outputs[0]) and (norm is None or _has_bytes(node))


def _has_bytes(node: ir.Node) -> bool:
    """Whether its inputs take all of 8 bits; fewer are clipped, which is left exact if possible."""
    decoder = node.inputs[0].producer() if node.inputs[0] else None
    codes = decoder.inputs[0] if decoder else None
    encoder = codes.producer() if codes else None
    return encoder is not None and encoder.op_type == "QuantizeLinear"


def _reaches_codes(value: ir.Value) -> bool:
    """Whether a value becomes codes, and nothing else, by operators that keep its order."""
    uses = tuple(value.uses())
    if len(uses) != 1 or value.is_graph_output():
        return False
    reader = uses[0].node
    if reader.op_type == "QuantizeLinear":
        return True
    return reader.op_type in KEEPS_ORDER and _reaches_codes(reader.outputs[0])


@dataclass(frozen=True, eq=False)
class IntegerWeight:
    """A weight's codes (out, …), and () or (out,) scales and zero points, as `decoder` has them;
    `x_scale` is that of the inputs which it multiplies."""

    decoder: ir.Node
    codes: NDArray[np.integer[Any]]
    scale: Floats
    zero_point: NDArray[np.integer[Any]]
    x_scale: Floats

    @property
    def is_read_once(self) -> bool:
        output = self.decoder.outputs[0]
        return len(output.uses()) == 1 and not output.is_graph_output()

    @property
    def product_scale(self) -> Floats:
        """Of the products of two codes, () or (out,) float32."""
        return np.asarray(self.x_scale * self.scale, np.float32)

    def times(self, factor: Floats) -> "IntegerWeight":
        """The weight times factor (out,), in as many codes."""
        levels = 255 if self.codes.dtype == np.uint8 else 0
        codes, zero = self.codes.astype(int), np.broadcast_to(self.zero_point, factor.shape)
        zero = np.where(factor < 0, levels - zero.astype(int), zero)
        codes = np.where(self._column(factor < 0), levels - codes, codes)
        codes = np.where(self._column(factor == 0), self._column(zero), codes)
        scale = (np.abs(factor) * self.scale).astype(np.float32)
        dtype = self.codes.dtype
        return replace(self, codes=codes.astype(dtype), scale=scale, zero_point=zero.astype(dtype))

    def can_be_times(self, factor: Floats) -> bool:
        """Whether a negative factor (out,) has codes to turn to: -128 has no opposite."""
        return bool((factor >= 0).all() or self.codes.min() > np.iinfo(np.int8).min)

    def spread(self) -> "IntegerWeight":
        """The same weight with codes that are 2ⁱ times as large and scales as much smaller."""
        largest = max(1, np.abs(self.codes.astype(int)).max(), self.zero_point.max())
        room = np.iinfo(self.codes.dtype).max // largest
        factor = 2 ** int(np.log2(max(1, room)))  # -128 leaves none, and is somebody else's code
        if self.scale.min() / factor < np.finfo(np.float32).tiny:  # no power of two is exact there
            return self
        codes, zero = self.codes * factor, self.zero_point * factor
        scale = self.scale / np.float32(factor)
        dtype = self.codes.dtype
        return replace(self, codes=codes.astype(dtype), scale=scale, zero_point=zero.astype(dtype))

    def fit_zeros(self, bias: Floats) -> "IntegerWeight":
        """With scales in which the bias (out,) is precise for channels that hold zeros alone."""
        others = tuple(range(1, self.codes.ndim))
        zeros = (self.codes == self._column(self.zero_point)).all(axis=others)
        if not zeros.any():
            return self
        steps = np.abs(bias) * STEP / self.x_scale
        steps = np.where(steps > np.finfo(np.float32).tiny, steps, 1)
        scale = np.where(zeros, steps, self.scale).astype(np.float32)
        return replace(self, scale=scale, zero_point=np.broadcast_to(self.zero_point, scale.shape))

    def write(self, graph: ir.Graph) -> None:
        """Give the decoder these codes, scales and zero points, without which nothing is fused."""
        arrays = {"codes": self.codes, "scale": self.scale, "zero_point": self.zero_point}
        self.decoder.resize_inputs(3)
        for i, (name, array) in enumerate(arrays.items()):
            self.decoder.replace_input_with(
                i, _put(graph, f"{self.decoder.outputs[0].name}.{name}", array)
            )
        if self.scale.ndim:
            self.decoder.attributes["axis"] = ir.AttrInt64("axis", 0)

    def _column(self, values: NDArray[Any]) -> NDArray[Any]:
        """Values () or (out,) along the first dimension of the codes."""
        return values.reshape(-1, *[1] * (self.codes.ndim - 1))


def read_weight(node: ir.Node) -> IntegerWeight | None:
    """The weight of a layer that can multiply integers, None of any other."""
    x, decoder = (value.producer() if value else None for value in node.inputs[:2])
    if not all(made and made.op_type == "DequantizeLinear" for made in (x, decoder)):
        return None
    assert x is not None
    assert decoder is not None
    in_bytes = decoder.inputs[0] is not None and decoder.inputs[0].dtype in BYTES
    if "block_size" in decoder.attributes or not in_bytes or not _is_constant(x, 1):
        return None
    codes, scale = _array(decoder, 0), _array(decoder, 1)
    zero_point = (
        _array(decoder, 2) if len(decoder.inputs) > 2 else np.zeros_like(scale, codes.dtype)
    )
    return IntegerWeight(decoder, codes, scale, zero_point, _array(x, 1))


def _write_layer(graph: ir.Graph, node: ir.Node, weight: IntegerWeight) -> None:
    bias = _array(node, 2).astype(float) if len(node.inputs) > 2 else None
    norm = _norm_behind(node)
    changed = weight
    factor, shift = _norm_of(norm) if norm else (np.zeros(0), np.zeros(0))
    if norm and weight.is_read_once and weight.can_be_times(factor):
        changed, bias = weight.times(factor), shift + factor * (0 if bias is None else bias)
        replace_value(norm.outputs[0], node.outputs[0])
        graph.remove(norm, safe=True)
    if weight.is_read_once:
        changed = changed.spread() if bias is None else changed.spread().fit_zeros(bias)
        changed.write(graph)
    if bias is None:
        return
    node.resize_inputs(2)
    codes = np.rint(bias / changed.product_scale)
    if np.abs(codes).max() <= MOST:
        _give_integer_bias(graph, node, codes.astype(np.int32), changed.product_scale)
    else:  # beside such a bias the weights are nearly nothing
        _add_behind(graph, node, bias.astype(np.float32), weight.codes.ndim)


def _give_integer_bias(graph: ir.Graph, node: ir.Node, codes: NDArray[Any], scale: Floats) -> None:
    arrays = {"codes": codes, "scale": scale}
    inputs = [add_initializer(graph, f"{node.name}.bias.{k}", v) for k, v in arrays.items()]
    name = f"{node.name}.bias.DequantizeLinear"
    decoder = ir.node("DequantizeLinear", inputs, {"axis": 0} if scale.ndim else {}, name=name)
    graph.insert_before(node, [decoder])
    node.resize_inputs(3)
    node.replace_input_with(2, decoder.outputs[0])


def _add_behind(graph: ir.Graph, node: ir.Node, bias: Floats, weight_rank: int) -> None:
    spread = (-1, *[1] * (weight_rank - 2))  # over the positions of a convolution
    values = add_initializer(graph, f"{node.name}.bias.values", bias.reshape(spread))
    add = ir.node("Add", [None, values], name=f"{node.name}.bias.Add")
    graph.insert_after(node, [add])
    replace_value(node.outputs[0], add.outputs[0])
    add.replace_input_with(0, node.outputs[0])


def _norm_behind(node: ir.Node) -> ir.Node | None:
    """The batch norm that alone reads what the node makes."""
    output = node.outputs[0]
    uses = tuple(output.uses())
    if len(uses) != 1 or output.is_graph_output():
        return None
    norm, position = uses[0].node, uses[0].idx
    if norm.op_type != "BatchNormalization" or position != 0:
        return None
    return norm if all(_is_constant(norm, i) for i in range(1, 5)) else None


def _norm_of(norm: ir.Node) -> tuple[Floats, Floats]:
    """Factor and shift of each channel, float64: y = factor · x + shift."""
    gamma, beta, mean, variance = (_array(norm, i).astype(float) for i in range(1, 5))
    factor = gamma / np.sqrt(variance + norm.attributes.get_float("epsilon", 1e-5))
    return factor, beta - factor * mean


def _is_constant(node: ir.Node, position: int) -> bool:
    """Whether an input is an initializer with data, or absent."""
    value = node.inputs[position] if len(node.inputs) > position else None
    return value is None or value.const_value is not None


def _array(node: ir.Node, position: int) -> NDArray[Any]:
    value = node.inputs[position]
    assert value is not None
    assert value.const_value is not None
    return value.const_value.numpy()


def _put(graph: ir.Graph, name: str, array: NDArray[Any]) -> ir.Value:
    """An initializer of this name, in the place of the one that has it."""
    graph.initializers.pop(name, None)
    return add_initializer(graph, name, np.array(array, order="C"))
