"""A loss is an alarm: beyond the tolerance of session and address, with the step that caused it."""

import pytest
import streamlit as st

from compress_core.measurement.losses import Lost
from compress_core.recipe import parse_recipe
from compress_core.search.curves import Curves
from tests.whole_app import WholeApp, open_app, turn_to
from ui.session import alarming, measuring, state

HARSH = "prune:sparsity=0.9713;quantize:bits=8"  # whose first step nobody has measured


def warnings(app: WholeApp) -> str:
    return " ".join(warning.value for warning in app.warning)


def has_button(app: WholeApp, key: str) -> bool:
    return any(button.key == key for button in app.button)


@pytest.fixture
def unshipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarming, "load_curves", lambda _model: Curves({}, "none are here"))


def test_a_loss_stands_under_the_strip_with_its_step() -> None:
    app = open_app(recipe="prune:sparsity=0.95")
    _, change = measuring.score("digits-cnn", parse_recipe("prune:sparsity=0.95"), 600)
    assert f"{-100 * change.difference:.2f} points lost on 600 images" in warnings(app)
    assert "(step 1)" in warnings(app)
    assert not has_button(app, "which_step")


def test_a_harmless_recipe_says_what_it_was_held_against() -> None:
    app = open_app(recipe="quantize:bits=8")
    assert not app.warning
    assert any("Not more than 1 point lost" in caption.value for caption in app.caption)


@pytest.mark.usefixtures("unshipped", "bench")
def test_the_step_is_measured_when_somebody_asks() -> None:
    app = open_app(recipe=HARSH)
    assert "weaken a step of the recipe" in warnings(app)
    app.button(key="which_step").click().run()
    assert "(step 1), which lost" in warnings(app)
    assert not has_button(app, "which_step")


@pytest.mark.usefixtures("bench")
def test_shipped_points_name_the_step_unasked() -> None:
    app = open_app(recipe="prune:sparsity=0.95;quantize:bits=8,clipping=mse")
    assert "(step 1), which lost" in warnings(app)


def test_the_tolerance_is_kept_in_session_and_address() -> None:
    app = open_app(recipe="prune:sparsity=0.95")
    app.number_input(key="loss_tolerance").set_value(99.0).run()
    assert "points lost" not in warnings(app)
    assert app.query_params["loss_tolerance"] == "99"
    turn_to(app, "encode")
    assert app.number_input(key="loss_tolerance").value == 99
    app.number_input(key="loss_tolerance").set_value(1.0).run()
    assert "loss_tolerance" not in app.query_params


def test_the_address_sets_the_tolerance() -> None:
    app = open_app(recipe="prune:sparsity=0.95", loss_tolerance="99")
    assert "points lost" not in warnings(app)


@pytest.mark.parametrize("text", ["-1", "101", "much", "nan"])
def test_an_impossible_tolerance_is_a_notice(text: str) -> None:
    app = open_app(loss_tolerance=text)
    assert "is not a number from 0 to 100" in warnings(app)
    assert app.number_input(key="loss_tolerance").value == 1


PRUNED, CODED = "prune:sparsity=0.95", ";quantize:bits=8,clipping=mse"


def culprit(n: int, asked: bool = True) -> Lost:
    current = state.shown_as("digits-cnn", parse_recipe(PRUNED + CODED))
    st.session_state.clear()
    if asked:
        alarming.ask_for_culprit(current)
    found = alarming._lost(current, n)
    assert found is not None
    return found


def test_steps_are_compared_on_the_images_of_the_whole_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measuring, "measured_size", lambda *_: 600)
    monkeypatch.setattr(measuring, "first_size", lambda _model: 250)
    found = culprit(250)
    own = measuring.change("digits-cnn", (), parse_recipe(PRUNED), 250).difference
    assert found.culprit is not None
    assert found.culprit.lost == -own
    assert found.culprit.n is None


def test_where_a_step_is_measured_on_fewer_images_all_are_compared_on_these(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alarming, "load_curves", lambda _model: Curves({}, "none are here"))
    sizes = {1: 250, 2: 600}
    monkeypatch.setattr(measuring, "measured_size", lambda _model, recipe: sizes[len(recipe)])
    monkeypatch.setattr(measuring, "first_size", lambda _model: 250)
    found = culprit(600)
    own = measuring.change("digits-cnn", (), parse_recipe(PRUNED), 250).difference
    assert found.culprit is not None
    assert (found.n, found.culprit.n, found.culprit.lost) == (600, 250, -own)


def test_what_ships_is_not_held_against_a_part_of_the_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measuring, "known_size", lambda _model, recipe: 250 * (len(recipe) > 1))
    monkeypatch.setattr(measuring, "first_size", lambda _model: 250)
    assert culprit(250, asked=False).culprit is None
