"""Weights of few bits, packed into bytes by onnxruntime's tools (MatMulNBits), as layers."""

import torch
from onnx import NodeProto, TensorProto, helper

from compress_core.models.importing.onnx.constants import Codes, Constant
from compress_core.models.importing.onnx.graph import Graph
from compress_core.models.importing.onnx.operators.microsoft_codes import (
    unpack,
    unpacked_weight,
    zeros_of,
)
from compress_core.models.importing.onnx.reading import attributes_of

OWN_TYPES = {4: TensorProto.UINT4, 8: TensorProto.UINT8}


def open_packed(graph: Graph) -> None:
    """Write each MatMulNBits with constant weights as a MatMul with what these stand for."""
    for place, node in reversed(list(enumerate(graph.nodes))):
        if node.op_type == "MatMulNBits" and node.domain == "com.microsoft":
            made = _opened(graph, node)
            if made:
                graph.nodes[place : place + 1] = made


def _opened(graph: Graph, node: NodeProto) -> list[NodeProto] | None:
    x, *names = [*node.input, *[""] * 6][:6]
    packed, scales, zeros, order, bias = (graph.constant(name) if name else None for name in names)
    named = attributes_of(node)
    bits, block = named.get("bits", 4), named.get("block_size", 32)
    if packed is None or scales is None or order is not None or (names[4] and bias is None):
        return None
    if bits not in OWN_TYPES or not isinstance(block, int) or (names[2] and zeros is None):
        return None
    assert isinstance(bits, int)
    n, k = int(str(named["N"])), int(str(named["K"]))
    zero_points = None if zeros is None else zeros.values
    weight = unpacked_weight(packed.values, scales.values, zero_points, (n, k), bits, block)
    blocks = -(-k // block)
    middle = torch.full((n, blocks), 2 ** (bits - 1), dtype=torch.uint8)
    found = middle if zero_points is None else zeros_of(zero_points, n, blocks, bits)[..., 0]
    whole = unpack(packed.values.reshape(n, blocks, -1), bits).reshape(n, -1)[:, :k].contiguous()
    scale = scales.values.reshape(n, blocks)
    codes = Codes(whole, scale, found.reshape(n, blocks), 1, f"uint{bits}", block)
    name = f"{node.output[0]}/weight"
    graph.constants[name] = Constant(weight.t(), packed.root, OWN_TYPES[bits], codes)
    return _product(node, x, name, names[4])


def _product(node: NodeProto, x: str, weight: str, bias: str) -> list[NodeProto]:
    made = f"{node.output[0]}/y" if bias else node.output[0]
    product = helper.make_node("MatMul", [x, weight], [made], name=node.name)
    if not bias:
        return [product]
    add = helper.make_node("Add", [made, bias], list(node.output), name=f"{node.name}/bias")
    return [product, add]
