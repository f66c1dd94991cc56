"""A file of other people: opened in a sandbox, compressed here, run there."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, load_model_from_string, numpy_helper

from compress_core.compressed import compress
from compress_core.measurement.report import measure_size
from compress_core.measurement.slices import SUBSET
from compress_core.opening import store
from compress_core.opening.facts import read_facts
from compress_core.opening.opened import Opened
from compress_core.recipe import parse_recipe
from compress_core.restoring import read_stored
from compress_core.sources import find_original, find_test_data
from tests.opening.files import open_in_sandbox, small_network

RECIPE = "prune:sparsity=0.5;quantize:bits=4"


@pytest.fixture
def opened(opened_name: str) -> Opened:
    found = find_original(opened_name)
    assert isinstance(found, Opened)
    return found


def test_layers_have_the_weights_of_the_file(opened: Opened) -> None:
    graph = load_model_from_string(small_network()).graph
    own = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    assert list(opened.layers) == ["fc1", "fc2"]
    assert np.array_equal(opened.layers["fc1"].weight.numpy(), own["fc1.weight"])
    assert np.array_equal(opened.layers["fc2"].weight.numpy(), own["fc2.weight"].T)


def test_facts_say_what_goes_in_and_out(opened: Opened) -> None:
    facts = opened.facts
    assert [(port.name, port.shape) for port in facts.inputs] == [("x", ("batch", 16))]
    assert [(port.name, port.dtype) for port in facts.outputs] == [("y", "float32")]
    assert facts.title == "Small Net.onnx"
    assert facts.difference is not None
    assert facts.difference < 1e-6


def test_a_network_that_runs_on_no_usual_size_opens_as_weights_with_the_reason() -> None:
    weight = numpy_helper.from_array(np.ones((3, 1, 20_000), np.float32), "conv.weight")
    ports = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", n, "samples"])
        for name, n in (("x", 1), ("y", 3))
    ]
    conv = helper.make_node("Conv", ["x", "conv.weight"], ["y"])
    graph = helper.make_graph([conv], "long", ports[:1], ports[1:], [weight])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    found = find_original(open_in_sandbox(model.SerializeToString(), "long.onnx"))
    assert isinstance(found, Opened)
    assert "on random inputs of any usual size" in found.facts.why_not_run
    assert compress(found, parse_recipe(RECIPE)).stored_bytes < 60_000


def test_a_network_that_answers_in_classes_alone_opens_as_weights_with_the_reason() -> None:
    model = load_model_from_string(small_network())
    model.graph.node.append(helper.make_node("ArgMax", ["y"], ["class"], axis=1))
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("class", TensorProto.INT64, ["batch", 1])
    )
    found = find_original(open_in_sandbox(model.SerializeToString(), "classes.onnx"))
    assert isinstance(found, Opened)
    assert "its outputs are whole numbers" in found.facts.why_not_run


def test_without_data_it_is_judged_by_agreement_on_generated_inputs(opened: Opened) -> None:
    assert (opened.facts.metric, opened.facts.generated) == ("agreement", True)


def test_its_file_decodes_to_the_weights_that_were_compressed(opened: Opened) -> None:
    compressed = compress(opened, parse_recipe(RECIPE))
    decoded = read_stored(compressed.container)
    assert decoded.model == "small-net"
    for key, weight in compressed.weights.items():
        assert torch.equal(decoded.weights[key].values, weight.values)


def test_macs_are_those_of_the_layers(opened: Opened) -> None:
    assert measure_size(compress(opened, ())).original_macs == 16 * 12 + 12 * 4


def test_factors_are_counted_where_it_runs(opened: Opened) -> None:
    size = measure_size(compress(opened, parse_recipe("factorize:rank=2,layers=fc1")))
    assert size.macs == 2 * (16 + 12) + 12 * 4


def test_it_is_never_run_in_this_process(opened: Opened) -> None:
    with pytest.raises(ValueError, match="is not run in this process"):
        opened.module(torch.zeros(1, 16))
    with pytest.raises(ValueError, match="somebody else's network"):
        compress(opened, parse_recipe("prune_wanda:sparsity=0.5"))


def test_answers_come_from_the_sandbox(opened: Opened, opened_name: str) -> None:
    assert opened.elsewhere is not None
    columns = opened.elsewhere.answers("", slice(0, 5))
    data = find_test_data(opened_name).balanced(SUBSET)
    session = onnxruntime.InferenceSession(small_network(), providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"x": data.images[:5].numpy()})
    assert columns[:, 0].tolist() == logits.argmax(1).tolist()


def test_its_onnx_file_runs_and_answers_as_compressed(opened: Opened, opened_name: str) -> None:
    assert opened.elsewhere is not None
    raw = opened.elsewhere.exported(RECIPE, "onnx")
    session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    data = find_test_data(opened_name).balanced(SUBSET)
    (logits,) = session.run(["y"], {"x": data.images.numpy()})
    columns = opened.elsewhere.answers(RECIPE, slice(0, len(data)))
    assert (columns[:, 0].numpy() == logits.argmax(1)).mean() > 0.99


def test_a_point_of_the_plane_is_measured_there(opened: Opened) -> None:
    assert opened.elsewhere is not None
    row = opened.elsewhere.point(RECIPE)
    size = measure_size(compress(opened, parse_recipe(RECIPE)))
    assert row["macs"] == size.macs
    assert 0 <= row["agreement"] <= 1
    assert [layer["bytes"] for layer in row["layers"]] == [layer.bytes for layer in size.layers]


def test_a_name_is_plain_and_nobody_guesses_it(opened_name: str) -> None:
    assert store.is_opened_name(opened_name)
    assert store.public_name(opened_name) == "small-net"
    assert store.find_folder("small-net~" + "A" * 16) is None
    assert store.find_folder("../small-net") is None


def test_damaged_facts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "opened.json").write_text('{"title": 3}')
    with pytest.raises(ValueError, match="open its file again"):
        read_facts(tmp_path)
