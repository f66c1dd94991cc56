"""Integer layers: onnxruntime makes one kernel of each, and no result moves by more than codes."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from compress_core.compressed import Compressed, compress
from compress_core.data import Dataset
from compress_core.graph import to_onnx
from compress_core.models.importing.onnx.saturation import products_saturate
from compress_core.original import Original
from compress_core.recipe import parse_step

INT8 = ("quantize:bits=8", "quantize_activations:bits=8")
WEIGHTS = (
    "quantize:bits=8",
    "quantize:bits=8,granularity=tensor",
    "quantize:bits=8,scheme=asymmetric",
    "quantize:bits=5",
    "quantize:bits=6,scheme=asymmetric,granularity=tensor",
)
FLOAT_KERNELS = {"Conv", "FusedConv", "Gemm", "FusedGemm", "MatMul", "BatchNormalization"}


class Normed(nn.Module):
    """Two convolutions with norms, pooling, two dense layers; odd channels in all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(1, 8, 3, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.norm2 = nn.Conv2d(8, 6, 3), nn.BatchNorm2d(6)
        self.fc1, self.fc2 = nn.Linear(6 * 4, 9), nn.Linear(9, 5)
        for norm in (self.norm1, self.norm2):
            norm.running_mean = torch.rand(norm.num_features) - 0.5
            norm.running_var = torch.rand(norm.num_features) + 0.1
            nn.init.uniform_(norm.weight, -1.5, 1.5)  # some turn their channel round
            nn.init.uniform_(norm.bias, -0.5, 0.5)
        with torch.no_grad():
            self.norm2.weight[2] = 0  # a channel that is constant
            self.conv2.weight[1], self.fc1.weight[3], self.fc2.weight[0] = 0, 0, 0
            self.fc1.weight[4] *= 1e-9  # next to its bias nothing

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.norm1(self.conv1(x)))
        x = nn.functional.max_pool2d(torch.relu(self.norm2(self.conv2(x))), 2)
        logits: Tensor = self.fc2(torch.relu(self.fc1(x.flatten(1))))
        return logits


def images(count: int = 64) -> Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def with_data(module: nn.Module, inputs: Tensor) -> Original:
    data = Dataset("noise", "train", inputs, torch.arange(len(inputs)) % 5, tuple("abcde"))
    return Original(module.eval(), tuple(inputs.shape[1:]), calibration=data)


@pytest.fixture(scope="module")
def normed() -> Original:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return with_data(Normed(), images())


def compressed_by(original: Original, *steps: str) -> Compressed:
    return compress(original, tuple(map(parse_step, steps)))


# what kernels of bytes make of a graph is not what ONNX says, on some processors
LEVEL = "ORT_DISABLE_ALL" if products_saturate() else "ORT_ENABLE_ALL"
OPTIMIZED = pytest.param(
    "ORT_ENABLE_ALL",
    marks=pytest.mark.skipif(products_saturate(), reason="products of bytes saturate here"),
)


def session_of(graph: bytes, level: str = "ORT_ENABLE_ALL", optimized: str = "") -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    options.optimized_model_filepath = optimized
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def load(compressed: Compressed) -> onnx.ModelProto:
    return onnx.load_model_from_string(to_onnx(compressed))


def kernels(compressed: Compressed, folder: Path) -> Counter[str]:
    """How often onnxruntime runs each operator, after its own optimizer."""
    path = str(folder / "optimized.onnx")
    session_of(to_onnx(compressed), optimized=path)
    return Counter(node.op_type for node in onnx.load(path).graph.node)


def differences(compressed: Compressed, inputs: Tensor, level: str = LEVEL) -> Tensor:
    """The largest of each image from torch's logits, relative to the largest logit of all."""
    (found,) = session_of(to_onnx(compressed), level).run(None, {"images": inputs.numpy()})
    with torch.inference_mode():
        expected = compressed.module(inputs)
    difference: Tensor = (torch.from_numpy(found) - expected).abs().amax(1)
    return difference / expected.abs().max()


@pytest.mark.parametrize("before", [(), ("fold",)], ids=["norms", "folded"])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_every_layer_multiplies_integers(
    normed: Original, weights: str, before: tuple[str, ...], tmp_path: Path
) -> None:
    steps = (*before, weights, "quantize_activations:bits=8")
    found = kernels(compressed_by(normed, *steps), tmp_path)
    assert found["QLinearConv"] == 2
    # the bias of fc1 is beyond an int32, so that this one is added behind
    assert found["QGemm"] == 2
    assert not FLOAT_KERNELS & set(found)


@pytest.mark.parametrize("name", ["digits_cnn", "digits_mlp"])
def test_between_codes_no_float_is_left(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    found = kernels(compressed_by(request.getfixturevalue(name), *INT8), tmp_path)
    layout = {"Transpose", "Reshape", "NhwcMaxPool", "MaxPool"}
    assert set(found) - layout <= {"QuantizeLinear", "QLinearConv", "QGemm"}
    assert found["QuantizeLinear"] == 1  # of the images


def test_layers_on_tokens_multiply_integers_too(
    digits_transformer: Original, tmp_path: Path
) -> None:
    found = kernels(compressed_by(digits_transformer, *INT8), tmp_path)
    linear = [m for m in digits_transformer.module.modules() if isinstance(m, nn.Linear)]
    assert found["QGemm"] == len(linear) == 9  # the patches go on as floats


@pytest.mark.parametrize("level", [OPTIMIZED, "ORT_DISABLE_ALL"])
@pytest.mark.parametrize("bits", [8, 5])
@pytest.mark.parametrize("weights", WEIGHTS)
def test_integers_agree_with_torch_up_to_a_code_here_and_there(
    normed: Original, weights: str, bits: int, level: str
) -> None:
    compressed = compressed_by(normed, weights, f"quantize_activations:bits={bits}")
    found = differences(compressed, images(200), level)
    assert float(found.max()) < 2 / 2**bits
    assert float(found.median()) < 0.2 / 2**bits


def test_a_channel_of_zeros_keeps_its_bias() -> None:
    first = nn.Conv2d(1, 2, 1)
    first.weight.data.zero_()
    nn.init.constant_(first.bias, 0.3)  # type: ignore[arg-type]  # it has one
    layers = nn.Sequential(first, nn.ReLU(), nn.Conv2d(2, 2, 1))
    compressed = compressed_by(with_data(layers, images(8)), *INT8)
    (found,) = session_of(to_onnx(compressed)).run(None, {"images": images(2).numpy()})
    expected = compressed.module(images(2)).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_without_a_norm_weights_still_decode_bit_for_bit(
    digits_cnn: Original, weights: str
) -> None:
    compressed = compressed_by(digits_cnn, weights, "quantize_activations")
    model = load(compressed)
    tensors = {t.name: numpy_helper.to_array(t).astype(np.float32) for t in model.graph.initializer}
    for key, value in compressed.module.state_dict().items():
        if key.endswith("weight"):
            scale, zero = (
                tensors[f"{key}.{part}"].reshape(-1, *[1] * (value.dim() - 1))
                for part in ("scale", "zero_point")
            )
            decoded = (tensors[f"{key}.codes"] - zero) * scale
            np.testing.assert_array_equal(decoded, value.numpy())


def test_a_bias_is_an_integer_in_the_scale_of_the_products(digits_mlp: Original) -> None:
    compressed = compressed_by(digits_mlp, *INT8)
    model = load(compressed)
    tensors = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    scale, codes = tensors["fc1.bias.scale"], tensors["fc1.bias.codes"]
    products = tensors["fc1.input.scale"] * tensors["fc1.weight.scale"]
    assert codes.dtype == np.int32
    np.testing.assert_array_equal(scale, products)
    moved = codes * scale - compressed.module.state_dict()["fc1.bias"].numpy()
    assert (np.abs(moved) <= products / 2 * 1.01).all()


def test_layers_that_read_the_same_codes_share_them() -> None:
    class Fork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.left, self.stem, self.right = nn.Linear(6, 5), nn.Linear(8, 6), nn.Linear(6, 5)

        def forward(self, x: Tensor) -> Tensor:
            x = torch.relu(self.stem(x))
            logits: Tensor = self.right(x) + self.left(x)
            return logits

    compressed = compressed_by(with_data(Fork(), images()[:, 0, 0]), *INT8)
    nodes = load(compressed).graph.node
    assert [node.op_type for node in nodes].count("QuantizeLinear") == 2
    assert float(differences(compressed, images()[:, 0, 0]).max()) < 2 / 255


def test_a_layer_whose_sums_go_on_as_floats_is_left_exact() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(1, 1, 3, padding=1), nn.BatchNorm2d(1)
            self.head = nn.Linear(64, 5)

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.head((x + self.norm(self.conv(x))).flatten(1))
            return logits

    model = load(compressed_by(with_data(Residual(), images()), *INT8))
    assert "BatchNormalization" in [node.op_type for node in model.graph.node]
    assert "conv.bias.codes" not in [tensor.name for tensor in model.graph.initializer]
