"""Own model: what an opened network shows on every page, and what becomes of a file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import load_model_from_string, numpy_helper
from safetensors.torch import save

from compress_core import compress, load_model
from compress_core.measurement.report import measure_size
from compress_core.opening import store
from compress_core.opening.opened import Opened
from compress_core.recipe import parse_recipe
from compress_core.sources import find_original, is_known
from tests.opening.files import open_in_sandbox, small_network
from tests.whole_app import PAGES, open_app, strip_numbers, turn_to
from ui import words
from ui.own_model.opening import Opening

RECIPE = "prune:sparsity=0.5;quantize:bits=4"


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_an_opened_network(page: str, opened_name: str) -> None:
    app = open_app(page, model=opened_name, recipe=RECIPE)
    assert not app.exception
    assert not app.error


@pytest.fixture(scope="module")
def weights_name(own_results: None) -> str:  # noqa: ARG001  # the folder is its
    """Weights without a network."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"enc.0.weight": (12, 16), "enc.0.bias": (12,), "conv.weight": (4, 3, 3, 3)}
    tensors = {key: torch.randn(shape, generator=generator) for key, shape in shapes.items()}
    return open_in_sandbox(save(tensors), "weights.safetensors")


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_weights_without_a_network(page: str, weights_name: str) -> None:
    app = open_app(page, model=weights_name, recipe=f"{RECIPE};factorize:rank=2")
    assert not app.exception
    assert not app.error


def test_weights_of_a_known_architecture_run_as_that_network() -> None:
    state = load_model("digits-mlp").pristine.state_dict()
    name = open_in_sandbox(save(state), "mine.safetensors")
    app = open_app("own_model", model=name)
    assert strip_numbers(app)["Accuracy"].startswith("98.33 %")


def test_the_line_shows_its_numbers(opened_name: str) -> None:
    app = open_app("own_model", model=opened_name, recipe=RECIPE)
    found = find_original(opened_name)
    assert isinstance(found, Opened)
    assert found.elsewhere is not None
    size = measure_size(compress(found, parse_recipe(RECIPE)))
    shown = strip_numbers(app)
    assert shown["Size"] == words.byte_size(size.stored_bytes)
    assert shown["MACs"] == words.count(16 * 12 + 12 * 4)
    agreement = found.elsewhere.point(RECIPE)["agreement"]
    assert shown["Accuracy"].startswith(words.percent(agreement, 2))


def test_the_card_says_what_it_takes_and_how_it_agrees(opened_name: str) -> None:
    app = open_app("own_model", model=opened_name)
    said = " ".join(element.value for element in (*app.success, *app.markdown, *app.caption))
    assert "of the output's range" in said
    assert "**2 layers**" in said
    assert "the inputs are generated" in said


def test_an_opened_network_that_is_gone_is_named_without_its_secret() -> None:
    name = open_in_sandbox(small_network(), "Fleeting.onnx")
    app = open_app("own_model", model=name)
    store.forget(name)
    for later in (app.run(), open_app(model=name)):
        assert not later.exception
        (said,) = (warning.value for warning in later.warning)
        assert said.startswith("The network fleeting is not on this server any more")
        assert name not in said
        assert later.selectbox(key="model").value != name


def test_a_step_that_would_run_it_is_set_aside_with_the_reason(opened_name: str) -> None:
    app = open_app("prune", model=opened_name, recipe="prune_wanda:sparsity=0.5")
    assert not app.exception
    assert any("somebody else's network" in error.value for error in app.error)


def test_a_link_to_a_network_that_is_gone_gives_a_notice() -> None:
    app = open_app("prune", model="small-net~AAAAAAAAAAAAAAAA")
    assert not app.exception
    assert app.selectbox(key="model").value == "digits-cnn"


def test_a_network_stays_in_the_list_of_its_session(opened_name: str) -> None:
    app = open_app("prune", model=opened_name)
    app.selectbox(key="model").set_value("digits-mlp").run()
    assert opened_name in app.selectbox(key="model").options
    turn_to(app, "quantize")
    assert app.selectbox(key="model").value == "digits-mlp"


def test_a_file_becomes_a_network(tmp_path: Path) -> None:
    file = tmp_path / "upload.onnx"
    file.write_bytes(small_network(seed=1))
    opening = Opening("theirs.onnx")
    opening.run(file, {})
    assert (opening.problem, is_known(opening.name)) == ("", True)


def test_data_of_ones_own_give_an_accuracy(tmp_path: Path) -> None:
    raw, x, y = small_network(), np.random.default_rng(0).random((60, 16), np.float32), []
    weights = {
        t.name: numpy_helper.to_array(t) for t in load_model_from_string(raw).graph.initializer
    }
    hidden = np.maximum(x @ weights["fc1.weight"].T + weights["fc1.bias"], 0)
    y = (hidden @ weights["fc2.weight"] + weights["fc2.bias"]).argmax(1)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    (tmp_path / "net.onnx").write_bytes(raw)
    opening = Opening("net.onnx")
    opening.run(
        tmp_path / "net.onnx", {"data": str(tmp_path / "data.npz"), "data_title": "data.npz"}
    )
    app = open_app("own_model", model=opening.name)
    assert strip_numbers(app)["Accuracy"].startswith("100.00 %")


def test_what_is_no_model_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "upload.onnx"
    file.write_text("a poem")
    opening = Opening("poem.onnx")
    opening.run(file, {})
    assert "no model" in opening.problem
    assert opening.name == ""


def test_a_cancelled_opening_keeps_nothing(tmp_path: Path) -> None:
    file = tmp_path / "upload.onnx"
    file.write_bytes(small_network())
    opening = Opening("net.onnx")
    opening.cancel()
    opening.run(file, {})
    assert (opening.name, opening.is_over) == ("", True)
