"""Attributes of older operator sets, windows and states: everything as onnxruntime does it."""

from typing import Any

import pytest
import torch
from torch import Tensor

from compress_core.models.importing.onnx.operators import operator_for
from tests.models.importing.onnx.running import make_node, run_in_onnxruntime

Inputs = list[Tensor | None]


def some(*sizes: int, seed: int = 0) -> Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed))


IMAGE = some(1, 3, 9, 10)
VOLUME = some(1, 2, 5, 6, 7)
WEIGHT = some(4, 3, 3, 2, seed=1)
UP = some(3, 2, 3, 4, seed=2)

OLD: list[tuple[str, int, dict[str, Any], Inputs]] = [
    ("BatchNormalization", 7, {}, [IMAGE, *torch.rand(4, 3)]),
    ("BatchNormalization", 9, {"epsilon": 0.1}, [IMAGE, *torch.rand(4, 3)]),
    ("Clip", 7, {"min": -0.5, "max": 0.5}, [IMAGE]),
    ("Clip", 7, {"max": 0.5}, [IMAGE]),
    ("Dropout", 7, {"ratio": 0.4}, [IMAGE]),
    ("Dropout", 10, {}, [IMAGE]),
    ("Flatten", 9, {"axis": 2}, [IMAGE]),
    ("Gemm", 7, {"alpha": 0.5, "beta": 2.0}, [some(2, 3), some(3, 4), some(4)]),
    ("GlobalLpPool", 7, {"p": 3}, [IMAGE]),
    ("LogSoftmax", 11, {}, [IMAGE]),
    ("MaxPool", 8, {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_LOWER"}, [IMAGE]),
    ("Pad", 7, {"pads": [0, 0, 1, 2, 0, 0, 3, 0], "value": 1.5}, [IMAGE]),
    ("Pad", 7, {"pads": [0, 0, 1, 2, 0, 0, 3, 0], "mode": "reflect"}, [IMAGE]),
    ("Pad", 7, {"pads": [0, 0, -1, 2, 0, 0, 3, -2], "mode": "edge"}, [IMAGE]),
    ("ReduceMean", 11, {"axes": [2, -1], "keepdims": 0}, [IMAGE]),
    ("ReduceSum", 11, {"axes": [1]}, [IMAGE]),
    ("Resize", 10, {}, [IMAGE, torch.tensor([1.0, 1, 2, 1.5])]),
    ("Resize", 10, {"mode": "linear"}, [IMAGE, torch.tensor([1.0, 1, 2, 0.5])]),
    ("Scatter", 9, {"axis": 1}, [some(2, 4), torch.tensor([[3, 0]]), some(1, 2)]),
    ("SimplifiedLayerNormalization", 17, {"axis": -1, "epsilon": 1e-6}, [IMAGE, some(10)]),
    ("Slice", 9, {"starts": [1, -3], "ends": [99, -1], "axes": [1, 3]}, [IMAGE]),
    ("Slice", 7, {"starts": [0, 1], "ends": [1, 2]}, [IMAGE]),
    ("Softmax", 7, {}, [IMAGE]),
    ("Softmax", 12, {"axis": -1}, [IMAGE]),
    ("Split", 11, {"axis": 1, "split": [2, 1]}, [IMAGE]),
    ("Squeeze", 11, {"axes": [0, -3]}, [some(1, 1, 2, 3)]),
    ("Squeeze", 7, {}, [some(1, 1, 2, 3)]),
    ("TopK", 7, {"k": 3, "axis": -1}, [IMAGE]),
    ("TopK", 10, {}, [IMAGE, torch.tensor([2])]),
    ("Unsqueeze", 11, {"axes": [0, 4]}, [some(2, 3, 4)]),
    ("Upsample", 7, {"scales": [1.0, 1, 2, 3]}, [IMAGE]),
    ("Upsample", 9, {"mode": "linear"}, [IMAGE, torch.tensor([1.0, 1, 2, 3])]),
]
SLIDING: list[tuple[str, int, dict[str, Any], Inputs]] = [
    ("Conv", 11, {"auto_pad": "SAME_UPPER", "strides": [2, 3]}, [IMAGE, WEIGHT]),
    ("Conv", 11, {"auto_pad": "SAME_LOWER", "strides": [1, 2]}, [IMAGE, WEIGHT, some(4)]),
    ("Conv", 11, {"pads": [0, 1, 2, 0], "dilations": [2, 3]}, [IMAGE, WEIGHT]),
    ("Conv", 11, {"group": 3}, [IMAGE, some(6, 1, 3, 3)]),
    ("Conv", 11, {"auto_pad": "VALID", "strides": [1, 2, 2]}, [VOLUME, some(3, 2, 2, 3, 2)]),
    ("ConvTranspose", 11, {"strides": [2, 3], "pads": [1, 0, 2, 1]}, [IMAGE, UP, some(2)]),
    ("ConvTranspose", 11, {"strides": [2, 2], "output_padding": [1, 1]}, [IMAGE, UP]),
    ("ConvTranspose", 11, {"strides": [2, 2], "output_shape": [20, 19]}, [IMAGE, UP]),
    ("ConvTranspose", 11, {"strides": [2, 2], "auto_pad": "SAME_UPPER"}, [IMAGE, UP]),
    ("ConvTranspose", 11, {"group": 3, "dilations": [2, 1]}, [IMAGE, some(3, 2, 3, 3)]),
    ("MaxPool", 12, {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, [IMAGE]),
    ("MaxPool", 12, {"kernel_shape": [2, 3], "dilations": [2, 2], "pads": [1, 0, 0, 2]}, [IMAGE]),
    ("AveragePool", 11, {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}, [IMAGE]),
    ("AveragePool", 11, {"kernel_shape": [3, 2], "pads": [1, 0, 2, 1]}, [IMAGE]),
    (
        "AveragePool",
        11,
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
        [IMAGE],
    ),
    ("AveragePool", 11, {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"}, [IMAGE]),
    ("LpPool", 11, {"kernel_shape": [2, 2, 3], "pads": [0, 1, 1, 1, 0, 1], "p": 1}, [VOLUME]),
]
GATES = some(2, 12, 5), some(2, 12, 3), some(2, 24)  # of an LSTM of two directions, 3 wide
SEQUENCE = some(6, 2, 5)
LENGTHS = torch.tensor([6, 4], dtype=torch.int32)
BOTH = {"hidden_size": 3, "direction": "bidirectional"}
RECURRENT: list[tuple[str, int, dict[str, Any], Inputs]] = [
    ("LSTM", 7, BOTH, [SEQUENCE, *GATES, LENGTHS, some(2, 2, 3), some(2, 2, 3), some(2, 9)]),
    ("LSTM", 14, {"hidden_size": 3, "clip": 0.3}, [SEQUENCE, *(one[:1] for one in GATES)]),
    ("LSTM", 14, {"hidden_size": 3, "input_forget": 1}, [SEQUENCE, GATES[0][:1], GATES[1][:1]]),
    (
        "GRU",
        7,
        {"hidden_size": 4, "direction": "reverse", "linear_before_reset": 1},
        [SEQUENCE, some(1, 12, 5), some(1, 12, 4), some(1, 24), LENGTHS],
    ),
    ("GRU", 14, {"hidden_size": 4}, [SEQUENCE, some(1, 12, 5), some(1, 12, 4)]),
    (
        "RNN",
        14,
        {"hidden_size": 4, "activations": ["HardSigmoid"], "activation_alpha": [0.3]},
        [SEQUENCE, some(1, 4, 5), some(1, 4, 4), some(1, 8)],
    ),
]
OUTPUTS = {"Split": 2, "TopK": 2, "LSTM": 3, "GRU": 2, "RNN": 2}


@pytest.mark.parametrize(
    ("op_type", "opset", "attributes", "inputs"),
    OLD + SLIDING + RECURRENT,
    ids=[" ".join(map(str, one[:3])) for one in OLD + SLIDING + RECURRENT],
)
def test_operator_gives_what_onnxruntime_gives(
    op_type: str, opset: int, attributes: dict[str, Any], inputs: Inputs
) -> None:
    node = make_node(op_type, inputs, outputs=OUTPUTS.get(op_type, 1), **attributes)
    operator = operator_for(node, opset)
    assert operator is not None
    wanted = run_in_onnxruntime(node, opset, inputs)
    for found, other in zip(operator(inputs), wanted, strict=False):
        torch.testing.assert_close(found, other, rtol=1e-4, atol=1e-5)


COORDINATES = [
    *("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"),
    *("half_pixel_symmetric", "tf_crop_and_resize"),
]
KINDS = {
    "nearest, floor": {"mode": "nearest", "nearest_mode": "floor"},
    "nearest, ceil": {"mode": "nearest", "nearest_mode": "ceil"},
    "nearest, prefer floor": {"mode": "nearest", "nearest_mode": "round_prefer_floor"},
    "nearest, prefer ceil": {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
    "linear": {"mode": "linear"},
    "cubic": {"mode": "cubic", "cubic_coeff_a": -0.5},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("sizes", [[1, 3, 18, 15], [1, 3, 6, 1], [1, 3, 9, 20]])
def test_resize_places_pixels_where_onnxruntime_does(
    kind: str, coordinates: str, sizes: list[int]
) -> None:
    region = torch.tensor([0, 0, 0.13, 0.22, 1, 1, 0.91, 0.83])
    inputs: Inputs = [IMAGE, region, None, torch.tensor(sizes)]
    how = {"coordinate_transformation_mode": coordinates, **KINDS[kind]}
    node = make_node("Resize", inputs, **how)
    operator = operator_for(node, 19)
    assert operator is not None
    (wanted,) = run_in_onnxruntime(node, 19, inputs)
    torch.testing.assert_close(operator(inputs)[0], wanted, rtol=1e-4, atol=1e-4)
