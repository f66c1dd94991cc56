"""No control's value is used before it was checked: whatever stands in it, pages and callbacks go
on with the usual one."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import streamlit as st

from compress_core.methods.folding import FoldBatchNorm
from compress_core.methods.quantization import QuantizeRest
from compress_core.methods.recalibration import RecalibrateNorms
from tests.whole_app import WholeApp, open_app, turn_to
from ui import presenter
from ui.factorize import callbacks as factorize
from ui.language import LANGUAGES, names_of
from ui.panels import norms
from ui.prune import callbacks as prune
from ui.quantize import activations
from ui.quantize import callbacks as quantize
from ui.session import address, recipe_field, state, values
from ui.share_weights import controls as share
from ui.structured import controls as structured
from ui.take_home import upload
from ui.trade_offs import plane

JUNK = [None, "nonsense", -7, float("nan"), [], ""]
KINDS = ("segmented_control", "selectbox", "number_input", "toggle", "slider", "select_slider")
RECIPES = {
    "prune": "prune_wanda:sparsity=0.5",
    "structured": "prune_structured:pruning_ratio=0.2,importance=random",
    "quantize": "quantize:bits=4,granularity=group;quantize_activations",
    "share_weights": "share_weights:clusters=8,init=random",
    "factorize": "factorize:rank=8,layers=fc1",
    "encode": "quantize:bits=4",
    "combine": "prune:sparsity=0.5",
    "trade_offs": "prune:sparsity=0.5",
}
CALLBACKS: list[Callable[[], None]] = [
    prune.set_method,
    prune.set_scope,
    prune.set_sparsity,
    prune.set_threshold,
    prune.set_samples,
    prune.set_pattern,
    structured.set_structured,
    partial(norms.set_norms, "structured_fold", FoldBatchNorm()),
    partial(norms.set_norms, "prune_recalibrate", RecalibrateNorms()),
    partial(norms.set_norms, "encode_rest", QuantizeRest()),
    quantize.set_method,
    quantize.set_quantization,
    activations.set_activations,
    activations.set_correction,
    activations.set_samples,
    share.set_choice,
    share.set_clusters,
    share.set_settings,
    share.set_scope,
    factorize.set_rank,
    factorize.set_energy,
    factorize.set_budget,
    factorize.set_whole_energy,
    factorize.rewrite,
    plane.apply_clicked,
    upload._take_upload,
]
CONTROLS = (  # of all pages, by key, beside those of the address
    *("model", "prune_sparsity", "prune_threshold", "prune_samples", "prune_pattern"),
    *("prune_asked", "structured_ratio", "structured_floor", "structured_samples"),
    *(
        "structured_seed",
        "structured_fold",
        "encode_rest",
        "prune_recalibrate",
        "quantize_bits",
        "quantize_format",
    ),
    *("quantize_group_size", "quantize_percentile", "quantize_delta", "quantize_samples"),
    *("quantize_input_bits", "quantize_input_percentile", "quantize_correct"),
    *("share_choice", "share_clusters", "share_zeros", "share_seed", "factorize_rank"),
    *("factorize_energy", "factorize_budget", "factorize_whole_energy", "factorize_whiten"),
    *("factorize_samples", "factorize_form", "trade_offs_plane", "take_home_upload"),
)


def name_of(callback: Callable[[], None]) -> str:
    if isinstance(callback, partial):
        return str(callback.args[0])
    return f"{callback.__module__.removeprefix('ui.')}.{callback.__name__}"


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A session that has begun, without a browser."""
    monkeypatch.setattr(st, "rerun", lambda *_: None)
    st.session_state.clear()
    st.session_state.update(recipe="prune:sparsity=0.5;quantize:bits=4")
    st.session_state.update(recipe_echoes=[], recipe_written=st.session_state.recipe, notices=[])
    yield st.session_state
    st.session_state.clear()


def controls_of(app: WholeApp) -> dict[str, object]:
    """What each control of the page and of the sidebar holds, by its key."""
    return {str(w.key): w.value for kind in KINDS for w in app.get(kind) if w.key}


@pytest.mark.parametrize("junk", [None, "nonsense", -7])
@pytest.mark.parametrize("page", RECIPES)
def test_a_page_shows_its_usual_controls_in_place_of_nonsense(page: str, junk: object) -> None:
    app = open_app(page, recipe=RECIPES[page])
    shown = controls_of(app)
    other = open_app(recipe=RECIPES[page])
    for key in shown.keys() - {"model", "present", "language", "loss_tolerance"}:  # drawn already
        other.session_state[key] = junk
    turn_to(other, page)
    assert not other.exception
    assert controls_of(other) == shown


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("callback", CALLBACKS, ids=name_of)
def test_a_callback_stands_nonsense_in_every_control(
    session: Any, callback: Callable[[], None], junk: object
) -> None:
    for key in (*address.CHOICES, *address.LAYERS, *CONTROLS):
        session[key] = junk if key != "take_home_upload" and key != "trade_offs_plane" else None
    callback()
    assert recipe_field.problem_of(session.recipe) is None


@pytest.mark.parametrize("callback", CALLBACKS, ids=name_of)
def test_a_callback_stands_controls_that_were_never_drawn(
    session: Any, callback: Callable[[], None]
) -> None:
    assert "prune_method" not in session
    callback()
    assert recipe_field.problem_of(session.recipe) is None


@pytest.mark.parametrize("junk", JUNK)
def test_nonsense_for_model_and_presenter_mode_means_the_usual_ones(
    session: Any, junk: object
) -> None:
    session.update(model=junk, present=junk)
    assert state.current().model == "digits-cnn"
    assert not presenter.on()
    assert session["present"] is False


def test_an_option_may_come_by_the_name_that_it_has_in_another_language(session: Any) -> None:
    for name in names_of("random"):
        session["key"] = name
        assert values.chosen("key", ("global", "random")) == "random"
    assert len(names_of("random")) == len(LANGUAGES)


@pytest.mark.parametrize("junk", JUNK)
def test_readers_give_the_usual_value_in_place_of_nonsense(session: Any, junk: object) -> None:
    session["key"] = junk
    assert values.chosen("key", ("first", "second")) == "first"
    assert values.number("key", 5, 0, 9) == 5
    assert values.number("key", 0.5, 0.0, 1.0) == 0.5
    assert values.switched("key", True)
    assert values.text("key") == (junk if isinstance(junk, str) else "")


def test_readers_give_what_a_control_holds(session: Any) -> None:
    session.update(row="second", whole=7, fraction=0.25, switch=False, field="prune")
    assert values.chosen("row", ("first", "second")) == "second"
    assert values.number("whole", 5, 0, 9) == 7
    assert values.number("fraction", 0.5) == 0.25
    assert not values.switched("switch", True)
    assert values.text("field") == "prune"


def test_a_number_field_for_whole_numbers_takes_no_fraction_and_no_switch(session: Any) -> None:
    session.update(fraction=2.5, whole=2.0, switch=True)
    assert values.number("fraction", 5) == 5
    assert values.number("whole", 5) == 2
    assert values.number("switch", 5) == 5


def test_a_click_on_the_plane_that_the_page_has_left_changes_nothing(session: Any) -> None:
    plane.apply_clicked()
    assert session["recipe"] == "prune:sparsity=0.5;quantize:bits=4"
