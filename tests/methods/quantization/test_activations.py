"""Quantized activations: onnxruntime's own operators as oracles, and where a layer keeps them."""

import copy
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from compress_core.compressed import compress
from compress_core.methods.quantization import (
    ACTIVATION_BITS,
    CLIP_GRID,
    InputQuantizer,
    Quantize,
    QuantizeActivations,
    dynamic_qparams,
    input_refusal,
    plan_input,
    quantize,
    round_input,
)
from compress_core.original import Original
from compress_core.weights import with_weights

FLOATS = arrays(np.float32, st.integers(1, 50), elements=st.floats(-1e4, 1e4, width=32))


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def run_onnx(
    operators: list[tuple[str, list[str], list[str]]],
    image: Tensor,
    constants: dict[str, Any],
    outputs: dict[str, int],
) -> list[np.ndarray]:
    """What onnxruntime computes from `x` and constants by (operator, inputs, outputs) in turn."""
    graph = helper.make_graph(
        [helper.make_node(*operator) for operator in operators],
        "oracle",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, image.shape)],
        [helper.make_tensor_value_info(name, kind, None) for name, kind in outputs.items()],
        [
            value if isinstance(value, TensorProto) else numpy_helper.from_array(value, name)
            for name, value in constants.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return [np.asarray(result) for result in session.run(None, {"x": image.numpy()})]


def calibrated(step: QuantizeActivations, values: Tensor) -> tuple[Tensor, Tensor]:
    planned = plan_input(step, values)
    assert planned.scale is not None
    assert planned.zero_point is not None
    return planned.scale, planned.zero_point


def codes_of(rounded: Tensor, scale: Tensor, zero_point: Tensor) -> np.ndarray:
    return (torch.round(rounded / scale) + zero_point).numpy()


@given(FLOATS)
def test_dynamic_codes_equal_onnxruntimes(array: np.ndarray) -> None:
    values = torch.from_numpy(array)
    scale, zero_point = dynamic_qparams(values, 8)
    rounded = round_input(values, scale, zero_point, 8)
    codes, their_scale, their_zero = run_onnx(
        [("DynamicQuantizeLinear", ["x"], ["codes", "scale", "zero_point"])],
        values,
        {},
        {"codes": TensorProto.UINT8, "scale": TensorProto.FLOAT, "zero_point": TensorProto.UINT8},
    )
    assert scale.item() == their_scale
    assert zero_point.item() == their_zero
    np.testing.assert_array_equal(codes_of(rounded, scale, zero_point), codes)


@given(FLOATS, FLOATS)
def test_static_codes_equal_onnxruntimes(sample: np.ndarray, array: np.ndarray) -> None:
    values = torch.from_numpy(array)
    scale, zero_point = calibrated(QuantizeActivations(), torch.from_numpy(sample))
    rounded = round_input(values, scale, zero_point, 8)
    constants = {"scale": scale.numpy(), "zero": zero_point.numpy()}
    (codes,) = run_onnx(
        [("QuantizeLinear", ["x", "scale", "zero"], ["codes"])],
        values,
        constants,
        {"codes": TensorProto.UINT8},
    )
    np.testing.assert_array_equal(codes_of(rounded, scale, zero_point), codes)


def test_four_bits_equal_onnxruntimes_uint4() -> None:
    values = normal(500)
    scale, zero_point = calibrated(QuantizeActivations(bits=4), values)
    zero = helper.make_tensor("zero", TensorProto.UINT4, [], [int(zero_point)])
    (expected,) = run_onnx(
        [
            ("QuantizeLinear", ["x", "scale", "zero"], ["codes"]),
            ("DequantizeLinear", ["codes", "scale", "zero"], ["y"]),
        ],
        values,
        {"scale": scale.numpy(), "zero": zero},
        {"y": TensorProto.FLOAT},
    )
    rounded = round_input(values, scale, zero_point, 4)
    np.testing.assert_array_equal(rounded.numpy(), expected)


def with_quantized_inputs(model: nn.Module, quantizers: dict[str, InputQuantizer]) -> nn.Module:
    """A copy that shares its parameters, with quantizers at the modules of these names."""
    copied = with_weights(model, {})
    for name, quantizer in quantizers.items():
        quantizer.attach(copied.get_submodule(name))
    return copied


def linear_of(weight: Tensor) -> nn.Module:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight.data = weight
    return nn.Sequential(layer).eval()


# of 7 bits: the sums of products of 8 saturate on some processors
WEIGHT = quantize(normal(7, 20), Quantize(bits=7, granularity="tensor"))
CONSTANTS = {
    "w": WEIGHT.codes.T.contiguous().numpy().astype(np.int8),
    "w_scale": WEIGHT.scale.numpy(),
    "w_zero": np.array(0, np.int8),
}


def test_the_static_int8_layer_of_onnxruntime_agrees_within_one_code() -> None:
    inputs, planned = normal(50, 20), plan_input(QuantizeActivations(), normal(600))
    model = linear_of(WEIGHT.dequantize())
    outputs = with_quantized_inputs(model, {"0": planned})(inputs).detach()
    step, sample = QuantizeActivations(), outputs.flatten()
    scale, zero_point = calibrated(step, normal(600))
    out_scale, out_zero = calibrated(step, sample)
    constants = {"x_scale": scale, "x_zero": zero_point, "y_scale": out_scale, "y_zero": out_zero}
    quantized = ["codes", "x_scale", "x_zero", "w", "w_scale", "w_zero", "y_scale", "y_zero"]
    (expected,) = run_onnx(
        [
            ("QuantizeLinear", ["x", "x_scale", "x_zero"], ["codes"]),
            ("QLinearMatMul", quantized, ["y"]),
        ],
        inputs,
        CONSTANTS | {name: value.numpy() for name, value in constants.items()},
        {"y": TensorProto.UINT8},
    )
    codes = codes_of(round_input(outputs, out_scale, out_zero, 8), out_scale, out_zero)
    assert np.abs(codes - expected).max() <= 1
    assert (codes == expected).mean() > 0.99


def test_the_dynamic_int8_layer_of_onnxruntime_agrees_row_by_row() -> None:
    inputs = normal(50, 20)
    outputs = with_quantized_inputs(linear_of(WEIGHT.dequantize()), {"0": InputQuantizer(8)})
    operators = [
        ("DynamicQuantizeLinear", ["x"], ["codes", "x_scale", "x_zero"]),
        ("MatMulInteger", ["codes", "w", "x_zero", "w_zero"], ["sums"]),
        ("Mul", ["x_scale", "w_scale"], ["scale"]),
        ("DequantizeLinear", ["sums", "scale"], ["y"]),
    ]
    made = {"y": TensorProto.FLOAT}
    alone = [run_onnx(operators, row, CONSTANTS, made)[0] for row in inputs.split(1)]
    np.testing.assert_allclose(outputs(inputs).detach(), np.concatenate(alone), atol=1e-5)


@given(FLOATS, st.sampled_from(ACTIVATION_BITS))
def test_no_value_of_a_dynamic_range_moves_by_more_than_a_step(
    array: np.ndarray, bits: int
) -> None:
    values = torch.from_numpy(array)
    scale, zero_point = dynamic_qparams(values, bits)
    rounded = round_input(values, scale, zero_point, bits)
    assert float((rounded - values).abs().max()) <= float(scale) * 1.001
    assert 0 <= int(zero_point) < 2**bits
    assert len(rounded.unique()) <= 2**bits


@pytest.mark.parametrize("bits", ACTIVATION_BITS)
def test_the_ends_of_a_range_by_hand(bits: int) -> None:
    values = torch.tensor([0.0, 0.4, 1.0, 3.0])
    scale, zero_point = calibrated(QuantizeActivations(bits), values)
    assert scale.item() == pytest.approx(3 / (2**bits - 1))
    assert zero_point == 0
    assert zero_point.dtype == torch.uint8


def test_calibrated_min_max_saturates_what_lies_outside() -> None:
    scale, zero_point = calibrated(QuantizeActivations(), torch.tensor([-1.0, 0.5]))
    rounded = round_input(torch.tensor([-9.0, 9.0]), scale, zero_point, 8)
    torch.testing.assert_close(rounded, torch.tensor([-1.0, 0.5]))


def test_a_percentile_ignores_the_zeros_of_a_relu() -> None:
    values = torch.cat([torch.zeros(900), torch.arange(1.0, 101.0)])
    scale, _ = calibrated(QuantizeActivations(clipping="percentile", percentile=95), values)
    assert scale.item() == pytest.approx(95 / 255)


@pytest.mark.parametrize("bits", [4, 6])
def test_the_mse_range_is_the_best_of_all_clips(bits: int) -> None:
    values = normal(400).relu() ** 3
    errors = {}
    for fraction in CLIP_GRID:
        step = values.max() * float(fraction) / (2**bits - 1)
        codes = torch.round(values / step).clamp(0, 2**bits - 1)
        errors[float(step)] = float((codes * step - values).square().sum())
    scale, _ = calibrated(QuantizeActivations(bits, clipping="mse"), values)
    assert scale.item() == pytest.approx(min(errors, key=lambda step: errors[step]))


@pytest.mark.parametrize("clipping", ["min_max", "percentile", "mse"])
def test_a_sample_is_quantized_as_a_weight_tensor_is(clipping: Any) -> None:
    values = normal(300)
    step = QuantizeActivations(5, clipping=clipping)
    scale, zero_point = calibrated(step, values)
    weight = quantize(values[None], step.affine)
    assert step.affine == Quantize(5, "asymmetric", "tensor", clipping)
    assert scale == weight.scale
    assert zero_point == weight.zero_point


def test_the_parameters_lie_in_the_layers_buffers_and_rule_there() -> None:
    model = nn.Sequential(nn.Linear(3, 2, bias=False)).eval()
    planned = InputQuantizer(8, torch.tensor(0.5), torch.tensor(0, dtype=torch.uint8))
    quantized = with_quantized_inputs(model, {"0": planned})
    state = quantized.state_dict()
    assert state.keys() == {"0.weight", "0.input_scale", "0.input_zero_point"}
    image = torch.tensor([[0.6, -1.0, 1000.0]])
    rounded = torch.tensor([[0.5, 0.0, 127.5]])
    assert torch.equal(quantized(image), model(rounded))
    quantized.load_state_dict(state | {"0.input_scale": torch.tensor(2.0)})
    assert torch.equal(quantized(image), model(torch.tensor([[0.0, 0.0, 510.0]])))


def test_dynamic_parameters_are_those_of_each_image() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3)).eval()
    quantized = with_quantized_inputs(model, {"0": InputQuantizer(4)})
    assert quantized.state_dict().keys() == model.state_dict().keys()
    images = normal(4, 2, 5, 5) * torch.tensor([1.0, 100, 1e-3, 7])[:, None, None, None]
    rounded = [
        round_input(image, *dynamic_qparams(image.flatten(), 4), 4) for image in images.unbind()
    ]
    torch.testing.assert_close(quantized(images), model(torch.stack(rounded)))


ORDERS: dict[str, tuple[nn.Module, tuple[int, ...], int]] = {  # layer, input, where the batch is
    "rows": (nn.Linear(6, 4), (8, 6), 0),
    "batch first": (nn.Linear(6, 4), (8, 3, 6), 0),
    "tokens first": (nn.Linear(6, 4), (3, 8, 6), 1),
    "conv1d": (nn.Conv1d(6, 4, 3), (8, 6, 5), 0),
    "conv3d": (nn.Conv3d(2, 4, 2), (8, 2, 3, 3, 3), 0),
    "transposed": (nn.ConvTranspose2d(2, 4, 2), (8, 2, 3, 3), 0),
    "factors": (nn.Sequential(nn.Conv2d(2, 1, 1), nn.Conv2d(1, 4, 3)), (8, 2, 5, 5), 0),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bits", [4, 8])
def test_a_dynamic_range_is_never_shared_between_images(order: str, bits: int) -> None:
    module, shape, batch = ORDERS[order]
    layer = with_quantized_inputs(nn.ModuleDict({"layer": module}), {"layer": InputQuantizer(bits)})
    sizes = torch.logspace(-3, 3, 8).view([8 if i == batch else 1 for i in range(len(shape))])
    images, run = normal(*shape) * sizes, layer.get_submodule("layer")
    with torch.inference_mode():
        alone = torch.cat([run(image) for image in images.split(1, batch)], batch)
        difference = (run(images) - alone) / sizes
    assert float(difference.abs().max()) < 1e-3  # a code of 8 bits is 0.02, a sum is rounded


def test_the_model_itself_is_untouched_and_its_weights_are_shared() -> None:
    model = nn.Sequential(nn.Linear(3, 2)).eval()
    image, keys = normal(5, 3), model.state_dict().keys()
    before, given = model(image), image.clone()
    quantized = with_quantized_inputs(model, {"0": InputQuantizer(4)})
    quantized(image)
    assert torch.equal(model(image), before)
    assert torch.equal(image, given)
    assert model.state_dict().keys() == keys
    assert quantized[0].weight.data_ptr() == model[0].weight.data_ptr()


def test_copies_quantize_too() -> None:
    model = nn.Sequential(nn.Linear(3, 2)).eval()
    planned = plan_input(QuantizeActivations(4), normal(50))
    quantized = with_quantized_inputs(model, {"0": planned})
    image = normal(5, 3)
    for copied in (copy.deepcopy(quantized), with_weights(quantized, {})):
        assert torch.equal(copied(image), quantized(image))
        assert not torch.equal(copied(image), model(image))


def test_eight_bits_cost_little_and_four_bits_more(digits_cnn: Original, digits: Any) -> None:
    images = digits.images[:200]
    exact = digits_cnn.module(images)
    errors = []
    for bits in (8, 4):
        quantizers = dict.fromkeys(digits_cnn.layers, InputQuantizer(bits))
        logits = with_quantized_inputs(digits_cnn.module, quantizers)(images)
        errors.append(float((logits - exact).abs().mean() / exact.abs().mean()))
    assert errors[0] < 0.01 < errors[1] < 0.5


@pytest.mark.parametrize(
    ("name", "layer", "reason"),
    [
        ("tied", "a", "its weight is tied (a.weight, b.weight)"),
        ("words", "embedding", "an embedding looks its rows up instead of multiplying"),
        (
            "packed",
            "attention.in_proj",
            "the attention or encoder module reads the weight itself",
        ),
        (
            "packed",
            "attention.out_proj",
            "the attention or encoder module reads the weight itself",
        ),
    ],
)
def test_a_layer_without_an_input_to_round_is_refused(
    animal: Callable[[str], Original], name: str, layer: str, reason: str
) -> None:
    model = animal(name)
    assert reason in str(input_refusal(model.module, model.layers[layer]))
    with pytest.raises(ValueError, match=f"{layer} has no input.*{re.escape(reason)}.*layers="):
        compress(model, (QuantizeActivations(layers=(layer,)),))


def test_a_layer_with_an_input_of_its_own_may_be_rounded(
    animal: Callable[[str], Original],
) -> None:
    for name, layer in (("words", "head"), ("grouped", "conv"), ("conv1d", "conv")):
        assert input_refusal(animal(name).module, animal(name).layers[layer]) is None
    alone = Original(nn.Linear(2, 3).eval(), (2,))
    assert input_refusal(alone.module, *alone.layers.values()) is None


class Reads(nn.TransformerEncoderLayer):
    """A subclass keeps torch's fast path, which reads the weights of its layers."""


def test_an_encoder_that_reads_its_layers_weights_is_refused() -> None:
    encoder = Reads(4, 1, 8, batch_first=True).eval()
    model = Original(nn.Sequential(encoder).eval(), (3, 4))
    reason = input_refusal(model.module, model.layers["0.linear1"])
    assert reason == "the attention or encoder module reads the weight itself"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"bits": 3}, ["bits=3", "not one of 4, 5, 6, 7, 8", "choose"]),
        ({"mode": "live"}, ["mode='live'", "static, dynamic", "choose"]),
        ({"clipping": "max"}, ["clipping='max'", "min_max, percentile, mse", "choose"]),
        ({"percentile": 20}, ["percentile=20", "at least 50", "99.9 clips"]),
        ({"samples": 0}, ["samples=0", "at least 1", "256 are usual"]),
        ({"seed": -1}, ["seed=-1", "at least 0"]),
        (
            {"mode": "dynamic", "clipping": "mse"},
            ["clipping=mse", "min-max of each", "mode=static"],
        ),
        ({"layers": ()}, ["layers=()", "at least one"]),
    ],
)
def test_a_bad_setting_is_refused(settings: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(ValueError, match=".*".join(map(re.escape, words))):
        QuantizeActivations(**settings)
