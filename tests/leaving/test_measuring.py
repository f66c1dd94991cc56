"""What is measured of a file is what its reader gets."""

import numpy as np
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from compress_core import load_model
from compress_core.compressed import compress
from compress_core.data import Dataset
from compress_core.leaving.exports import BY_NAME, EXPORTS
from compress_core.leaving.measuring import FileBench, MeasuredFile, measure_files, measured_file
from compress_core.leaving.running import OnnxNetwork, place_of_output
from compress_core.measurement.accuracy import Stopped
from compress_core.measurement.report import Report, measure
from compress_core.original import Original
from compress_core.recipe import parse_recipe
from compress_core.tasks import Task

RECIPES = {
    "digits-cnn": "prune:sparsity=0.8;quantize:bits=4",
    "digits-mlp": "factorize:rank=12,layers=fc1;share:clusters=8",
    "digits-transformer": "quantize:bits=5;quantize_activations",
}
EXACT = ("stored", "readable")  # the very network; other files do not round inputs
Rows = dict[str, MeasuredFile]


@pytest.fixture(scope="module", params=RECIPES)
def found(request: pytest.FixtureRequest, digits: Dataset) -> tuple[Rows, Report]:
    compressed = compress(load_model(request.param), parse_recipe(RECIPES[request.param]))
    rows = {row.name: row for row in measure_files(compressed, digits)}
    return rows, measure(compressed, digits)


def test_the_stored_forms_answer_exactly_as_the_compressed_network(
    found: tuple[Rows, Report],
) -> None:
    rows, report = found
    for name in EXACT:
        assert rows[name].score == report.score
        assert rows[name].change == report.change
    assert rows["stored"].file_bytes == report.size.stored_bytes


def test_the_graph_of_the_recipe_answers_alike_to_within_one_image(
    found: tuple[Rows, Report],
) -> None:
    rows, report = found
    score = rows["onnx"].score
    assert score is not None
    assert abs(score.value - report.score.value) <= 1.01 / report.score.n
    original = rows["original"].score
    assert original is not None
    assert original.value == report.baseline.value


def test_only_graphs_have_a_time_and_all_but_the_recipe_a_score(
    found: tuple[Rows, Report],
) -> None:
    rows, _report = found
    assert list(rows) == [export.name for export in EXPORTS]
    for export in EXPORTS:
        row = rows[export.name]
        assert (row.after is not None) == (row.before is not None) == (export.form == "onnx")
        assert (row.score is not None) == (export.form != "text")
        assert row.reason == ""


def test_a_row_survives_json(found: tuple[Rows, Report]) -> None:
    rows, _report = found
    for row in (*rows.values(), MeasuredFile("onnx", reason="it cannot be made")):
        assert measured_file(row.as_dict()) == row


def test_the_score_of_a_graph_is_that_of_onnxruntime_by_hand(
    digits_cnn: Original, digits: Dataset
) -> None:
    compressed = compress(digits_cnn, parse_recipe("prune:sparsity=0.9"))
    raw = BY_NAME["onnx_int8"].make(compressed)
    session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    assert isinstance(digits.inputs, Tensor)
    (logits,) = session.run(None, {"images": digits.inputs.numpy()})
    right = float((np.asarray(logits).argmax(1) == digits.class_labels.numpy()).mean())
    row = FileBench(compressed, digits).measure(BY_NAME["onnx_int8"])
    assert row.file_bytes == len(raw)
    assert row.score is not None
    assert row.score.value == pytest.approx(right, abs=1e-9)


def test_without_labels_a_file_is_judged_by_agreement(
    digits_mlp: Original, digits: Dataset
) -> None:
    own = Original(digits_mlp.pristine, digits_mlp.input_shape, name="mine")
    assert isinstance(digits.inputs, Tensor)
    bench = FileBench(compress(own, parse_recipe("quantize:bits=8")), Dataset.of(digits.inputs))
    row = bench.measure(BY_NAME["onnx"])
    assert row.score is not None
    assert row.score.metric == "agreement"
    assert bench.measure(BY_NAME["onnx_int8"]).reason.startswith("mine came without training data")


def test_without_data_there_are_bytes_and_times_and_the_reason(digits_mlp: Original) -> None:
    bench = FileBench(compress(digits_mlp, ()), None, "nobody gave any")
    row = bench.measure(BY_NAME["onnx_fp32"])
    assert (row.score, row.reason) == (None, "nobody gave any")
    assert row.file_bytes
    assert row.after is not None


class Refusing(nn.Module):
    """It looks at its numbers, which no graph can."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(x) if float(x.sum()) > 0 else self.fc(-x)
        return out


def test_a_network_without_a_graph_leaves_in_all_other_files() -> None:
    data = Dataset.of(torch.rand(20, 4))
    original = Original(Refusing().eval(), (4,), name="refusing")
    rows = {row.name: row for row in measure_files(compress(original, ()), data)}
    assert "refusing cannot be exported to ONNX" in rows["onnx_fp32"].reason
    assert rows["onnx_fp32"].file_bytes is None
    assert rows["stored"].score is not None
    assert rows["state_dict"].score is not None


def test_it_can_be_stopped(digits_mlp: Original, digits: Dataset) -> None:
    bench = FileBench(compress(digits_mlp, ()), digits, stop=lambda: True)
    with pytest.raises(Stopped):
        bench.measure(BY_NAME["stored"])


def graph_of(kind: int, batch: int | str) -> bytes:
    """y = x + x for inputs called by anybody, in the type `kind`."""
    x, y = (helper.make_tensor_value_info(name, kind, [batch, 2]) for name in ("my:x", "y"))
    graph = helper.make_graph([helper.make_node("Add", ["my:x", "my:x"], ["y"])], "own", [x], [y])
    opsets = [helper.make_opsetid("", 17)]
    raw: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return raw


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE])
@pytest.mark.parametrize("batch", ["n", 1, 4, 5])
def test_a_file_of_any_type_and_batch_answers_row_by_row(kind: int, batch: int | str) -> None:
    rows = torch.arange(10.0).reshape(5, 2)
    (found,) = OnnxNetwork(graph_of(kind, batch))(rows)
    assert torch.equal(found.float(), 2 * rows)


def test_a_file_that_is_no_graph_says_so() -> None:
    with pytest.raises(ValueError, match=r"onnx\.checker finds the file invalid"):
        OnnxNetwork(b"no graph")


def test_a_type_that_no_data_have_is_refused_by_name() -> None:
    network = OnnxNetwork(graph_of(TensorProto.UINT32, "n"))
    with pytest.raises(ValueError, match=r"my:x is tensor\(uint32\)"):
        network(torch.zeros(1, 2))


class Pair(nn.Module):
    """It gives out a picture of itself before what counts."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"hidden": x * 2, "logits": self.fc(x)}


def test_of_several_outputs_the_one_that_counts_is_judged() -> None:
    original = Original(Pair().eval(), (4,), name="pair", task=Task(output="logits"))
    assert place_of_output(original) == 1
    data = Dataset.of(torch.rand(40, 4))
    row = FileBench(compress(original, ()), data).measure(BY_NAME["onnx_fp32"])
    assert row.score is not None
    assert row.score.value == 1.0


def test_every_animal_of_the_zoo_leaves(zoo_model: Original) -> None:
    data = zoo_model.training_data()
    compressed = compress(zoo_model, ())
    bench = FileBench(compressed, Dataset.of(data.inputs))
    for export in (BY_NAME["dense"], BY_NAME["state_dict"], BY_NAME["stored"]):
        row = bench.measure(export)
        assert row.reason == ""
        assert row.score is not None
        assert row.score.value in (0.0, 1.0)  # an error of 0, or an agreement of 1
