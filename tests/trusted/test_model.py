"""A model of one's own by name: its network, its data, and how workers find it."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compress_core.compressed import compress
from compress_core.data import Dataset
from compress_core.measurement.report import measure
from compress_core.methods.pruning import Prune
from compress_core.original import Original
from compress_core.trusted import VARIABLE, TrustedModel, trusted_model
from compress_core.trusted.building import parse_shapes

NETS, DATA = "own_package.nets", "own_package.data"
pytestmark = pytest.mark.usefixtures("own_folder")


def test_own_code_with_weights_is_the_network_that_they_were_trained_in(
    weights: Path, digits_mlp: Original, digits: Dataset
) -> None:
    own = TrustedModel(f"{NETS}:build", weights, f"{DATA}:both")
    score = measure(compress(own.original(), ()), own.measured_on())
    assert own.name == "nets.build"
    assert score.accuracy == measure(compress(digits_mlp, ()), digits).accuracy


def test_steps_calibrate_on_the_loaders_training_rows(weights: Path) -> None:
    original = TrustedModel(f"{NETS}:build", weights, f"{DATA}:both").original()
    assert (len(original.training_data()), original.training_data().split) == (1197, "train")


def test_a_loader_of_one_split_is_divided(weights: Path) -> None:
    own = TrustedModel(f"{NETS}:build", weights, f"{DATA}:test_rows", calibration=0.25)
    test = own.test_data()
    assert test is not None
    assert (len(test), len(own.original().training_data())) == (450, 150)
    assert "450 rows to measure on, 150 others" in own.told()[0]


def test_the_input_is_the_loaders_first_row(weights: Path) -> None:
    own = TrustedModel(f"{NETS}:build", weights, f"{DATA}:both")
    assert own.original().input_shape == (1, 8, 8)


@pytest.mark.parametrize(
    ("model", "shape"),
    [("build_with_example", (1, 8, 8)), ("tokens", (12,)), ("original", (1, 8, 8))],
)
def test_the_input_is_what_the_network_says(model: str, shape: tuple[int, ...]) -> None:
    assert TrustedModel(f"{NETS}:{model}").original().input_shape == shape


def test_the_input_shape_may_be_said() -> None:
    own = TrustedModel(f"{NETS}:build", input_shape="64")
    assert own.original().input_shape == (64,)


def test_without_data_generated_inputs_are_measured_and_that_is_said() -> None:
    own = TrustedModel(f"{NETS}:tokens")
    rows = own.measured_on()
    assert (own.test_data(), rows.name, len(rows)) == (None, "generated inputs", 500)
    assert 40 < int(rows.images.max()) < 50, "tokens that the table has"
    assert "says nothing about accuracy on real inputs" in own.told()[0]


def test_a_factorys_own_original_keeps_its_task_under_the_name_that_finds_it() -> None:
    original = TrustedModel(f"{NETS}:original").original()
    assert (original.name, original.task.kind) == ("nets.original", "agreement")


@pytest.mark.parametrize(("output", "width"), [("scores", 3), ("1", 5)])
def test_which_output_counts_may_be_said(output: str, width: int) -> None:
    own = TrustedModel(f"{NETS}:two_outputs", output=output)
    report = measure(compress(own.original(), ()), own.measured_on())
    assert f"{width} outputs are taken for classes" in report.reason


def test_data_of_a_file_are_fitted_to_the_network(
    tmp_path: Path, weights: Path, digits: Dataset
) -> None:
    pixels = (digits.images * 16).byte().numpy()[:, 0]
    np.savez(tmp_path / "d.npz", x=pixels, y=digits.class_labels.numpy())
    own = TrustedModel(
        f"{NETS}:build_with_example", weights, str(tmp_path / "d.npz"), normalization="16"
    )
    score = measure(compress(own.original(), ()), own.measured_on()).accuracy
    assert (score.n, score.accuracy > 0.95) == (480, True)


def test_random_weights_are_the_same_in_every_process() -> None:
    from compress_core.trusted.model import _open

    digests = []
    for _ in range(2):
        _open.cache_clear()
        torch.rand(7)  # another process has drawn other numbers
        digests.append(TrustedModel(f"{NETS}:build_with_example").original().digest)
    assert digests[0] == digests[1]


def test_it_is_opened_once() -> None:
    first, again = (TrustedModel(f"{NETS}:tokens") for _ in range(2))
    assert first.original() is again.original()


def test_weights_of_a_reference_network_need_no_code(weights: Path, digits_mlp: Original) -> None:
    own = TrustedModel("digits-mlp", weights)
    assert (own.name, own.original().digest) == ("digits-mlp-own", digits_mlp.digest)
    assert len(own.measured_on()) == 600


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_state_dicts_are_taken_as_training_scripts_save_them(
    tmp_path: Path, digits_mlp: Original, prefix: str, wrapper: str | None
) -> None:
    state = {f"{prefix}{key}": tensor for key, tensor in digits_mlp.module.state_dict().items()}
    torch.save(state if wrapper is None else {wrapper: state}, tmp_path / "w.pt")
    own = TrustedModel(f"{NETS}:build_with_example", tmp_path / "w.pt").original()
    assert torch.equal(own.layers["fc1"].weight, digits_mlp.layers["fc1"].weight)


def test_it_comes_back_from_its_json(weights: Path) -> None:
    own = TrustedModel(
        f"{NETS}:build", weights, f"{DATA}:both", "1,8,8", "agreement", "MNIST", "0", 0.3
    )
    assert TrustedModel.from_json(own.to_json()) == own
    assert json.loads(own.to_json())["folder"] == str(Path.cwd())


def test_what_was_announced_is_found() -> None:
    own = TrustedModel(f"{NETS}:tokens")
    own.announce()
    assert trusted_model() == own


def test_nothing_is_found_where_nothing_was_announced() -> None:
    assert trusted_model() is None


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"model": "a:b", "colour": 1, "folder": "."}'])
def test_another_text_is_no_model(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ValueError, match=f"{VARIABLE} holds no model"):
        trusted_model()


REFUSED = [
    ({"model": "nets"}, "--model nets is not in"),
    ({"model": f"{NETS}:tokens", "weights": Path("w.pt")}, r"--weights w\.pt is not in"),
    ({"model": f"{NETS}:tokens", "data": "d.npz"}, r"--data d\.npz is not in"),
    ({"model": f"{NETS}:tokens", "task": "guessing"}, "task 'guessing' is unknown"),
    ({"model": f"{NETS}:tokens", "input_shape": "3x32"}, "--input-shape 3x32 is no shape"),
    ({"model": f"{NETS}:tokens", "normalization": "cifar"}, "normalisation 'cifar' is unknown"),
    ({"model": f"{NETS}:tokens", "calibration": 1.5}, r"--calibration 1\.5 is no share"),
]


@pytest.mark.parametrize(("fields", "said"), REFUSED)
def test_options_that_are_none_are_refused_at_once(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        TrustedModel(**fields)


DO_NOT_OPEN = [
    ("absent:build", None, "there is no module 'absent' in"),
    ("own_package.absent:build", None, "there is no module 'own_package.absent'"),
    (
        "own_package.does_not_import:build",
        None,
        r"No module named 'a_package_that_nobody_has' \(.*does_not_import\.py:3\)",
    ),
    (f"{NETS}:absent", None, "has no 'absent'"),
    (f"{NETS}:NUMBER", None, "is a int, which cannot be called"),
    (f"{NETS}:returns_text", None, "returned a str; let it return a torch.nn.Module"),
    (f"{NETS}:broken", None, r"RuntimeError: no such layer \(.*nets\.py:\d+\)"),
    (f"{NETS}:build", None, "what the network takes is not known"),
    (f"{NETS}:tokens", f"{DATA}:broken", r"OSError: the disk is not mounted \(.*data\.py:\d+\)"),
    (f"{NETS}:tokens", f"{DATA}:absent", "has no 'absent'"),
    (f"{NETS}:two_outputs", None, "which of them counts.*on the command line: --output"),
    ("own_package", None, "is no model: name it as package.module:function"),
]


@pytest.mark.parametrize(("model", "data", "said"), DO_NOT_OPEN)
def test_code_that_does_not_work_is_told_with_its_own_message(
    model: str, data: str | None, said: str
) -> None:
    own = TrustedModel(model, data=data)
    with pytest.raises(ValueError, match=said):
        own.original()


def test_weights_of_another_architecture_are_told_by_name(weights: Path) -> None:
    own = TrustedModel(f"{NETS}:tokens", weights)
    with pytest.raises(ValueError, match=r"it has no table\.weight; .* and \d more; pass weights"):
        own.original()


def test_a_pickle_of_a_network_is_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "w.pt")
    own = TrustedModel(f"{NETS}:tokens", tmp_path / "w.pt")
    with pytest.raises(ValueError, match=r"no plain state dict .*network\.state_dict\(\)"):
        own.original()


class BertLike(nn.Module):
    """As the Hugging Face package gives it: it builds itself from a folder."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.dummy_inputs = {"x": torch.zeros(2, 4)}

    @classmethod
    def from_pretrained(cls, _folder: Path, **options: bool) -> "BertLike":
        assert options == {"local_files_only": True, "use_safetensors": True}
        return cls()

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.layer(x), "hidden": x}


@pytest.fixture
def hugging_face(tmp_path: Path) -> Path:
    folder = tmp_path / "bert-tiny"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["BertLike"]}')
    return folder


def test_a_hugging_face_folder_is_opened_by_its_package(
    monkeypatch: pytest.MonkeyPatch, hugging_face: Path
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", SimpleNamespace(BertLike=BertLike))  # type: ignore[arg-type]
    own = TrustedModel(str(hugging_face))
    report = measure(compress(own.original(), (Prune(sparsity=0.5),)), own.measured_on())
    assert (own.name, report.score.metric) == ("bert-tiny", "agreement")


def test_without_the_package_its_name_is_told(
    monkeypatch: pytest.MonkeyPatch, hugging_face: Path
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pip install transformers"):
        TrustedModel(str(hugging_face)).original()


def test_an_onnx_file_is_opened_by_the_importer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    importer = SimpleNamespace(
        import_onnx=lambda raw: nn.Linear(len(raw), 3).eval(),
        seeded_inputs=lambda network, **_: (torch.zeros(1, network.in_features),),
    )
    monkeypatch.setitem(sys.modules, "compress_core.models.importing.onnx", importer)  # type: ignore[arg-type]
    (tmp_path / "net.onnx").write_bytes(b"graph")
    own = TrustedModel(str(tmp_path / "net.onnx"))
    assert (own.name, own.original().input_shape) == ("net", (5,))


def test_an_onnx_file_has_its_weights(tmp_path: Path, weights: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"graph")
    with pytest.raises(ValueError, match="has its weights; leave out"):
        TrustedModel(str(tmp_path / "net.onnx"), weights).original()


def test_shapes_are_read_with_their_types() -> None:
    image, tokens = parse_shapes("3,32,32;16:int64")
    assert (tuple(image.shape), image.dtype) == ((1, 3, 32, 32), torch.float32)
    assert (tuple(tokens.shape), tokens.dtype) == ((1, 16), torch.int64)


@pytest.mark.parametrize("text", ["", "3,", "0,4", "a", "3:colour", "3:nn", "3;"])
def test_other_texts_are_no_shapes(text: str) -> None:
    with pytest.raises(ValueError, match="is no shape; give one input's sizes"):
        parse_shapes(text)
