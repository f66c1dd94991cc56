"""The graph of a network that came as an ONNX file is that file's own, with other weights."""

import copy
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from compress_core.compressed import Compressed, compress
from compress_core.graph import to_onnx
from compress_core.models.importing.onnx import (
    OnnxNetwork,
    compare_with_onnxruntime,
    import_onnx,
    seeded_inputs,
)
from compress_core.original import Original
from compress_core.recipe import parse_recipe
from tests.models.importing.onnx.building import array, model, node

RECIPES = ("", "prune:sparsity=0.5", "quantize:bits=8", "quantize:bits=4", "share:clusters=4")


def compressed(raw: bytes, recipe: str) -> Compressed:
    network = import_onnx(raw)
    original = Original(network, example=seeded_inputs(network, 0), name="tiny")
    return compress(original, parse_recipe(recipe))


def left(raw: bytes, recipe: str = "") -> ModelProto:
    """What leaves, which was seen to run and to answer as the compressed network does."""
    made = compressed(raw, recipe)
    file = to_onnx(made)
    assert_same_answers(file, made)
    return onnx.load_model_from_string(file)


def assert_same_answers(file: bytes, made: Compressed) -> None:
    """onnxruntime runs the file, and it answers as the compressed network does."""
    run = copy.deepcopy(made.module)
    assert isinstance(run, OnnxNetwork)
    agreement = compare_with_onnxruntime(file, run, inputs=seeded_inputs(run, 0))
    assert agreement.fraction <= (1e-5 if agreement.computes_in == "float32" else 1e-2)


def sequence_model(opset: int = 12) -> bytes:
    """A product of matrices on three dimensions, of free sizes, with a note of its maker."""
    nodes = [node("MatMul", ["x", "w"], ["m"]), node("Add", ["m", "b"], ["a"]), node("Relu", ["a"])]
    weights = {"w": array(8, 6), "b": array(6)}
    raw = model(nodes, weights, ["batch", "time", 8], y=["batch", "time", 6], opset=opset)
    proto = ModelProto.FromString(raw)
    helper.set_model_props(proto, {"maker": "somebody"})
    return bytes(proto.SerializeToString())


def shape_of(value: onnx.ValueInfoProto) -> list[Any]:
    return [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]


@pytest.mark.parametrize("recipe", RECIPES)
def test_names_free_sizes_and_notes_stay(recipe: str) -> None:
    proto = left(sequence_model(), recipe)
    (x,), (y,) = proto.graph.input, proto.graph.output
    assert (x.name, shape_of(x)) == ("x", ["batch", "time", 8])
    assert (y.name, shape_of(y)) == ("y", ["batch", "time", 6])
    assert {one.key: one.value for one in proto.metadata_props}["maker"] == "somebody"


@pytest.mark.parametrize(
    ("recipe", "opset"),
    [
        ("prune:sparsity=0.5", 12),
        ("quantize:bits=8,granularity=tensor", 12),
        ("quantize:bits=8", 13),
        ("quantize:bits=4", 21),
    ],
)
def test_the_version_of_the_operators_is_raised_only_for_what_needs_it(
    recipe: str, opset: int
) -> None:
    assert [one.version for one in left(sequence_model(), recipe).opset_import] == [opset]


def test_a_file_of_half_precision_keeps_its_types() -> None:
    weights = {"w": array(5, 3).astype(np.float16)}
    raw = model([node("MatMul", ["x", "w"])], weights, [1, 5], kind=TensorProto.FLOAT16)
    proto = left(raw)
    kinds = [v.type.tensor_type.elem_type for v in (*proto.graph.input, *proto.graph.output)]
    assert kinds == [TensorProto.FLOAT16, TensorProto.FLOAT16]
    assert [t.data_type for t in proto.graph.initializer] == [TensorProto.FLOAT16]


def test_codes_that_no_step_changed_leave_as_codes() -> None:
    codes = np.random.default_rng(0).integers(-100, 100, (8, 6)).astype(np.int8)
    nodes = [node("DequantizeLinear", ["w", "s"], ["d"]), node("MatMul", ["x", "d"])]
    raw = model(nodes, {"w": codes, "s": np.float32(0.1)}, [1, 8])
    (found,) = (t for t in left(raw).graph.initializer if len(t.dims) == 2)
    assert np.array_equal(onnx.numpy_helper.to_array(found), codes.T)


@pytest.mark.parametrize("gamma", [-1.0, 1.0])
def test_the_code_without_an_opposite_leaves_as_it_came(gamma: float) -> None:
    codes = np.random.default_rng(0).integers(-128, -60, (4, 2, 3, 3)).astype(np.int8)
    codes[0, 0, 0, 0] = -128
    nodes = [
        node("QuantizeLinear", ["x", "xs", "xz"], ["q"]),
        node("DequantizeLinear", ["q", "xs", "xz"], ["d"]),
        node("DequantizeLinear", ["w", "s"], ["v"]),
        node("Conv", ["d", "v", "b"], ["c"]),
        node("BatchNormalization", ["c", "gamma", "beta", "mean", "variance"], ["n"]),
        node("QuantizeLinear", ["n", "ys", "xz"], ["p"]),
        node("DequantizeLinear", ["p", "ys", "xz"]),
    ]
    weights = {"w": codes, "s": np.float32(0.01), "b": array(4), "xz": np.uint8(128)}
    weights |= {"xs": np.float32(0.02), "ys": np.float32(0.1), "beta": array(4), "mean": array(4)}
    weights |= {"gamma": np.full(4, gamma, np.float32), "variance": np.ones(4, np.float32)}
    proto = left(model(nodes, weights, [1, 2, 6, 6], y=[1, 4, 4, 4]))
    kept = [onnx.numpy_helper.to_array(t) for t in proto.graph.initializer if len(t.dims) == 4]
    assert np.array_equal(np.abs(kept[0].astype(int)), -codes.astype(int))


@pytest.mark.parametrize("recipe", [*RECIPES, "factorize:energy=0.5"])
@pytest.mark.parametrize("padding", [{"pads": [0, 1, 2, 0]}, {"auto_pad": "SAME_UPPER"}])
def test_what_is_padded_around_a_convolution_is_padded_by_its_node(
    recipe: str, padding: dict[str, Any]
) -> None:
    conv = node("Conv", ["x", "w", "b"], strides=[2, 2], **padding)
    raw = model([conv], {"w": array(6, 4, 3, 3), "b": array(6)}, [1, 4, 9, 8])
    made = compressed(raw, recipe)
    assert_same_answers(to_onnx(made), made)


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_gates_are_put_in_onnx_order_again(kind: str, recipe: str) -> None:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    weights = {"w": array(2, gates * 8, 5), "r": array(2, gates * 8, 8), "b": array(2, gates * 16)}
    named = {"linear_before_reset": 1} if kind == "GRU" else {}
    gated = node(kind, ["x", "w", "r", "b"], hidden_size=8, direction="bidirectional", **named)
    made = compressed(model([gated], weights, [4, "batch", 5]), recipe)
    assert_same_answers(to_onnx(made), made)


def test_a_branch_keeps_its_layers() -> None:
    branches = {
        f"{word}_branch": helper.make_graph(
            [node("MatMul", ["x", f"{word}.weight"], [f"{word}_made"])],
            word,
            [],
            [helper.make_tensor_value_info(f"{word}_made", TensorProto.FLOAT, None)],
        )
        for word in ("then", "else")
    }
    nodes = [
        node("ReduceSum", ["x"], ["sum"], keepdims=0),
        node("Greater", ["sum", "zero"], ["positive"]),
        node("If", ["positive"], **branches),
    ]
    weights = {
        "then.weight": array(8, 6),
        "else.weight": array(8, 6, seed=1),
        "zero": np.float32(0),
    }
    made = compressed(model(nodes, weights, [1, 8]), "quantize:bits=8")
    assert_same_answers(to_onnx(made), made)


def test_nodes_of_other_makers_pass_the_change_of_version() -> None:
    proto = ModelProto.FromString(sequence_model())
    proto.graph.node[-1].op_type, proto.graph.node[-1].domain = "QuickGelu", "com.microsoft"
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    made = left(bytes(proto.SerializeToString()), "quantize:bits=4")
    assert {one.domain: one.version for one in made.opset_import} == {"": 21, "com.microsoft": 1}
