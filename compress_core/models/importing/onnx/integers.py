"""Write nodes that multiply integers as what they mean: dequantize, multiply, quantize again.

Then a weight of integers is a layer's weight like any other, exactly the value that it stands for,
and the inputs stay on the grid on which the file rounds them.
"""

from dataclasses import dataclass
from typing import Any

import torch
from onnx import NodeProto, TensorProto, helper

from compress_core.models.importing.onnx.constants import Constant
from compress_core.models.importing.onnx.folding import fold_node
from compress_core.models.importing.onnx.graph import Graph
from compress_core.models.importing.onnx.reading import attributes_of

FLOAT_OPERATOR = {
    "ConvInteger": "Conv",
    "MatMulInteger": "MatMul",
    "QLinearConv": "Conv",
    "QLinearMatMul": "MatMul",
    "QGemm": "Gemm",  # of com.microsoft
}
AXIS = {
    "Conv": 0,
    "MatMul": 1,
    "Gemm": 1,
}  # of the scales of a weight, where it has one for each output
AXIS_OPSET = 13  # the first in which scales run along an axis


def float_integers(graph: Graph) -> None:
    """Rewrite the nodes of `graph` that multiply by a constant of integers."""
    for node in list(graph.nodes):
        if node.op_type in FLOAT_OPERATOR and node.domain in ("", "com.microsoft"):
            _Rewriting(graph, node).rewrite()


@dataclass(eq=False)
class _Rewriting:
    graph: Graph
    node: NodeProto

    def rewrite(self) -> None:
        linear = self.node.op_type.startswith("Q")
        place = 3 if linear else 1
        weight = self.graph.constant(self.node.input[place])
        if weight is None or weight.is_float:
            return
        if linear:
            self._rewrite_linear(weight)
        else:
            self._rewrite_integer(weight)

    def _rewrite_linear(self, weight: Constant) -> None:
        x, x_scale, x_zero, _, w_scale, w_zero, y_scale, y_zero, c = self._linear_inputs
        scale, zero = self.graph.constant(w_scale), self.graph.constant(w_zero)
        first = self.graph.constant(x_scale)
        if scale is None or first is None:
            return
        name = self._name("weight")
        self.graph.constants[name] = self._dequantized(weight, scale, zero)
        dequantize = self._node("DequantizeLinear", [x, x_scale, x_zero], self._name("x"))
        inputs = [dequantize.output[0], name]
        if c:
            bias = self.graph.constant(c)
            if bias is None:
                return
            values = bias.values.float() * (first.values * scale.values)
            inputs.append(self._name("bias"))
            self.graph.constants[inputs[-1]] = Constant(values, bias.root, bias.own_type)
        made = self._name("y") if y_scale else self.node.output[0]
        product = self._node(self._operator, inputs, made, copied=True)
        nodes = [dequantize, product]
        if y_scale:
            given = [made, y_scale, y_zero]
            nodes.append(self._node("QuantizeLinear", given, self.node.output[0]))
        self._replace(nodes)

    @property
    def _linear_inputs(self) -> tuple[str, ...]:
        """x, its scale and zero point, the weight and its, those of y, and the bias."""
        given = [*self.node.input, *[""] * 9][:9]
        if self.node.op_type == "QGemm":  # has the bias before y's
            given = [*given[:6], *given[7:9], given[6]]
        return tuple(given)

    def _rewrite_integer(self, weight: Constant) -> None:
        """x and its zero point are subtracted as floats; the scale of the weight, which a Mul
        behind applies, moves into the weight, and into a bias that is added before."""
        x, _, x_zero, w_zero = (*self.node.input, "", "")[:4]
        zero = self.graph.constant(w_zero) if w_zero else None
        product, add = self.node.output[0], self._bias_behind()
        summed = product if add is None else add.output[0]
        scale = self._scale_behind(summed)
        name = self._name("weight")
        self.graph.constants[name] = self._dequantized(weight, scale, zero)
        # no DequantizeLinear: onnxruntime rounds floats that stand behind one to integers itself
        to_float: dict[str, Any] = {"to": TensorProto.FLOAT}
        nodes = [self._node("Cast", [x], self._name("x_float"), **to_float)]
        if x_zero:
            nodes.append(self._node("Cast", [x_zero], self._name("x_zero"), **to_float))
            given = [nodes[0].output[0], nodes[1].output[0]]
            nodes.append(self._node("Sub", given, self._name("x")))
        inputs = [nodes[-1].output[0], name]
        stays_float = self._is_cast(summed)
        made = product if stays_float else self._name("y")
        nodes.append(self._node(self._operator, inputs, made, copied=True))
        if not stays_float:
            nodes.append(self._node("Cast", [made], product, to=TensorProto.INT32))
        elif add is not None:
            self._float_bias(add, scale)
        self._replace(nodes)

    def _bias_behind(self) -> NodeProto | None:
        """The Add of a constant of integers that alone reads the product."""
        add = self._only_reader(self.node.output[0], "Add")
        if add is None:
            return None
        others = (self.graph.constant(name) for name in add.input)
        return add if any(o is not None and not o.is_float for o in others) else None

    def _float_bias(self, add: NodeProto, scale: Constant) -> None:
        place = 1 - list(add.input).index(self.node.output[0])
        bias = self.graph.constant(add.input[place])
        assert bias is not None
        values = bias.values.float() * scale.values
        add.input[place] = self._name("bias")
        self.graph.constants[add.input[place]] = Constant(values, bias.root, bias.own_type)

    def _is_cast(self, name: str) -> bool:
        """Whether all that reads these integers makes floats of them."""
        readers = self.graph.readers(name)
        casts = all(node.op_type == "Cast" for node in readers)
        return bool(readers) and casts and name not in self.graph.outputs

    @property
    def _operator(self) -> str:
        return FLOAT_OPERATOR[self.node.op_type]

    def _dequantized(self, weight: Constant, scale: Constant, zero: Constant | None) -> Constant:
        """The weight as floats, with its codes."""
        if zero is None:
            zero = Constant(torch.zeros_like(scale.values, dtype=weight.values.dtype), "", 0)
        axis = AXIS[self._operator] if scale.values.numel() > 1 else None
        if axis is not None and attributes_of(self.node).get("transB"):
            axis = 0
        flat: dict[str, Any] = {"axis": axis} if axis is not None else {}
        shape = (-1,) if axis is not None else ()
        scale = scale.laid_out(scale.values.reshape(shape))
        zero = zero.laid_out(zero.values.reshape(shape).expand(scale.values.shape).contiguous())
        node = helper.make_node("DequantizeLinear", ["w", "s", "z"], ["y"], **flat)
        opset = max(self.graph.opsets.get("", 1), AXIS_OPSET)
        made = fold_node(node, [weight, scale, zero], {**self.graph.opsets, "": opset})
        assert made is not None
        return made[0]

    def _scale_behind(self, product: str) -> Constant:
        """The scale of the weight in y · (x_scale · w_scale), which is taken out of the graph; 1
        where nothing like it stands behind `product`."""
        one = Constant(torch.tensor(1.0), "", TensorProto.FLOAT)
        cast = self._only_reader(product, "Cast")
        times = cast and self._only_reader(cast.output[0], "Mul")
        if times is None or cast is None:
            return one
        i = 1 - list(times.input).index(cast.output[0])
        other = self.graph.constant(times.input[i])
        if other is not None:  # both scales are constants
            own = self._of_weight(other.factors)
            if own is None or not self._fits(own):
                return one
            rest = next(factor for factor in other.factors if factor is not own)
            times.input[i] = self._constant("x_scale", rest.values)
            return own
        maker = next((n for n in self.graph.nodes if times.input[i] in n.output), None)
        if maker is None or maker.op_type != "Mul":
            return one
        for k, name in enumerate(maker.input):
            found = self.graph.constant(name)
            if found is not None and self._fits(found):
                times.input[i] = maker.input[1 - k]
                return found
        return one

    def _of_weight(self, factors: tuple[Constant, ...]) -> Constant | None:
        """Of the scales of inputs and weight the second: the first is that of the codes x."""
        encoder = next((n for n in self.graph.nodes if self.node.input[0] in n.output), None)
        if encoder is None or encoder.op_type != "QuantizeLinear" or len(factors) != 2:
            return None
        scale = self.graph.constant(encoder.input[1])
        others = [factor for factor in factors if scale is None or factor.root != scale.root]
        return others[0] if len(others) == 1 else None

    def _fits(self, scale: Constant) -> bool:
        """Whether it is one scale, or one for each output of a product of matrices."""
        shape = tuple(scale.values.shape)
        return scale.values.numel() == 1 or (self._operator == "MatMul" and len(shape) == 1)

    def _only_reader(self, name: str, op_type: str) -> NodeProto | None:
        readers = self.graph.readers(name)
        if len(readers) != 1 or readers[0].op_type != op_type or name in self.graph.outputs:
            return None
        return readers[0]

    def _constant(self, word: str, values: torch.Tensor) -> str:
        name = self._name(word)
        self.graph.constants[name] = Constant(values, name, TensorProto.FLOAT)
        return name

    def _name(self, word: str) -> str:
        return f"{self.node.output[0]}/{word}"

    def _node(
        self, op_type: str, inputs: list[str], output: str, *, copied: bool = False, **named: Any
    ) -> NodeProto:
        kept = {**attributes_of(self.node), **named} if copied else named
        name = self.node.name if copied else f"{self.node.name}/{output.rpartition('/')[2]}"
        return helper.make_node(op_type, inputs, [output], name=name, **kept)

    def _replace(self, nodes: list[NodeProto]) -> None:
        place = next(i for i, node in enumerate(self.graph.nodes) if node is self.node)
        self.graph.nodes[place : place + 1] = nodes
        self.graph.made.update(name for node in nodes for name in node.output)
