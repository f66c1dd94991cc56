"""The command line: every command, its JSON, and one clear line for every bad input."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pooch
import pytest
import torch
from safetensors.torch import load_file, save_file

from compress_core import data
from compress_core.__main__ import main
from compress_core.command_line.parser import build_parser
from compress_core.compressed import compress
from compress_core.data import Dataset, finding
from compress_core.graph import to_onnx
from compress_core.measurement.accuracy import accuracy_of, predicted_classes
from compress_core.measurement.ledger import ledger
from compress_core.methods.low_rank import Factorize
from compress_core.methods.pruning import Prune
from compress_core.methods.quantization import Quantize
from compress_core.models.catalog import MODELS
from compress_core.models.checkpoints import CHECKPOINTS
from compress_core.original import Original
from compress_core.recipe import from_file, from_json, parse_step, to_json
from compress_core.search.curves import about, read_curves
from compress_core.search.sweep import MAKERS
from compress_core.storage.container import decode
from compress_core.training.settings import SETTINGS, Settings

ROOT = Path(__file__).parents[2]
STEPS = ("factorize:rank=16,layers=fc1", "prune:sparsity=0.8", "quantize:bits=5")
RECIPE = (Factorize(rank=16, layers=("fc1",)), Prune(sparsity=0.8), Quantize(bits=5))
STEP_OPTIONS = [option for step in STEPS for option in ("--step", step)]
FIELDS = {
    "model",
    "recipe",
    "original_bytes",
    "stored_bytes",
    "compression_ratio",
    "sparsity",
    "metric",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "n",
    "baseline_accuracy",
    "macs",
    "layers",
}
LAYER_FIELDS = {"name", "shape", "sparsity", "bits", "rank", "bytes", "sqnr_db"}

Run = Callable[..., str]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command that succeeds; returns what it printed."""

    def call(*arguments: object) -> str:
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        assert (code, printed.err) == (0, "")
        return printed.out

    return call


@pytest.fixture
def refuse(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command that is refused; returns its one line on standard error."""

    def call(*arguments: object) -> str:
        try:
            code: Any = main([str(argument) for argument in arguments])
        except SystemExit as left:  # argparse's own way out
            code = left.code
        printed = capsys.readouterr()
        assert (code, printed.out) == (2, "")
        assert printed.err.startswith("error: ")
        assert printed.err.count("\n") == 1
        return printed.err

    return call


def test_models_lists_them_all(run: Run) -> None:
    table = run("models")
    assert [name for name in MODELS if name not in table] == []


def test_models_as_json_are_the_cards(run: Run) -> None:
    rows = json.loads(run("models", "--json"))
    assert {row["model"] for row in rows} == set(MODELS)
    lenet = next(row for row in rows if row["model"] == "mnist-lenet-5")
    assert lenet["parameters"] == 431_080
    assert lenet["test_accuracy"] >= 0.991


def test_measure_prints_a_row_a_layer_and_the_accuracy(run: Run) -> None:
    table = run("measure", "digits-mlp", "--step", "quantize:bits=4")
    for word in ("fc1", "fc2", "fc3", "accuracy", "n = 600", "compression ratio"):
        assert word in table


@pytest.mark.parametrize("command", ["measure", "compress"])
def test_the_json_of_a_measurement_has_every_field(run: Run, tmp_path: Path, command: str) -> None:
    out = ["--out", tmp_path / "model.safetensors"] if command == "compress" else []
    row = json.loads(run(command, "digits-cnn", *STEP_OPTIONS, *out, "--json"))
    assert set(row) >= FIELDS
    assert all(set(layer) >= LAYER_FIELDS for layer in row["layers"])
    assert from_json(row["recipe"]) == RECIPE


def test_the_accuracy_is_the_cores(run: Run, digits_cnn: Original, digits: Dataset) -> None:
    row = json.loads(run("measure", "digits-cnn", *STEP_OPTIONS, "--json"))
    classes = predicted_classes(compress(digits_cnn, RECIPE).module, digits)
    assert row["accuracy"] == accuracy_of(classes, digits).accuracy
    assert row["n"] == 600


def test_a_subset_is_measured_when_asked_for(run: Run) -> None:
    assert json.loads(run("measure", "digits-mlp", "--subset", 50, "--json"))["n"] == 50


def test_latency_comes_with_the_reason_why(run: Run) -> None:
    table = run(
        "measure", "digits-mlp", "--subset", 50, "--step", "prune:sparsity=0.9", "--latency"
    )
    for word in ("before", "after", "p50 ms", "p95 ms", "with the same MACs"):
        assert word in table


def test_the_json_of_a_latency_has_times_before_and_after(run: Run) -> None:
    row = json.loads(run("measure", "digits-mlp", "--subset", 50, "--latency", "--json"))
    ratio = row["original_latency_ms_p50"] / row["latency_ms_p50"]
    assert row["speedup"] == pytest.approx(ratio)
    assert row["latency_ms_p50"] <= row["latency_ms_p95"]
    assert row["why"]


def test_stored_bytes_are_the_size_of_the_file_that_was_written(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    row = json.loads(run("compress", "digits-cnn", *STEP_OPTIONS, "--out", file, "--json"))
    assert row["stored_bytes"] == file.stat().st_size
    assert row["out"] == str(file)
    assert list(tmp_path.iterdir()) == [file]


def test_a_decoded_file_holds_the_evaluated_weights_bit_for_bit(
    run: Run, tmp_path: Path, digits_cnn: Original
) -> None:
    file, dense = tmp_path / "model.safetensors", tmp_path / "dense.safetensors"
    run("compress", "digits-cnn", *STEP_OPTIONS, "--out", file)
    run("decode", file, "--out", dense)
    decoded, expected = load_file(dense), compress(digits_cnn, RECIPE).module.state_dict()
    assert set(decoded) == set(expected)
    for key, tensor in expected.items():
        assert decoded[key].numpy().tobytes() == tensor.contiguous().numpy().tobytes()


STEPS_WITH_VALUES = [
    "prune_structured:pruning_ratio=0.3,importance=apoz,samples=40",
    "factorize:energy=0.9,form=tucker,layers=conv2",
    "factorize:budget=0.5,whiten=True,samples=40",
    "prune_nm:n=1,m=4",
    "prune_taylor:sparsity=0.5,samples=40",
    "prune_wanda:sparsity=0.5,samples=40",
    "quantize_float:format=nf4",
    "quantize_gptq:bits=3,samples=40",
    "binarize:layers=fc1",
    "ternarize",
    "share:clusters=16,scope=all",
    "quantize_activations:bits=6,mode=dynamic",
]


@pytest.mark.parametrize("step", STEPS_WITH_VALUES)
def test_every_method_is_measured_and_written(run: Run, tmp_path: Path, step: str) -> None:
    file = tmp_path / "model.safetensors"
    row = json.loads(run("compress", "digits-cnn", "--step", step, "--out", file, "--json"))
    assert row["stored_bytes"] == file.stat().st_size
    assert from_json(row["recipe"]) == (parse_step(step),)
    assert from_file(decode(file.read_bytes()).recipe) == (parse_step(step),)


def test_a_readable_file_is_larger_and_holds_the_same(run: Run, tmp_path: Path) -> None:
    small, large = tmp_path / "model.cx", tmp_path / "model.safetensors"
    told = [
        json.loads(run("compress", "digits-mlp", "--step", "quantize", "--json", *options))
        for options in (("--out", small), ("--out", large, "--readable"))
    ]
    assert [row["stored_bytes"] for row in told] == [f.stat().st_size for f in (small, large)]
    found, expected = (decode(file.read_bytes()).state_dict for file in (large, small))
    assert small.stat().st_size < large.stat().st_size
    assert all(bool((found[key] == expected[key]).all()) for key in expected)


def test_decode_tells_what_it_found(run: Run, tmp_path: Path) -> None:
    file, dense = tmp_path / "model.safetensors", tmp_path / "dense.safetensors"
    run("compress", "digits-mlp", "--step", "quantize:bits=4", "--out", file)
    row = json.loads(run("decode", file, "--out", dense, "--json"))
    assert (row["model"], row["recipe"]) == ("digits-mlp", "quantize:bits=4")
    assert (row["stored_bytes"], row["dense_bytes"]) == (file.stat().st_size, dense.stat().st_size)


def test_a_recipe_file_comes_before_the_steps(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "recipe.json"
    file.write_text(json.dumps(to_json((Quantize(bits=8),))))
    step = "quantize:bits=2,layers=fc1"
    row = json.loads(run("measure", "digits-mlp", "--recipe", file, "--step", step, "--json"))
    assert [layer["bits"] for layer in row["layers"]] == [2, 8, 8]


def test_a_stored_file_is_measured_as_it_was_when_it_was_written(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    written = json.loads(run("compress", "digits-cnn", *STEP_OPTIONS, "--out", file, "--json"))
    del written["out"]
    assert json.loads(run("measure", file, "--json")) == written
    assert "digits-cnn: factorize:rank=16,layers=fc1 → prune:sparsity=0.8" in run("measure", file)


@pytest.mark.parametrize("option", [("--step", "fold"), ("--recipe", "r.json"), ("--latency",)])
def test_a_stored_file_takes_no_other_recipe(
    refuse: Run, tmp_path: Path, option: tuple[str, ...]
) -> None:
    file = tmp_path / "model.safetensors"
    assert "is measured as it is stored, by its own recipe" in refuse("measure", file, *option)


def test_the_file_of_an_own_network_is_not_measured_here(
    refuse: Run, tmp_path: Path, animal: Callable[[str], Original]
) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(compress(animal("no_bias"), ()).container)
    assert "was made of 'no_bias'" in refuse("measure", file)


def test_a_file_to_measure_that_is_absent_or_none_of_ours_is_refused(
    refuse: Run, tmp_path: Path
) -> None:
    absent, foreign = tmp_path / "absent.safetensors", tmp_path / "foreign.safetensors"
    save_file({"w": torch.ones(2)}, foreign)
    assert "absent.safetensors" in refuse("measure", absent)
    assert "no container of ours" in refuse("measure", foreign)


def test_sweep_measures_every_point_of_a_family(run: Run) -> None:
    options = ["--family", "quantize", "--family", "prune", "--subset", 50]
    rows = json.loads(run("sweep", "digits-mlp", *options, "--json"))
    assert [row["family"] for row in rows] == ["quantize"] * 9 + ["prune"] * 10
    assert all(set(row) >= FIELDS for row in rows)


def test_a_sweeps_table_has_a_line_a_point(run: Run) -> None:
    table = run("sweep", "digits-mlp", "--family", "quantize", "--subset", 50)
    assert table.count("clipping=mse") == 9


def test_a_sweep_of_all_families_begins_with_the_original(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compress_core.search.sweep.MAKERS", {"n:m": MAKERS["n:m"]})
    rows = json.loads(run("sweep", "digits-mlp", "--all", "--subset", 50, "--json"))
    assert [row["family"] for row in rows] == ["original", *["n:m"] * 5]


def test_a_sweep_writes_the_curves_that_ship_and_goes_on_with_them(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compress_core.search.sweep.MAKERS", {"n:m": MAKERS["n:m"]})
    path = tmp_path / "curves.json"
    for _ in range(2):
        row = json.loads(run("sweep", "digits-mlp", "--all", "--out", path, "--json"))
        assert row == {"model": "digits-mlp", "points": 6, "out": str(path)}
    assert len(read_curves(path, about("digits-mlp")).rows) == 6


def test_farthest_tells_all_that_it_knows_and_the_strongest(run: Run) -> None:
    steps = ("--step", "prune:sparsity=0.5", "--step", "quantize:bits=6")
    options = (*steps, "--move", 1, "--points", 2)
    found = json.loads(run("farthest", "digits-mlp", *options, "--json"))
    best = found["best"]
    assert (found["model"], found["field"], found["n"]) == ("digits-mlp", "sparsity", 600)
    assert best in found["tried"]
    assert best["lost"] < 0.02
    assert best["recipe"] == f"prune:sparsity={best['number']};quantize:bits=6"
    table = run("farthest", "digits-mlp", *options)
    assert f"farthest: {best['recipe']}" in table
    assert table.count("│ ") > len(found["tried"])


def test_train_writes_a_checkpoint_and_its_card(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS, "digits-mlp", Settings(epochs=1, learning_rate=0.1))
    row = json.loads(run("train", "digits-mlp", "--seed", 3, "--out", tmp_path, "--json"))
    assert (row["model"], row["seed"]) == ("digits-mlp", 3)
    assert row.pop("out") == str(tmp_path / "digits-mlp.safetensors")
    assert json.loads((tmp_path / "digits-mlp.json").read_text()) == row
    assert (tmp_path / "digits-mlp.safetensors").is_file()


def test_training_leaves_the_shipped_checkpoint_alone(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS, "digits-mlp", Settings(epochs=1, learning_rate=0.1))
    monkeypatch.chdir(tmp_path)
    before = (CHECKPOINTS / "digits-mlp.safetensors").read_bytes()
    assert "checkpoints/digits-mlp.safetensors" in run("train", "digits-mlp")
    assert (tmp_path / "checkpoints" / "digits-mlp.safetensors").read_bytes() != before
    assert (CHECKPOINTS / "digits-mlp.safetensors").read_bytes() == before


def test_the_shipped_checkpoint_is_replaced_where_one_says_so() -> None:
    assert build_parser().parse_args(["train", "digits-mlp", "--replace"]).out == CHECKPOINTS


def test_data_tells_the_sizes(run: Run) -> None:
    assert json.loads(run("data", "digits", "--json")) == {
        "dataset": "digits",
        "train": 1197,
        "test": 600,
    }


def test_the_ledger_prints_every_encoding_and_its_sentence(run: Run) -> None:
    table = run("ledger", "digits-mlp", "--step", "prune:sparsity=0.9")
    for word in ("dense fp32", "CSR", "zstd -19", "entropy bound", "our container", "ONNX", "fc1"):
        assert word in table
    assert "90 % zeros, and the .onnx did not shrink by a byte" in table


def test_the_ledger_as_json_has_the_cores_rows(run: Run, digits_mlp: Original) -> None:
    printed = json.loads(run("ledger", "digits-mlp", *STEP_OPTIONS, "--json"))
    made = compress(digits_mlp, RECIPE)
    expected = [row.as_dict() for row in ledger(made, to_onnx(made))]
    assert printed["rows"] == expected
    assert f"{made.stored_bytes:,}" in printed["verdict"]
    assert from_json(printed["recipe"]) == RECIPE


def test_export_onnx_writes_a_graph_that_agrees(
    run: Run, tmp_path: Path, digits_mlp: Original, digits: Dataset
) -> None:
    file = tmp_path / "model.onnx"
    row = json.loads(
        run("export-onnx", "digits-mlp", "--step", "quantize:bits=4", "--out", file, "--json")
    )
    assert row["onnx_bytes"] == file.stat().st_size
    images = digits.images[:5]
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": images.numpy()})
    with torch.inference_mode():
        expected = compress(digits_mlp, (Quantize(bits=4),)).module(images)
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4)


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("shrink", ["unknown step 'shrink'", "choose one of fold, prune_structured, factorize"]),
        ("prune:amount=0.5", ["no field 'amount'", "sparsity"]),
        ("prune:sparsity=1", ["sparsity=1", "below 1", "leave no weight"]),
        ("prune:sparsity=half", ["sparsity='half'", "must be a number"]),
        ("quantize:bits=0", ["bits=0", "not one of 1, 2", "choose"]),
        ("quantize:layers=conv*", ["layers='conv*'", "matches no layer", "fc1, fc2, fc3"]),
        ("factorize:rank=11,layers=fc3", ["fc3", "rank=11", "full rank 10", "at most 10"]),
    ],
)
def test_a_bad_step_is_refused_in_one_line(refuse: Run, step: str, words: list[str]) -> None:
    line = refuse("measure", "digits-mlp", "--step", step)
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize("command", ["measure", "compress", "sweep", "export-onnx", "train"])
def test_an_unknown_model_is_refused_by_every_command(
    refuse: Run, tmp_path: Path, command: str
) -> None:
    out = [] if command in {"measure", "sweep"} else ["--out", tmp_path / "out"]
    assert "unknown model 'resnet'; choose one of digits-cnn" in refuse(command, "resnet", *out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["required", "COMMAND"]),
        (["squash"], ["invalid choice", "squash"]),
        (["compress", "digits-mlp"], ["required", "--out"]),
        (["measure", "digits-mlp", "--subset", "few"], ["--subset", "few"]),
        (["measure", "digits-mlp", "--subset", "0"], ["--subset 0", "from 1 to the 600"]),
        (["measure", "digits-mlp", "--subset", "601"], ["--subset 601", "from 1 to the 600"]),
        (["measure", "digits-mlp", "--recipe", "absent.json"], ["absent.json"]),
        (
            ["sweep", "digits-mlp", "--family", "zip"],
            ["unknown family 'zip'", "choose one of prune"],
        ),
        (["sweep", "digits-mlp", "--out", "x"], ["--out x", "add --all"]),
        (["sweep", "digits-mlp", "--all", "--family", "prune"], ["not allowed with", "--all"]),
        (["train", "digits-mlp", "--out", "x", "--replace"], ["not allowed with", "--replace"]),
        (["farthest", "digits-mlp"], ["an empty recipe has a number to search over"]),
        (["farthest", "digits-mlp", "--step", "fold", "--move", "2"], ["no batch norm"]),
        (["farthest", "digits-mlp", "--step", "prune:sparsity=0.5", "--move", "2"], ["step 2 is"]),
        (
            ["farthest", "digits-mlp", "--step", "prune:sparsity=0.5", "--points", "0"],
            ["tolerance=0.0 allows no loss"],
        ),
        (["data", "cifar"], ["invalid choice", "cifar"]),
        (["decode", "absent.safetensors", "--out", "x"], ["absent.safetensors"]),
    ],
)
def test_bad_arguments_are_refused_in_one_line(
    refuse: Run, arguments: list[str], words: list[str]
) -> None:
    line = refuse(*arguments)
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", ["the recipe is not JSON"]),
        ('{"version": 2, "steps": []}', ["version 2 is not 1", "make the recipe anew"]),
        ('{"version": 1, "steps": [{"step": "zip"}]}', ["unknown step 'zip'", "choose"]),
        ('{"version": 1, "steps": [{"step": "quantize", "bit": 1}]}', ["no field 'bit'", "bits"]),
        ("\udcff", ["codec", "decode"]),
    ],
)
def test_a_bad_recipe_file_is_refused_in_one_line(
    refuse: Run, tmp_path: Path, text: str, words: list[str]
) -> None:
    file = tmp_path / "recipe.json"
    file.write_bytes(text.encode(errors="surrogateescape"))
    line = refuse("measure", "digits-mlp", "--recipe", file)
    assert [word for word in words if word not in line] == []


def test_a_file_that_is_no_container_is_refused(refuse: Run, tmp_path: Path) -> None:
    foreign, out = tmp_path / "foreign.safetensors", tmp_path / "dense.safetensors"
    save_file({"w": torch.ones(2)}, foreign)
    assert "no container of ours" in refuse("decode", foreign, "--out", out)
    assert not out.exists()


def test_a_damaged_container_is_refused(run: Run, refuse: Run, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    run("compress", "digits-mlp", "--step", "quantize:bits=4", "--out", file)
    file.write_bytes(file.read_bytes()[:-1])
    assert "truncated or damaged" in refuse("decode", file, "--out", tmp_path / "dense")


def test_a_folder_that_is_not_there_is_named(refuse: Run, tmp_path: Path) -> None:
    out = tmp_path / "absent" / "model.safetensors"
    assert "absent" in refuse("compress", "digits-mlp", "--out", out)


def test_a_folder_in_place_of_the_file_leaves_nothing_behind(refuse: Run, tmp_path: Path) -> None:
    assert str(tmp_path) in refuse("compress", "digits-mlp", "--out", tmp_path)
    assert not list(tmp_path.parent.glob("*.partial"))


@pytest.mark.parametrize("command", ["compress", "export-onnx"])
def test_a_link_is_written_through(run: Run, tmp_path: Path, command: str) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to(file)
    run(command, "digits-mlp", "--step", "quantize:bits=4", "--out", link)
    assert link.is_symlink()
    assert file.stat().st_size > 10_000


def test_a_checkpoint_is_written_through_its_link(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS, "digits-mlp", Settings(epochs=1, learning_rate=0.1))
    for name in ("digits-mlp.safetensors", "digits-mlp.json"):
        (tmp_path / name).symlink_to(tmp_path / f"kept-{name}")
    run("train", "digits-mlp", "--out", tmp_path)
    assert (tmp_path / "digits-mlp.safetensors").is_symlink()
    assert load_file(tmp_path / "kept-digits-mlp.safetensors")
    assert json.loads((tmp_path / "kept-digits-mlp.json").read_text())["model"] == "digits-mlp"


def shell(line: str) -> subprocess.CompletedProcess[bytes]:
    command = f'"{sys.executable}" -W ignore -m compress_core'
    text = f"set -o pipefail; {line.format(command)}"
    return subprocess.run(["bash", "-c", text], cwd=ROOT, capture_output=True, timeout=120)


@pytest.mark.parametrize("out", ["-", "/dev/stdout"])
def test_standard_output_is_the_file_alone_and_the_table_goes_to_the_error(out: str) -> None:
    done = shell(f"{{}} compress digits-mlp --step quantize:bits=4 --subset 50 --out {out}")
    assert done.returncode == 0
    assert decode(done.stdout).model == "digits-mlp"
    assert b"compression ratio" in done.stderr


@pytest.mark.parametrize("options", ["models", "models --json"])
def test_a_reader_that_has_read_enough_is_told_in_one_line(options: str) -> None:
    done = shell(f"{{}} {options} | true")
    assert done.returncode == 2
    assert done.stderr == b"error: the reader of the output left before all was printed\n"


def test_a_reader_of_the_file_that_goes_away_is_told_in_one_line() -> None:
    done = shell("{} compress digits-mlp --subset 50 --out - | true")
    assert done.returncode == 2
    assert b"the reader went away before all of the" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_missing_data_is_told_in_one_line(
    refuse: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPRESS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(finding, "user_cache", lambda: tmp_path)
    data._load.cache_clear()
    line = refuse("measure", "mnist-lenet-300-100")
    assert "MNIST: t10k-images-idx3-ubyte is not on this machine; download it (12 MB" in line
    data._load.cache_clear()


def test_a_failed_download_is_told_in_one_line(
    refuse: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def retrieve(*_args: Any, **_rest: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(finding, "user_cache", lambda: tmp_path)
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    assert "could not be downloaded (no route to host)" in refuse("data", "mnist")


@pytest.mark.parametrize(
    "command",
    ["models", "train", "data", "measure", "compress", "decode", "sweep", "farthest", "ledger"],
)
def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str], command: str) -> None:
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert "--json" in capsys.readouterr().out
