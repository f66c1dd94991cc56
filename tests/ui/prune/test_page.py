"""The prune page: each method's controls make the core's step, and refusals come in words."""

from pathlib import Path

import pytest

from compress_core import Factorize, Prune, data, load_model
from compress_core.methods.pruning import PruneNM, PruneTaylor, PruneWanda, RandomPrune
from compress_core.recipe import parse_recipe
from compress_core.steps import AnyStep
from tests.ui.test_pages import assert_strip_shows, measured
from tests.whole_app import WholeApp, open_app
from ui.prune.methods import METHODS, make_step, method_of, scope_of
from ui.session import caches

RECIPES = (
    "random_prune:sparsity=0.5",
    "prune_nm:n=1",
    "prune_nm:n=3,m=5",
    "prune_taylor:sparsity=0.5",
    "prune_taylor:sparsity=0.5,scope=row",
    "prune_wanda:sparsity=0.5;quantize:bits=4",
    "prune_wanda:sparsity=0.5,scope=global;quantize:bits=4,scheme=asymmetric",
)


def choose(app: WholeApp, method: str) -> None:
    app.selectbox(key="prune_method").set_value(method).run()


def captions(app: WholeApp) -> str:
    return " ".join(caption.value for caption in app.caption)


@pytest.mark.parametrize("model", ["digits-mlp", "digits-cnn", "digits-transformer"])
@pytest.mark.parametrize("recipe", RECIPES)
def test_the_page_renders_for_each_method(model: str, recipe: str) -> None:
    app = open_app("prune", model=model, recipe=recipe)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize(
    ("method", "step"),
    [
        ("random", RandomPrune(0.8)),
        ("Taylor", PruneTaylor(0.8)),
        ("Wanda", PruneWanda(0.8, scope="layer")),
    ],
)
def test_a_method_takes_the_sparsity_over_in_its_usual_scope(method: str, step: AnyStep) -> None:
    app = open_app("prune", recipe="prune:sparsity=0.8")
    choose(app, method)
    assert app.selectbox(key="prune_scope").value == METHODS[method].scopes[0]
    assert app.number_input(key="prune_sparsity").value == 80.0
    assert f"**{method}** knows" in captions(app)
    assert_strip_shows(app, measured((step,)))


def test_a_pattern_prunes_as_the_core_does_and_hands_its_share_on() -> None:
    app = open_app("prune", recipe="prune:sparsity=0.9")
    choose(app, "N:M")
    assert app.selectbox(key="prune_pattern").value == "2:4"
    app.selectbox(key="prune_pattern").set_value("1:4").run()
    assert_strip_shows(app, measured((PruneNM(n=1, m=4),)))
    app.selectbox(key="prune_pattern").set_value("none").run()
    assert app.session_state["recipe"] == ""


def test_the_pattern_of_a_recipe_is_one_of_the_choices() -> None:
    app = open_app("prune", recipe="prune_nm:n=3,m=5")
    assert app.selectbox(key="prune_pattern").value == "3:5"


def test_the_scope_of_a_score_is_the_cores() -> None:
    app = open_app("prune", recipe="prune_taylor:sparsity=0.7,seed=3")
    app.selectbox(key="prune_scope").set_value("row").run()
    assert_strip_shows(app, measured((PruneTaylor(0.7, scope="row", seed=3),)))


def test_the_number_of_training_images_is_the_steps() -> None:
    app = open_app("prune", recipe="prune_wanda:sparsity=0.7,scope=layer")
    assert app.number_input(key="prune_samples").value == 256
    app.number_input(key="prune_samples").set_value(20).run()
    assert_strip_shows(app, measured((PruneWanda(0.7, scope="layer", samples=20),)))


def test_one_layer_gets_an_exception_by_another_method() -> None:
    app = open_app("prune", recipe="prune:sparsity=0.5", prune_scope="one", prune_layer="fc1")
    choose(app, "Taylor")
    app.number_input(key="prune_sparsity").set_value(90.0).run()
    held, own = parse_recipe(app.session_state["recipe"])
    assert own == PruneTaylor(0.9, layers=("fc1",))
    rows = [row.sparsity for row in measured((Prune(0.5),)).size.layers if row.name != "fc1"]
    report = measured((held, own))
    assert [row.sparsity for row in report.size.layers if row.name != "fc1"] == rows
    assert_strip_shows(app, report)


def test_a_factorized_layer_has_no_scores_and_is_left_out_with_the_reason() -> None:
    app = open_app("prune", recipe="factorize:rank=8,layers=fc1")
    choose(app, "Taylor")
    app.number_input(key="prune_sparsity").set_value(50.0).run()
    assert not app.exception
    (left_out,) = app.expander(key="left_out_2").markdown
    assert app.expander(key="left_out_2").label == "1 layer left out"
    assert left_out.value.startswith("- **fc1** is factorized to rank 8, and its factors have no")
    steps = (Factorize(rank=8, layers=("fc1",)), PruneTaylor(0.5))
    assert_strip_shows(app, measured(steps))


def test_a_layer_that_is_named_is_refused_in_words() -> None:
    app = open_app(
        "prune", recipe="factorize:rank=8,layers=fc1;prune_taylor:sparsity=0.5,layers=fc1"
    )
    assert app.error[0].value.startswith("fc1 is factorized to rank 8")
    assert "left_out" not in " ".join(str(box.key) for box in app.expander)


@pytest.mark.parametrize("page", ["prune", "structured"])
def test_training_images_that_are_not_there_are_no_crash(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str
) -> None:
    monkeypatch.setenv("COMPRESS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("compress_core.data.finding.user_cache", lambda: tmp_path)
    monkeypatch.setattr(data, "_load", data._load.__wrapped__)  # past what is loaded already
    monkeypatch.setattr(caches, "original", load_model)  # past what is measured already
    recipe = "prune_taylor:sparsity=0.5;prune_structured:pruning_ratio=0.5,importance=taylor"
    app = open_app(
        page,
        model="mnist-lenet-300-100",
        recipe=recipe,
        prune_method="Taylor",
        structured_importance="taylor",
    )
    assert not app.exception
    assert len(app.error) == 2
    assert all(r"COMPRESS\_DATA\_DIR" in error.value for error in app.error)


def test_a_method_in_the_address_makes_its_step() -> None:
    app = open_app("prune", prune_method="Wanda", prune_sparsity="70")
    assert app.session_state["recipe"] == "prune_wanda:sparsity=0.7,scope=layer"
    app = open_app("prune", prune_method="N:M", prune_sparsity="70")
    assert r"not of N\:M" in app.warning[0].value


@pytest.mark.parametrize("method", METHODS)
def test_a_method_knows_its_own_steps(method: str) -> None:
    if method == "N:M":
        assert method_of(PruneNM()) == method
        return
    for scope in METHODS[method].scopes[:-1]:
        step = make_step(method, 0.5, scope=scope)
        assert (method_of(step), scope_of(step)) == (method, scope)


def test_another_pages_step_is_no_method_of_pruning() -> None:
    with pytest.raises(ValueError, match="no step of the prune page"):
        method_of(Factorize(rank=8))


def test_a_pattern_has_no_share_to_be_made_of() -> None:
    with pytest.raises(ValueError, match="N:M has a pattern and no sparsity"):
        make_step("N:M", 0.5, scope="group")
