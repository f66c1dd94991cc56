"""The imported network as a module: rows, names, copies, refusals."""

import copy
import pickle

import numpy as np
import pytest
import torch
from onnx import ModelProto, TensorProto, helper

from compress_core.digest import network_digest
from compress_core.models.importing.onnx import (
    OnnxError,
    compare_with_onnxruntime,
    import_onnx,
    seeded_inputs,
)
from tests.models.importing.onnx.building import array, model, node


def mlp(opset: int = 17) -> bytes:
    """A file for one row: Reshape to (1, 6), two layers."""
    nodes = [
        node("Reshape", ["x", "shape"], ["flat"]),
        node("Gemm", ["flat", "net.0.weight", "net.0.bias"], ["h"], transB=1),
        node("Relu", ["h"], ["r"]),
        node("Gemm", ["r", "net.2.weight"], transB=1),
    ]
    weights = {
        "shape": np.int64([1, 6]),
        "net.0.weight": array(8, 6),
        "net.0.bias": array(8),
        "net.2.weight": array(3, 8),
    }
    return model(nodes, weights, [1, 2, 3], y=[1, 3], opset=opset)


def test_a_file_for_one_row_takes_several_at_once_where_a_shape_alone_is_in_the_way() -> None:
    network = import_onnx(mlp())
    (x,) = seeded_inputs(network, 1, rows=4)
    assert network.batching == "rewritten"
    each = torch.cat([network(row[None]) for row in x])
    assert torch.allclose(network(x), each)


def test_rows_that_the_graph_would_mix_are_computed_one_by_one() -> None:
    nodes = [node("ReduceMax", ["x"], ["m"], keepdims=0), node("Div", ["x", "m"])]
    network = import_onnx(model(nodes, {}, [1, 5]))
    (x,) = seeded_inputs(network, 0, rows=3)
    assert network.batching == "row by row"
    assert torch.equal(network(x)[1:2], network(x[1:2]))


def test_a_state_with_its_rows_in_the_middle_is_given_rows_first() -> None:
    nodes = [node("Add", ["x", "w"])]
    raw = model(nodes, {"w": array(2, 1, 3)}, [2, "batch", 3], y=[2, "batch", 3])
    network = import_onnx(raw)
    (x,) = seeded_inputs(network, 0, rows=4)
    assert tuple(x.shape) == tuple(network(x).shape) == (4, 2, 3)


def test_a_state_whose_rows_nobody_named_has_them_in_the_middle() -> None:
    nodes = [node("Add", ["x", "w"])]
    network = import_onnx(model(nodes, {"w": array(2, 1, 3)}, [2, None, 3], y=[2, None, 3]))
    (x,) = seeded_inputs(network, 0, rows=4)
    assert tuple(x.shape) == tuple(network(x).shape) == (4, 2, 3)


def test_several_outputs_come_by_name() -> None:
    nodes = [node("Relu", ["x"], ["a"]), node("Neg", ["x"], ["b"])]
    network = import_onnx(model(nodes, {}, [1, 5], outputs=["a", "b"]))
    assert list(network(torch.ones(2, 5))) == ["a", "b"]


def test_names_become_paths_of_modules() -> None:
    assert list(import_onnx(mlp()).places) == ["net.0", "net.2"]


@pytest.mark.parametrize("name", ["<b>w</b>\n", "\u202ew.weight", "w" * 10_000_000, "", "forward"])
def test_a_strange_name_becomes_a_short_plain_path(name: str) -> None:
    weights = {name or "w": array(3, 5)}
    gemm = helper.make_node("Gemm", ["x", name or "w"], ["y"], name=name, transB=1)
    (path,) = import_onnx(model([gemm], weights, [1, 5])).places
    assert len(path) < 200
    assert path.isascii()
    assert all(part.replace("_", "a").isalnum() for part in path.split("."))


def test_equal_files_have_equal_digests_and_other_programs_others() -> None:
    examples = (torch.zeros(1, 2, 3),)
    first, again = (network_digest(import_onnx(mlp()), examples) for _ in range(2))
    other = ModelProto.FromString(mlp())
    next(one for one in other.graph.node if one.op_type == "Relu").op_type = "Sigmoid"
    assert first == again != network_digest(import_onnx(other), examples)


def test_a_copy_and_a_pickled_network_answer_alike() -> None:
    network = import_onnx(mlp())
    (x,) = seeded_inputs(network, 0, rows=2)
    for other in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        assert torch.equal(other(x), network(x))


def test_gradients_reach_the_first_layer() -> None:
    network = import_onnx(mlp()).requires_grad_(True)
    network(torch.ones(2, 2, 3)).sum().backward()
    assert network.get_parameter("net.0.weight").grad is not None


def test_indices_stay_inside_the_table_that_they_look_up() -> None:
    raw = model(
        [node("Gather", ["t", "x"])], {"t": array(3, 2)}, ["batch", 50], kind=TensorProto.INT64
    )
    proto = ModelProto.FromString(raw)
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    network = import_onnx(proto)
    (x,) = seeded_inputs(network, 0, rows=2)
    assert set(x.flatten().tolist()) == {0, 1, 2}


def test_whole_numbers_that_are_compared_with_all_classes_are_of_them() -> None:
    classes = np.arange(40, dtype=np.float32).reshape(1, 1, 40)
    nodes = [
        node("Unsqueeze", ["x", "last"], ["column"]),
        node("Equal", ["column", "classes"], ["hot"]),
        node("Cast", ["hot"], ["floats"], to=TensorProto.FLOAT),
        node("MatMul", ["floats", "w"]),
    ]
    weights = {"last": np.int64([2]), "classes": classes.astype(np.int32), "w": array(40, 3)}
    proto = ModelProto.FromString(model(nodes, weights, ["batch", 90], kind=TensorProto.INT32))
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.FLOAT
    (x,) = seeded_inputs(import_onnx(proto), 0, rows=5)
    assert (int(x.min()), int(x.max())) == (0, 39)


def test_probabilities_near_zero_are_compared_by_what_they_are_rounded_to() -> None:
    nodes = [node("Gemm", ["x", "w", "b"], ["z"]), node("Sigmoid", ["z"])]
    weights = {"w": array(5, 4) * np.float32(0.1), "b": np.full(4, -17, np.float32)}
    raw = model(nodes, weights, ["batch", 5])
    agreement = compare_with_onnxruntime(raw, import_onnx(raw))
    assert agreement.range == 0.01
    assert agreement.agrees


def test_nodes_in_any_order_are_brought_into_one() -> None:
    proto = ModelProto.FromString(mlp())
    for node_of_file in reversed(ModelProto.FromString(mlp()).graph.node):
        proto.graph.node.remove(node_of_file)
        proto.graph.node.append(node_of_file)
    ordered, sorted_anew = import_onnx(mlp()), import_onnx(proto)
    (x,) = seeded_inputs(ordered, 0)
    assert torch.equal(ordered(x), sorted_anew(x))


def test_a_file_for_a_fixed_batch_takes_it_as_a_row() -> None:
    raw = model([node("MatMul", ["x", "w"])], {"w": array(5, 3)}, [4, 5], y=[4, 3])
    network = import_onnx(raw)
    (x,) = seeded_inputs(network, 0, rows=3)
    assert (tuple(x.shape), tuple(network(x).shape)) == ((3, 4, 5), (3, 4, 3))
    assert not torch.equal(network(x)[0], network(x)[1])
    assert compare_with_onnxruntime(raw, network).agrees


def dangling() -> ModelProto:
    proto = ModelProto.FromString(mlp())
    proto.graph.node[1].input[0] = "nowhere"
    return proto


def short_of_bytes() -> ModelProto:
    proto = ModelProto.FromString(mlp())
    proto.graph.initializer[1].raw_data = b"1234"
    return proto


def beside() -> ModelProto:
    proto = ModelProto.FromString(mlp())
    proto.graph.initializer[1].data_location = TensorProto.EXTERNAL
    return proto


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (b"not a model", "no ONNX"),
        (b"", "no ONNX graph"),
        (dangling(), "nothing before it makes"),
        (short_of_bytes(), "does not have the bytes"),
        (beside(), "a file beside the graph"),
    ],
)
def test_what_is_no_network_is_refused_in_words(source: bytes | ModelProto, says: str) -> None:
    with pytest.raises(OnnxError, match=says):
        import_onnx(source)
