"""Products of bytes that saturate: what is compared with onnxruntime there."""

import numpy as np
import pytest
from onnx import TensorProto, load_model_from_string
from onnx.numpy_helper import to_array

from compress_core.models.importing.onnx import agreement, compare_with_onnxruntime, import_onnx
from compress_core.models.importing.onnx.saturation import products_saturate, with_halved_codes
from tests.models.importing.onnx.building import array, model, node

WEIGHT = np.full((64, 3), 127, np.int8)  # with inputs of 255 the worst case


def of_bytes() -> bytes:
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "xs", "xz"]),
        node("MatMulInteger", ["q", "w", "xz", "wz"], ["i"]),
        node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["xs", "ws"], ["scale"]),
        node("Mul", ["f", "scale"]),
    ]
    return model(nodes, {"w": WEIGHT, "wz": np.int8(0), "ws": np.float32(0.05)}, ["batch", 64])


def test_a_halved_weight_keeps_seven_bits() -> None:
    halved = with_halved_codes(of_bytes())
    assert halved is not None
    weights = {one.name: to_array(one) for one in load_model_from_string(halved).graph.initializer}
    assert np.array_equal(weights["w"], WEIGHT // 2)
    assert weights["ws"] == np.float32(0.05)


def test_a_file_without_bytes_has_none_to_halve() -> None:
    assert (
        with_halved_codes(model([node("MatMul", ["x", "w"])], {"w": array(5, 3)}, [1, 5])) is None
    )


@pytest.mark.parametrize("saturate", [True, False])
def test_an_importer_that_is_wrong_agrees_nowhere(
    monkeypatch: pytest.MonkeyPatch, saturate: bool
) -> None:
    network = import_onnx(of_bytes())
    monkeypatch.setattr(agreement, "products_saturate", lambda: saturate)
    if saturate or not products_saturate():
        assert compare_with_onnxruntime(of_bytes(), network).agrees
    wrong = agreement.build_network
    monkeypatch.setattr(agreement, "build_network", lambda raw: _doubled(wrong(raw)))
    assert not compare_with_onnxruntime(of_bytes(), _doubled(network)).agrees


def _doubled(network: agreement.OnnxNetwork) -> agreement.OnnxNetwork:
    for weight in network.parameters():
        weight.data.mul_(2)
    return network
