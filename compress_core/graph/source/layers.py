"""The nodes of layers: each reads its weight as torch lays it out."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from compress_core.graph.source.recurrent import write_recurrent
from compress_core.graph.source.writer import Writer
from compress_core.models.importing.onnx.calls import (
    Call,
    Cropped,
    Padded,
    Recurrent,
    SamePadded,
)

Convolution = nn.Conv1d | nn.Conv2d | nn.Conv3d
Transposed = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d
BatchNorm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
BIAS_IS_OPTIONAL = 11  # the opset since which a Gemm may have none
InstanceNorm = nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d


def write_layer(
    writer: Writer,
    path: str,
    module: nn.Module,
    call: Call,
    inputs: Sequence[str],
    outputs: Sequence[str],
    rank: int,
) -> None:
    """Write what runs under `path`: a layer, or the factors in its place. `rank` is the number of
    dimensions of its first input."""
    x, y = inputs[0], outputs[0]
    if isinstance(call, Recurrent):
        assert isinstance(module, nn.RNNBase)
        write_recurrent(writer, path, module, call, inputs, outputs)
        return
    if not isinstance(module, nn.Sequential):
        _write_one(writer, path, module, call, x, y, rank)
        return
    last = len(module) - 1
    for i, (part, own) in enumerate(zip(module, _spread(module, call), strict=True)):
        made = y if i == last else writer.inner(path, f"factor_{i}")
        _write_one(writer, f"{path}.{i}", part, own, x, made, rank)
        x = made


def _spread(factors: nn.Sequential, call: Call) -> list[Call]:
    """Which of the factors pads along which dimension: the one whose kernel spans it. Before that
    stand only products without a bias, which leave zeros zero."""
    if not isinstance(call, Padded):
        return [call] * len(factors)
    sizes = [tuple(getattr(part, "kernel_size", ())) for part in factors]
    owners = [
        next((i for i, size in enumerate(sizes) if size[d] > 1), 0) for d in range(len(sizes[0]))
    ]
    return [
        Padded(
            tuple(n if owners[d] == i else 0 for d, n in enumerate(call.before)),
            tuple(n if owners[d] == i else 0 for d, n in enumerate(call.behind)),
        )
        for i in range(len(factors))
    ]


def _write_one(
    writer: Writer, path: str, module: nn.Module, call: Call, x: str, y: str, rank: int
) -> None:
    match module:
        case nn.Linear():
            _write_linear(writer, path, module, x, y, rank)
        case nn.Embedding():
            key = writer.weight(module.weight)
            writer.node("Gather", [key, x], y, name=path, axis=0)
            writer.multiplies(key)
        case nn.Identity():
            writer.node("Identity", [x], y, name=path)
        case nn.LayerNorm():
            axes = {"axis": -len(module.normalized_shape), "epsilon": module.eps}
            _write_norm(writer, path, module, "LayerNormalization", x, y, **axes)
        case nn.GroupNorm():
            groups = {"num_groups": module.num_groups, "epsilon": module.eps}
            _write_norm(writer, path, module, "GroupNormalization", x, y, **groups)
        case _ if isinstance(module, InstanceNorm):
            _write_norm(writer, path, module, "InstanceNormalization", x, y, epsilon=module.eps)
        case _ if isinstance(module, BatchNorm):
            found = (module.weight, module.bias, module.running_mean, module.running_var)
            inputs = [x, *map(writer.weight, found)]
            writer.node("BatchNormalization", inputs, y, name=path, epsilon=module.eps)
        case _ if isinstance(module, Convolution):
            _write_product(writer, path, module, "Conv", x, y, **_conv_attributes(module, call))
        case _ if isinstance(module, Transposed):
            attributes = _transposed_attributes(module, call)
            _write_product(writer, path, module, "ConvTranspose", x, y, **attributes)
        case _:
            raise AssertionError(f"no builder makes a {type(module).__name__}")


def _write_norm(
    writer: Writer, path: str, module: nn.Module, op_type: str, x: str, y: str, **named: Any
) -> None:
    inputs = [x, writer.weight(module._parameters["weight"])]
    bias = writer.weight(module._parameters["bias"])
    writer.node(op_type, [*inputs, *([bias] if bias else [])], y, name=path, **named)


def _write_product(
    writer: Writer, path: str, module: nn.Module, op_type: str, x: str, y: str, **named: Any
) -> None:
    key, bias = (writer.weight(module._parameters[name]) for name in ("weight", "bias"))
    if op_type == "Gemm" and not bias and writer.opset < BIAS_IS_OPTIONAL:
        bias = writer.inner(path, "no_bias")
        writer.constants[bias] = torch.zeros(len(module.get_parameter("weight")))
    writer.node(op_type, [x, key, *([bias] if bias else [])], y, name=path, **named)
    writer.multiplies(key)


def _write_linear(writer: Writer, path: str, module: nn.Linear, x: str, y: str, rank: int) -> None:
    key, bias = writer.weight(module.weight), writer.weight(module.bias)
    if rank == 2:
        _write_product(writer, path, module, "Gemm", x, y, transB=1)
    elif rank > 2 and key in writer.coded:
        # onnxruntime 1.32 would round the inputs of a MatMul with a transposed weight of integers
        to_rows = writer.constant(path, "rows", [-1, module.in_features])
        rows = writer.node("Reshape", [x, to_rows], writer.inner(path, "x"), name=f"{path}.Reshape")
        product = writer.inner(path, "y")
        _write_product(writer, path, module, "Gemm", rows, product, transB=1)
        shape = _write_shape(writer, path, x, rank, module.out_features)
        writer.node("Reshape", [product, shape], y, name=f"{path}.Reshape")
    else:
        turned = writer.inner(path, "transposed")
        writer.node("Transpose", [key], turned, name=f"{path}.Transpose", perm=[1, 0])
        product = writer.inner(path, "y") if bias else y
        writer.node("MatMul", [x, turned], product, name=path)
        writer.multiplies(key)
        if bias:
            writer.node("Add", [product, bias], y, name=f"{path}.Add")


def _write_shape(writer: Writer, path: str, x: str, rank: int, last: int) -> str:
    """The shape of x with another last size."""
    shape = writer.node("Shape", [x], writer.inner(path, "shape"), name=f"{path}.Shape")
    places = writer.constant(path, "places", list(range(rank - 1)))
    first = writer.inner(path, "sizes")
    writer.node("Gather", [shape, places], first, name=f"{path}.Gather", axis=0)
    own = writer.constant(path, "outputs", [last])
    made = writer.inner(path, "y_shape")
    return writer.node("Concat", [first, own], made, name=f"{path}.Concat", axis=0)


def _conv_attributes(module: Convolution, call: Call) -> dict[str, Any]:
    assert not isinstance(module.padding, str)
    own = tuple(module.padding)
    found: dict[str, Any] = {
        "kernel_shape": list(module.kernel_size),
        "strides": list(module.stride),
        "dilations": list(module.dilation),
        "group": module.groups,
    }
    if isinstance(call, SamePadded):
        return {**found, "auto_pad": "SAME_LOWER" if call.lower else "SAME_UPPER"}
    before, behind = own, own
    if isinstance(call, Padded):
        before = tuple(a + b for a, b in zip(own, call.before, strict=True))
        behind = tuple(a + b for a, b in zip(own, call.behind, strict=True))
    return {**found, "pads": [*before, *behind]}


def _transposed_attributes(module: Transposed, call: Call) -> dict[str, Any]:
    padding = tuple(int(n) for n in module.padding)
    cropped = isinstance(call, Cropped)
    before, behind = (call.before, call.behind) if isinstance(call, Cropped) else (padding, padding)
    assert not cropped or not any(padding)
    return {
        "kernel_shape": list(module.kernel_size),
        "strides": list(module.stride),
        "dilations": list(module.dilation),
        "group": module.groups,
        "output_padding": list(module.output_padding),
        "pads": [*before, *behind],
    }
