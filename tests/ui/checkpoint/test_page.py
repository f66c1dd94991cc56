"""The page of a checkpoint: its numbers are the core's, and it needs no network."""

from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from compress_core import Prune, Quantize, Recipe
from compress_core.checkpoint import (
    Checkpoint,
    Profiles,
    Weighed,
    bit_steps,
    estimate_whole,
    of_whole,
    singular_values,
    sweep_bits,
    weigh_tensor,
)
from compress_core.checkpoint.profiles import FOLDER_VARIABLE
from compress_core.events import Silent
from compress_core.methods.quantization import QuantizeFloat, QuantizeMX
from compress_core.methods.weight_sharing import ShareWeights
from tests.checkpoint.conftest import normal
from tests.ui.bench import Bench
from tests.whole_app import WholeApp, open_app
from ui import words
from ui.checkpoint import chosen, opened
from ui.checkpoint.controls import release

LARGEST = "h.0.mlp.weight"  # of the group with the most weights


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """The one that the server was started with."""
    tensors = {f"h.{i}.mlp.weight": normal(64, 96, seed=i).bfloat16() for i in range(3)}
    more = {"head.weight": normal(20, 96), "norm.weight": torch.ones(96), "ids": torch.arange(4)}
    path = tmp_path / "model.safetensors"
    save_file({**tensors, **more}, path)
    monkeypatch.setenv(chosen.VARIABLE, str(path))
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "profiles"))
    return Checkpoint.open(path)


def weigh(checkpoint: Checkpoint, steps: Recipe, name: str = LARGEST) -> Weighed:
    entry = checkpoint.entry(name)
    return weigh_tensor(entry, steps, partial(Profiles(checkpoint).census, entry))


def assert_as_the_core(app: WholeApp, checkpoint: Checkpoint, steps: Recipe) -> None:
    found, total = weigh(checkpoint, steps), estimate_whole(checkpoint, steps)
    assert not app.exception
    assert not app.error
    assert [metric.value for metric in app.metric] == [
        words.byte_size(found.stored_bytes),
        f"≈ {words.byte_size(total.stored_bytes)}",
    ]
    assert any(f"SQNR {found.sqnr_db:.1f} dB" in caption.value for caption in app.caption)


def test_without_a_checkpoint_the_page_says_how_to_open_one() -> None:
    app = open_app("checkpoint")
    assert not app.exception
    assert "No checkpoint is open" in app.info[0].value
    assert "--weights-only PATH" in app.code[0].value


def test_what_cannot_be_opened_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bad.safetensors").write_bytes(bytes(100))
    monkeypatch.setenv(chosen.VARIABLE, str(tmp_path / "bad.safetensors"))
    app = open_app("checkpoint")
    assert not app.exception
    assert "does not fit a file of 100" in app.error[0].value


def test_it_opens_on_the_largest_group_with_a_method_at_work(checkpoint: Checkpoint) -> None:
    app = open_app("checkpoint")
    assert app.selectbox(key="checkpoint_tensor").value == LARGEST
    assert "h.*.mlp.weight" in list(app.dataframe[0].value["tensors"])
    assert_as_the_core(app, checkpoint, (Quantize(bits=4),))


@pytest.mark.parametrize(
    ("method", "step"),
    [
        ("prune", Prune(sparsity=0.5, scope="layer")),
        ("quantize", Quantize(bits=4)),
        ("float", QuantizeFloat("nf4")),
        ("microscaling", QuantizeMX("mxfp4")),
        ("share", ShareWeights(16)),
    ],
)
def test_each_method_weighs_as_the_core_does(
    method: str, step: Prune | Quantize, checkpoint: Checkpoint
) -> None:
    app = open_app("checkpoint")
    app.selectbox(key="checkpoint_method").set_value(method).run()
    assert_as_the_core(app, checkpoint, (step,))


def test_the_controls_make_the_step(checkpoint: Checkpoint) -> None:
    app = open_app("checkpoint")
    app.selectbox(key="checkpoint_bits").set_value(3).run()
    app.selectbox(key="checkpoint_granularity").set_value("tensor").run()
    app.selectbox(key="checkpoint_clipping").set_value("percentile").run()
    app.number_input(key="checkpoint_percentile").set_value(99.0).run()
    step = Quantize(3, granularity="tensor", clipping="percentile", percentile=99.0)
    assert_as_the_core(app, checkpoint, (step,))


def test_a_drag_is_written_into_the_controls(monkeypatch: pytest.MonkeyPatch) -> None:
    written = type("Session", (dict,), {"__setattr__": dict.__setitem__})()
    monkeypatch.setattr("ui.checkpoint.controls.st.session_state", written)
    release({"sparsity": 0.8004})
    release({"bits": 3, "clipping": "percentile", "percentile": 97.5})
    assert written == {
        "checkpoint_sparsity": 80.0,
        "checkpoint_bits": 3,
        "checkpoint_clipping": "percentile",
        "checkpoint_percentile": 97.5,
    }


@pytest.mark.usefixtures("checkpoint")
def test_the_search_leaves_what_has_the_text_in_its_name() -> None:
    app = open_app("checkpoint")
    app.text_input(key="checkpoint_search").set_value("h.1").run()
    assert list(app.dataframe[0].value["tensors"]) == ["h.*.mlp.weight"]
    assert app.selectbox(key="checkpoint_tensor").options == ["h.1.mlp.weight"]
    app.text_input(key="checkpoint_search").set_value("nothing").run()
    assert not app.exception
    said = [caption.value for caption in app.caption]
    assert "No tensor has nothing in its name." in said


@pytest.mark.usefixtures("checkpoint")
def test_a_norm_stays_as_it_is() -> None:
    app = open_app("checkpoint")
    app.text_input(key="checkpoint_search").set_value("norm").run()
    assert "stays as it is" in app.info[0].value
    assert not app.exception


def test_a_large_tensor_is_an_estimate_until_all_of_it_is_asked_for(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opened, "SEEN", 1000)
    steps = (Quantize(bits=5),)
    app = open_app("checkpoint")
    app.selectbox(key="checkpoint_bits").set_value(5).run()
    assert app.metric[0].value.startswith("≈ ")
    app.button(key="checkpoint_weigh").click().run()
    assert_as_the_core(app, checkpoint, steps)


def test_the_spectrum_is_computed_by_a_job_and_kept(checkpoint: Checkpoint) -> None:
    app = open_app("checkpoint")
    app.button(key="checkpoint_spectrum_start").click().run()
    assert not app.exception
    kept = Profiles(checkpoint).spectrum(checkpoint.entry(LARGEST))
    assert kept == pytest.approx(singular_values(checkpoint.entry(LARGEST)))
    assert any("Energy kept: 50 % at rank" in caption.value for caption in app.caption)


def test_the_sweep_is_a_job_whose_rows_are_shown(checkpoint: Checkpoint) -> None:
    app = open_app("checkpoint")
    app.button(key="checkpoint_sweep_start").click().run()
    assert not app.exception
    rows = of_whole(sweep_bits(checkpoint, bit_steps(), Silent()), checkpoint)
    (table,) = [frame.value for frame in app.dataframe if "bits" in frame.value]
    assert list(table["bits"]) == [8, 6, 5, 4, 3, 2]
    assert list(table["bytes"]) == [words.byte_size(row.stored_bytes) for row in rows]
    assert list(table["SQNR, dB"]) == pytest.approx([row.sqnr_db for row in rows])


@pytest.mark.usefixtures("checkpoint")
def test_a_sweep_that_runs_can_be_stopped_and_goes_on(bench: Bench) -> None:
    app = open_app("checkpoint")
    app.button(key="checkpoint_sweep_start").click().run()
    app.button(key="checkpoint_sweep_stop").click().run()
    assert bench.jobs()[0].state == "cancelled"
    app.button(key="checkpoint_sweep_start").click().run()
    bench.work_off()
    assert bench.jobs()[0].state == "done"


def test_a_file_that_is_written_anew_is_opened_anew(checkpoint: Checkpoint) -> None:
    app = open_app("checkpoint")
    save_file({"other.weight": normal(8, 8)}, checkpoint.path)
    app.run()
    assert not app.exception
    assert app.selectbox(key="checkpoint_tensor").value == "other.weight"
