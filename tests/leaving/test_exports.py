"""The files that leave: what each holds, by readers that are not ours, and why one cannot be."""

import json
from collections.abc import Callable
from io import BytesIO

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load
from torch import Tensor

from compress_core import MODELS
from compress_core.compressed import Compressed, compress
from compress_core.data import Dataset
from compress_core.inputs import call
from compress_core.leaving.exports import BY_NAME, EXPORTS, float_part, leaves_codes_out
from compress_core.models.catalog import model_spec
from compress_core.original import Original
from compress_core.recipe import from_json, parse_recipe
from compress_core.wording.exports import NOTES, TITLES

RECIPE = parse_recipe("prune:sparsity=0.8;quantize:bits=3")
GRAPHS = [export for export in EXPORTS if export.form == "onnx"]


def integer_types(raw: bytes) -> set[str]:
    tensors = onnx.load_model_from_string(raw).graph.initializer
    names = {onnx.TensorProto.DataType.Name(tensor.data_type) for tensor in tensors}
    return {name for name in names if "INT" in name and name != "INT64"}


def answers(raw: bytes, images: Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: images.numpy()})
    return np.asarray(found)


@pytest.fixture(scope="module")
def compressed(digits_cnn: Original) -> Compressed:
    return compress(digits_cnn, RECIPE)


def test_every_file_has_a_title_a_note_and_a_name_of_its_own() -> None:
    assert list(BY_NAME) == list(TITLES) == list(NOTES)
    assert len({export.file_name("net") for export in EXPORTS}) == len(EXPORTS)


@pytest.mark.parametrize("export", GRAPHS, ids=lambda export: export.name)
def test_every_graph_is_valid_and_runs(export: object, compressed: Compressed) -> None:
    raw = export.make(compressed)  # type: ignore[attr-defined]
    onnx.checker.check_model(raw, full_check=True)
    assert answers(raw, torch.zeros(3, *compressed.original.input_shape)).shape == (3, 10)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("original", set()),
        ("onnx_fp32", set()),
        ("onnx", {"INT4"}),
        ("onnx_int8_weights", {"INT8"}),
        ("onnx_int4_weights", {"INT4"}),
        ("onnx_int8", {"INT8", "UINT8", "INT32"}),
    ],
)
def test_weights_are_stored_in_the_type_that_the_name_says(
    name: str, expected: set[str], compressed: Compressed
) -> None:
    assert integer_types(BY_NAME[name].make(compressed)) == expected


def test_int4_has_a_scale_for_each_block_of_32(compressed: Compressed) -> None:
    graph = onnx.load_model_from_string(BY_NAME["onnx_int4_weights"].make(compressed)).graph
    nodes = [node for node in graph.node if node.op_type == "DequantizeLinear"]
    blocks = {a.i for node in nodes for a in node.attribute if a.name == "block_size"}
    assert blocks == {32, 9}  # the first convolution has 9 inputs alone


def test_the_float_graph_holds_the_values_of_the_codes(
    compressed: Compressed, digits: Dataset
) -> None:
    images = digits.inputs[:50]
    assert isinstance(images, Tensor)
    found = answers(BY_NAME["onnx_fp32"].make(compressed), images)
    expected = call(compressed.module, images).numpy()
    assert np.abs(found - expected).max() < 1e-4


def test_the_untouched_network_leaves_as_floats(digits_cnn: Original) -> None:
    untouched = compress(digits_cnn, ())
    assert BY_NAME["onnx_fp32"].make(untouched) == BY_NAME["original"].make(untouched)
    assert "once more" in (BY_NAME["onnx"].refusal(untouched) or "")


@pytest.mark.parametrize(
    ("recipe", "left"),
    [
        ("prune:sparsity=0.5", "prune:sparsity=0.5"),
        ("prune:sparsity=0.5;quantize:bits=3", "prune:sparsity=0.5"),
        ("prune:sparsity=0.5;share;quantize_activations", "prune:sparsity=0.5"),
        ("prune:sparsity=0.5;quantize:bits=3;qat", "prune:sparsity=0.5"),
        ("prune:sparsity=0.5;finetune;quantize:bits=3", "prune:sparsity=0.5;finetune"),
        ("quantize:bits=4;qat;quantize:bits=3", ""),
    ],
)
def test_fixed_widths_are_made_of_what_the_recipe_does_without_codes(
    recipe: str, left: str
) -> None:
    assert float_part(parse_recipe(recipe)) == parse_recipe(left)
    assert leaves_codes_out(BY_NAME["onnx_int8"], parse_recipe(recipe)) == (recipe != left)
    assert not leaves_codes_out(BY_NAME["onnx_fp32"], parse_recipe(recipe))


def test_without_codes_the_8_bit_file_equals_the_recipe_with_8_bits(digits_cnn: Original) -> None:
    pruned = compress(digits_cnn, parse_recipe("prune:sparsity=0.8"))
    quantized = compress(digits_cnn, parse_recipe("prune:sparsity=0.8;quantize:bits=8"))
    assert BY_NAME["onnx_int8_weights"].make(pruned) == BY_NAME["onnx"].make(quantized)


@pytest.mark.parametrize("recipe", [RECIPE, parse_recipe("quantize:bits=4;quantize_activations")])
def test_the_networks_own_code_loads_both_dense_files(recipe: tuple, digits_cnn: Original) -> None:
    made = compress(digits_cnn, recipe)
    expected = made.network.weights_module.state_dict()
    own = model_spec("digits-cnn").build()
    own.load_state_dict(load(BY_NAME["dense"].make(made)))
    assert all(torch.equal(own.state_dict()[key], expected[key]) for key in expected)
    state = torch.load(BytesIO(BY_NAME["state_dict"].make(made)), weights_only=True)
    own.load_state_dict(state)


def test_a_tied_weight_stands_once_in_safetensors_and_twice_in_the_state_dict(
    animal: Callable[[str], Original],
) -> None:
    tied = compress(animal("tied"), ())
    assert set(load(BY_NAME["dense"].make(tied))) == {"a.weight", "a.bias"}
    state = torch.load(BytesIO(BY_NAME["state_dict"].make(tied)), weights_only=True)
    assert state["a.weight"].data_ptr() == state["b.weight"].data_ptr()


def test_the_recipe_comes_back(compressed: Compressed) -> None:
    assert from_json(json.loads(BY_NAME["recipe"].make(compressed))) == RECIPE


def test_calibration_needs_training_data(digits_cnn: Original) -> None:
    own = Original(digits_cnn.pristine, digits_cnn.input_shape, name="mine")
    refusal = BY_NAME["onnx_int8"].refusal(compress(own, RECIPE))
    assert refusal is not None
    assert "mine came without training data" in refusal


@pytest.mark.parametrize("model", [name for name in MODELS if name.startswith("digits")])
def test_nothing_is_changed_by_making_files(model: str) -> None:
    from compress_core import load_model

    made = compress(load_model(model), RECIPE)
    before = made.container
    for export in EXPORTS:
        if not export.refusal(made):
            export.make(made)
    assert compress(load_model(model), RECIPE).container == made.container == before
