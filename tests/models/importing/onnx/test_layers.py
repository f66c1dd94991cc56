"""What becomes a layer, and that it computes what the file does; the oracle is onnxruntime."""

from typing import Any

import numpy as np
import pytest
import torch
from onnx import ModelProto, TensorProto, helper
from onnx.numpy_helper import from_array
from torch import nn

from compress_core.models.importing.onnx import (
    OnnxNetwork,
    compare_with_onnxruntime,
    import_onnx,
)
from tests.models.importing.onnx.building import array, model, node


def imported(raw: bytes) -> OnnxNetwork:
    network = import_onnx(raw)
    agreement = compare_with_onnxruntime(raw, network)
    assert agreement.fraction <= 1e-5, agreement
    return network


def layers_of(network: OnnxNetwork) -> dict[str, nn.Module]:
    return {name: network.layer(name) for name in network.places}


LINEAR = {
    "gemm": [node("Gemm", ["x", "fc.weight", "fc.bias"], transB=1)],
    "gemm scaled": [node("Gemm", ["x", "fc.weight", "fc.bias"], transB=1, alpha=0.5, beta=2.0)],
    "transposed": [
        node("Transpose", ["fc.weight"], ["t"], perm=[1, 0]),
        node("MatMul", ["x", "t"], ["m"]),
        node("Add", ["m", "fc.bias"]),
    ],
    "bias first": [
        node("Transpose", ["fc.weight"], ["t"], perm=[1, 0]),
        node("MatMul", ["x", "t"], ["m"]),
        node("Add", ["fc.bias", "m"]),
    ],
    "shared through Identity": [
        node("Identity", ["fc.weight"], ["w"]),
        node("Identity", ["fc.bias"], ["b"]),
        node("Gemm", ["x", "w", "b"], transB=1),
    ],
}


@pytest.mark.parametrize("layout", LINEAR)
def test_a_linear_layer_is_found_in_every_layout(layout: str) -> None:
    raw = model(LINEAR[layout], {"fc.weight": array(3, 5), "fc.bias": array(3)}, [1, 5])
    (name, layer), *others = layers_of(imported(raw)).items()
    assert name == "fc"
    assert isinstance(layer, nn.Linear)
    assert (layer.in_features, layer.out_features, layer.bias is not None) == (5, 3, True)
    assert not others


def test_a_weight_may_stand_in_a_constant_node() -> None:
    constant = node("Constant", [], ["w"], value=from_array(array(5, 3)))
    raw = model([constant, node("MatMul", ["x", "w"])], {}, ["batch", 4, 5])
    (layer,) = layers_of(imported(raw)).values()
    assert isinstance(layer, nn.Linear)
    assert layer.bias is None


def test_an_add_that_others_read_before_is_no_bias() -> None:
    nodes = [
        node("MatMul", ["x", "w"], ["m"]),
        node("Add", ["m", "b"], ["a"]),
        node("Mul", ["m", "a"]),
    ]
    raw = model(nodes, {"w": array(5, 3), "b": array(3)}, [1, 5])
    (layer,) = layers_of(imported(raw)).values()
    assert layer.bias is None


def test_an_added_table_of_more_dimensions_than_the_output_is_no_bias() -> None:
    nodes = [node("MatMul", ["x", "w"], ["m"]), node("Add", ["m", "b"])]
    raw = model(nodes, {"w": array(5, 3), "b": array(1, 1, 3)}, [2, 5])
    (layer,) = layers_of(imported(raw)).values()
    assert layer.bias is None


def test_a_weight_that_two_layers_read_is_one_parameter() -> None:
    nodes = [
        node("Gather", ["e.weight", "i"], ["h"]),
        node("Transpose", ["e.weight"], ["t"], perm=[1, 0]),
        node("MatMul", ["h", "t"]),
    ]
    nodes.insert(0, node("Cast", ["x"], ["i"], to=TensorProto.INT64))
    network = imported(model(nodes, {"e.weight": array(7, 4)}, [1, 3]))
    table, head = layers_of(network).values()
    assert isinstance(table, nn.Embedding)
    assert isinstance(head, nn.Linear)
    assert table.weight is head.weight


CONVOLUTIONS: dict[str, tuple[tuple[int, ...], list[int], dict[str, Any]]] = {
    "1-D": ((4, 3, 3), [1, 3, 9], {"pads": [1, 1]}),
    "2-D strided": ((4, 3, 3, 3), [1, 3, 9, 8], {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
    "padded on one side": ((4, 3, 3, 3), [1, 3, 9, 8], {"pads": [0, 1, 2, 0]}),
    "depthwise": ((6, 1, 3, 3), [1, 6, 7, 7], {"group": 6}),
    "dilated": ((4, 3, 3, 3), [1, 3, 9, 9], {"dilations": [2, 2]}),
    "same upper": ((4, 3, 2, 2), [1, 3, 7, 7], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "same lower": ((4, 3, 4, 4), [1, 3, 7, 7], {"auto_pad": "SAME_LOWER"}),
    "same odd": ((4, 3, 5, 5), [1, 3, 7, 7], {"auto_pad": "SAME_UPPER"}),
    "valid": ((4, 3, 3, 3), [1, 3, 7, 7], {"auto_pad": "VALID"}),
    "3-D": ((2, 1, 3, 3, 3), [1, 1, 5, 5, 5], {"pads": [1] * 6}),
}


@pytest.mark.parametrize("kind", CONVOLUTIONS)
def test_a_convolution_is_found(kind: str) -> None:
    shape, x, attributes = CONVOLUTIONS[kind]
    raw = model(
        [node("Conv", ["x", "conv.weight", "conv.bias"], **attributes)],
        {"conv.weight": array(*shape), "conv.bias": array(shape[0])},
        x,
    )
    (layer,) = layers_of(imported(raw)).values()
    assert isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    assert tuple(layer.weight.shape) == shape


def test_what_is_added_to_each_channel_is_the_bias_of_a_convolution() -> None:
    nodes = [node("Conv", ["x", "w"], ["c"]), node("Add", ["c", "b"])]
    raw = model(nodes, {"w": array(4, 3, 3, 3), "b": array(4, 1, 1)}, [1, 3, 5, 5])
    (layer,) = layers_of(imported(raw)).values()
    assert layer.bias is not None


TRANSPOSED: dict[str, tuple[tuple[int, ...], list[int], dict[str, Any]]] = {
    "grouped": ((4, 3, 3, 3), [1, 4, 5, 5], {"group": 2, "strides": [2, 2]}),
    "output padded": (
        (4, 3, 3, 3),
        [1, 4, 5, 5],
        {"strides": [2, 2], "pads": [1] * 4, "output_padding": [1, 1]},
    ),
    "cropped on one side": ((4, 3, 3), [1, 4, 6], {"pads": [0, 2], "strides": [2]}),
    "3-D": ((2, 1, 2, 2, 2), [1, 2, 3, 3, 3], {}),
}


@pytest.mark.parametrize("kind", TRANSPOSED)
def test_a_transposed_convolution_is_found(kind: str) -> None:
    shape, x, attributes = TRANSPOSED[kind]
    raw = model([node("ConvTranspose", ["x", "w"], **attributes)], {"w": array(*shape)}, x)
    (layer,) = layers_of(imported(raw)).values()
    assert isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)


RECURRENT: list[tuple[str, int, str, dict[str, Any]]] = [
    ("LSTM", 4, "forward", {}),
    ("LSTM", 4, "reverse", {}),
    ("LSTM", 4, "bidirectional", {}),
    ("GRU", 3, "forward", {"linear_before_reset": 1}),
    ("GRU", 3, "bidirectional", {"linear_before_reset": 1}),
    ("RNN", 1, "reverse", {}),
    ("RNN", 1, "forward", {"activations": ["Relu"]}),
]


def recurrent_model(kind: str, gates: int, direction: str, named: dict[str, Any]) -> bytes:
    directions = 2 if direction == "bidirectional" else 1
    weights = {
        "W": array(directions, gates * 8, 3),
        "R": array(directions, gates * 8, 8, seed=1),
        "B": array(directions, 2 * gates * 8, seed=2),
    }
    inputs = ["x", "W", "R", "B"]
    outputs = ["y", "h", "c"][: 3 if kind == "LSTM" else 2]
    made = node(kind, inputs, outputs, hidden_size=8, direction=direction, **named)
    return model([made], weights, [5, "batch", 3], outputs=outputs)


@pytest.mark.parametrize(("kind", "gates", "direction", "named"), RECURRENT)
def test_a_recurrent_layer_is_found(
    kind: str, gates: int, direction: str, named: dict[str, Any]
) -> None:
    network = imported(recurrent_model(kind, gates, direction, named))
    (layer,) = layers_of(network).values()
    assert type(layer).__name__ == kind
    assert network.batching == "batched"


def test_a_gru_that_resets_before_it_multiplies_stays_a_node() -> None:
    network = imported(recurrent_model("GRU", 3, "forward", {"linear_before_reset": 0}))
    assert not network.places
    assert sum(parameter.dim() > 1 for parameter in network.parameters()) == 2


def test_batch_norm_layer_norm_and_instance_norm_are_found() -> None:
    ones = {name: np.abs(array(4, seed=i)) + 0.5 for i, name in enumerate("abcdef")}
    nodes = [
        node("BatchNormalization", ["x", "a", "b", "c", "d"], ["n"]),
        node("InstanceNormalization", ["n", "e", "f"], ["i"]),
        node("LayerNormalization", ["i", "a", "b"], axis=-1),
    ]
    network = imported(model(nodes, ones, [1, 4, 5, 4]))
    found = [type(layer) for layer in layers_of(network).values()]
    assert found == [nn.BatchNorm2d, nn.InstanceNorm2d, nn.LayerNorm]


def test_a_table_that_the_graph_multiplies_with_is_a_bare_parameter() -> None:
    network = imported(model([node("Mul", ["x", "scale"])], {"scale": array(8, 9)}, [1, 8, 9]))
    assert {name for name, _ in network.named_parameters()} == {"scale"}


def test_half_precision_computes_in_float32_and_is_remembered() -> None:
    raw = model(
        [node("Gemm", ["x", "fc.weight"], transB=1)],
        {"fc.weight": array(3, 5).astype(np.float16)},
        [1, 5],
        kind=TensorProto.FLOAT16,
    )
    network = import_onnx(raw)
    assert network.get_parameter("fc.weight").dtype == torch.float32
    assert network.own_types == {"fc.weight": torch.float16}
    assert compare_with_onnxruntime(raw, network).computes_in == "float16"


def codes(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(3).integers(-100, 100, shape).astype(np.int8)


def test_a_dequantized_weight_is_exactly_what_its_codes_stand_for() -> None:
    weights = {"w": codes(3, 5), "s": np.float32([0.1, 0.2, 0.3]), "z": np.int8([1, 2, 3])}
    nodes = [
        node("DequantizeLinear", ["w", "s", "z"], ["d"], axis=0),
        node("Gemm", ["x", "d"], transB=1),
    ]
    network = imported(model(nodes, weights, [1, 5]))
    (name,) = network.places
    by_hand = (weights["w"].astype(np.float32) - weights["z"][:, None]) * weights["s"][:, None]
    assert np.array_equal(network.layer(name).weight.numpy(), by_hand)
    assert (network.codes[name].type, network.codes[name].axis) == ("int8", 0)
    assert network.came_as[f"{name}.weight"].dtype == torch.int8


def test_a_product_of_integers_becomes_a_layer_with_the_scale_behind_it() -> None:
    weights = {
        "w": codes(5, 3),
        "wz": np.int8(0),
        "xs": np.float32(0.02),
        "xz": np.uint8(120),
        "ws": np.float32(0.05),
    }
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        node("MatMulInteger", ["q", "w", "xz", "wz"], ["i"]),
        node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["xs", "ws"], ["scale"]),
        node("Mul", ["f", "scale"]),
    ]
    network = imported(model(nodes, weights, [1, 5]))
    (layer,) = layers_of(network).values()
    by_hand = weights["w"].T.astype(np.float32) * np.float32(0.05)
    assert np.array_equal(layer.weight.numpy(), by_hand)


def test_a_bias_of_integers_behind_a_product_of_them_goes_into_the_layer() -> None:
    weights = {
        "w": codes(4, 3, 3, 3),
        "b": np.arange(4, dtype=np.int32).reshape(1, 4, 1, 1) * 1000,
        "wz": np.int8(0),
        "ws": np.float32(0.05),
    }
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "xs", "xz"]),
        node("ConvInteger", ["q", "w", "xz", "wz"], ["i"]),
        node("Add", ["i", "b"], ["sum"]),
        node("Cast", ["sum"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["xs", "ws"], ["scale"]),
        node("Mul", ["f", "scale"]),
    ]
    network = imported(model(nodes, weights, [1, 3, 6, 6]))
    (layer,) = layers_of(network).values()
    assert np.array_equal(layer.weight.numpy(), weights["w"].astype(np.float32) * np.float32(0.05))
    # the file adds whole steps of the inputs' scale, which it finds anew for each input
    assert torch.allclose(layer.bias, torch.arange(4) * 1000 * 0.05)


def test_a_product_of_integers_that_is_read_as_integers_stays_one() -> None:
    weights = {"w": codes(5, 3), "two": np.int32(2), "xz": np.uint8(120)}
    nodes = [
        node("Cast", ["x"], ["q"], to=TensorProto.UINT8),
        node("MatMulInteger", ["q", "w", "xz"], ["i"]),
        node("Div", ["i", "two"], ["half"]),
        node("Cast", ["half"], to=TensorProto.FLOAT),
    ]
    network = imported(model(nodes, weights, [1, 5]))
    given = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]])
    by_hand = (given.numpy().astype(np.int64) - 120) @ weights["w"].astype(np.int64)
    assert network(given).tolist() == np.trunc(by_hand / 2).tolist()


def test_a_convolution_of_integers_becomes_a_layer_with_its_bias() -> None:
    weights = {
        "w": codes(4, 3, 3, 3),
        "xs": np.float32(0.02),
        "xz": np.uint8(128),
        "ys": np.float32(2),
        "yz": np.uint8(9),
        "ws": np.float32([0.1, 0.2, 0.1, 0.3]),
        "wz": np.zeros(4, np.int8),
        "b": np.int32([1000, -1000, 0, 5]),
    }
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        node("QLinearConv", ["q", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], ["c"]),
        node("DequantizeLinear", ["c", "ys", "yz"]),
    ]
    network = imported(model(nodes, weights, [1, 3, 6, 6]))
    (layer,) = layers_of(network).values()
    assert torch.allclose(layer.bias, torch.tensor([2.0, -4.0, 0.0, 0.03]))


def test_a_branch_that_a_constant_chooses_is_the_graph_itself() -> None:
    branches = {
        f"{word}_branch": helper.make_graph(
            [node(op_type, ["x", "w"], ["made"])],
            word,
            [],
            [helper.make_tensor_value_info("made", TensorProto.FLOAT, None)],
        )
        for word, op_type in (("then", "MatMul"), ("else", "Add"))
    }
    nodes = [
        node("Constant", [], ["yes"], value=from_array(np.array(True))),
        node("If", ["yes"], **branches),
    ]
    network = imported(model(nodes, {"w": array(5, 5)}, [1, 5]))
    assert [type(layer) for layer in layers_of(network).values()] == [nn.Linear]


def test_a_weight_of_packed_bits_becomes_a_layer_with_its_codes() -> None:
    packed = np.random.default_rng(0).integers(0, 256, (6, 1, 16)).astype(np.uint8)
    made = helper.make_node(
        "MatMulNBits",
        ["x", "w", "s"],
        ["y"],
        domain="com.microsoft",
        K=32,
        N=6,
        bits=4,
        block_size=32,
    )
    raw = model([made], {"w": packed, "s": np.full(6, 0.5, np.float32)}, [1, 32])
    proto = ModelProto.FromString(raw)
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    network = imported(bytes(proto.SerializeToString()))
    (name,) = network.places
    first = (int(packed[0, 0, 0]) % 16 - 8) * 0.5  # the lowest bits first, around 8
    assert float(network.layer(name).weight[0, 0]) == first
    assert (network.codes[name].type, network.codes[name].bits) == ("uint4", 4)
