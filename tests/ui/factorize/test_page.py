"""The page of factorization: every form and both scopes do what the core does."""

import pytest

from compress_core import Factorize, Prune, Recipe, compress, load_model
from compress_core.measurement.report import LayerRow, measure_size
from compress_core.methods.low_rank import Form, decompose, parameter_count, ranks_at
from compress_core.methods.structured import PruneStructured
from compress_core.recipe import format_recipe, parse_recipe
from compress_core.steps import AnyStep
from tests.whole_app import WholeApp, open_app, strip_numbers, turn_to
from ui import words

WHOLE = "whole model"
CONV2 = (32, 16, 3, 3)  # of digits-cnn


def rows(recipe: Recipe, model: str = "digits-cnn") -> dict[str, LayerRow]:
    return {row.name: row for row in measure_size(compress(load_model(model), recipe)).layers}


def recipe_of(app: WholeApp) -> Recipe:
    return parse_recipe(app.session_state["recipe"])


def size_of(app: WholeApp) -> str:
    return strip_numbers(app)["Size"]


def assert_size(app: WholeApp, recipe: Recipe, model: str = "digits-cnn") -> None:
    assert not app.exception
    stored = compress(load_model(model), recipe).stored_bytes
    assert size_of(app) == words.byte_size(stored)


@pytest.mark.parametrize("scope", ["one layer", WHOLE])
@pytest.mark.parametrize("model", ["digits-cnn", "digits-mlp", "digits-transformer"])
def test_both_scopes_render_for_every_model(model: str, scope: str) -> None:
    app = open_app("factorize", model=model, factorize_scope=scope)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("form", ["spatial", "tucker"])
def test_a_form_and_its_rank_factorize_as_the_core_does(form: Form) -> None:
    app = open_app("factorize", factorize_layer="conv2")
    app.button(key=f"factorize_form_{form}").click().run()
    app.number_input(key="factorize_rank").set_value(9).run()
    step = Factorize(rank=9, form=form, layers=("conv2",))
    assert recipe_of(app) == (step,)
    assert_size(app, (step,))


@pytest.mark.parametrize("form", ["channel", "spatial", "tucker"])
def test_the_energy_shown_is_the_cores(form: Form) -> None:
    step = Factorize(rank=7, form=form, layers=("conv2",))
    app = open_app("factorize", factorize_layer="conv2", recipe=format_recipe((step,)))
    found = decompose(load_model("digits-cnn").layers["conv2"], form)
    kept = found.kept(ranks_at(CONV2, 7, form))
    assert app.number_input(key="factorize_energy").value == round(100 * kept, 1)
    assert any(f"keeps {words.percent(kept)}" in text.value for text in app.markdown)


def test_another_form_of_a_rank_has_no_more_weights() -> None:
    recipe = "factorize:rank=12,layers=conv2"
    app = open_app("factorize", factorize_layer="conv2", recipe=recipe)
    before = parameter_count(CONV2, 12)
    app.button(key="factorize_form_spatial").click().run()
    (step,) = recipe_of(app)
    assert isinstance(step, Factorize)
    assert step.form == "spatial"
    assert step.rank is not None
    assert parameter_count(CONV2, step.rank, "spatial") <= before
    assert parameter_count(CONV2, step.rank + 1, "spatial") > before


def test_another_form_of_an_energy_keeps_the_energy() -> None:
    recipe = "factorize:energy=0.8,layers=conv2"
    app = open_app("factorize", factorize_layer="conv2", recipe=recipe)
    app.button(key="factorize_form_tucker").click().run()
    assert recipe_of(app) == (Factorize(energy=0.8, form="tucker", layers=("conv2",)),)


def test_a_linear_layer_offers_one_form_and_says_why() -> None:
    app = open_app("factorize", factorize_layer="fc1")
    assert not app.button(key="factorize_form_channel").disabled
    assert app.button(key="factorize_form_spatial").disabled
    assert "fc1 has no kernel" in app.button(key="factorize_form_tucker").help
    assert any("fc1 has no kernel" in caption.value for caption in app.caption)


def test_the_toggle_makes_the_step_data_aware() -> None:
    recipe = "factorize:rank=12,layers=fc1"
    app = open_app("factorize", factorize_layer="fc1", recipe=recipe)
    app.toggle(key="factorize_whiten").set_value(True).run()
    app.number_input(key="factorize_samples").set_value(128).run()
    step = Factorize(rank=12, whiten=True, samples=128, layers=("fc1",))
    original = load_model("digits-cnn")
    moments = original.calibrate(128).moments("fc1")
    kept = decompose(original.layers["fc1"], "channel", lambda: moments.gram).kept((12,))
    assert recipe_of(app) == (step,)
    assert_size(app, (step,))
    assert app.number_input(key="factorize_energy").value == round(100 * kept, 1)


def test_one_budget_of_the_whole_model_is_spent_as_the_core_spends_it() -> None:
    app = open_app("factorize", factorize_scope=WHOLE)
    app.number_input(key="factorize_budget").set_value(30.0).run()
    assert recipe_of(app) == (Factorize(budget=0.3),)
    assert_size(app, (Factorize(budget=0.3),))
    table = next(frame.value for frame in app.dataframe if "break-even" in frame.value)
    assert list(table["weights after"]) == [
        row.parameters for row in rows((Factorize(budget=0.3),)).values()
    ]


def test_one_energy_of_the_whole_model_chooses_every_rank() -> None:
    app = open_app("factorize", factorize_scope=WHOLE)
    app.number_input(key="factorize_whole_energy").set_value(80.0).run()
    assert recipe_of(app) == (Factorize(energy=0.8),)
    after = sum(row.parameters for row in rows((Factorize(energy=0.8),)).values())
    dense = sum(layer.weight.numel() for layer in load_model("digits-cnn").layers.values())
    assert app.number_input(key="factorize_budget").value == round(100 * after / dense, 1)


def test_the_whole_models_form_is_for_the_layers_that_can_take_it() -> None:
    app = open_app("factorize", factorize_scope=WHOLE, recipe="factorize:budget=0.5")
    app.button(key="factorize_form_tucker").click().run()
    kernels = Factorize(budget=0.5, form="tucker", layers=("conv1", "conv2"))
    assert recipe_of(app) == (Factorize(budget=0.5), kernels)
    app.button(key="factorize_form_channel").click().run()
    assert recipe_of(app) == (Factorize(budget=0.5),)


def test_the_whole_models_step_leaves_the_exceptions_of_layers() -> None:
    own = Factorize(rank=3, layers=("fc2",))
    app = open_app("factorize", factorize_scope=WHOLE, recipe=format_recipe((own,)))
    app.number_input(key="factorize_budget").set_value(40.0).run()
    assert recipe_of(app) == (Factorize(budget=0.4), own)
    assert any("factorize to rank 3 in fc2" in caption.value for caption in app.caption)
    app.number_input(key="factorize_budget").set_value(100.0).run()
    assert recipe_of(app) == (own,)


@pytest.mark.parametrize(
    ("step", "weights"),
    [
        ("factorize:rank=60,layers=fc1", "34,560 weights of 32,768"),
        ("factorize:rank=40,form=spatial,layers=conv2", "5,760 weights of 4,608"),
        ("factorize:rank=32,form=tucker,layers=conv2", "more than before"),
    ],
)
def test_a_rank_above_break_even_is_flagged_in_every_form(step: str, weights: str) -> None:
    layer = step.rpartition("=")[2]
    app = open_app("factorize", recipe=step, factorize_layer=layer)
    table = next(frame.value for frame in app.dataframe if "break-even" in frame.value)
    flagged = table[table["note"] != ""]
    assert list(flagged["layer"]) == [layer]
    assert any(weights in text.value and "more than before" in text.value for text in app.markdown)


def test_a_budget_below_the_thinnest_factors_is_refused_in_words() -> None:
    app = open_app("factorize", factorize_scope=WHOLE)
    app.number_input(key="factorize_budget").set_value(0.1).run()
    assert "use at least budget=" in app.error[0].value
    assert not app.exception


def test_ranks_count_the_channels_that_structured_pruning_left() -> None:
    recipe: tuple[AnyStep, ...] = (PruneStructured(0.5), Prune(0.5))
    app = open_app("factorize", recipe=format_recipe(recipe), factorize_layer="fc1")
    small = compress(load_model("digits-cnn"), recipe).base.layers["fc1"].shape
    assert app.number_input(key="factorize_rank").value == min(small)
    app.number_input(key="factorize_rank").set_value(4).run()
    assert_size(app, (*recipe, Factorize(rank=4, layers=("fc1",))))


def test_a_layer_is_taken_out_of_a_budget_at_the_rank_that_it_got() -> None:
    app = open_app("factorize", recipe="factorize:budget=0.3", factorize_layer="fc1")
    rank = rows((Factorize(budget=0.3),))["fc1"].rank
    app.toggle(key="factorize_whiten").set_value(True).run()
    assert recipe_of(app)[-1] == Factorize(rank=rank, whiten=True, layers=("fc1",))


def test_a_model_without_its_images_cannot_be_data_aware(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "ui.session.measuring.data_problem", lambda _model: "MNIST is not on this machine"
    )
    app = open_app("factorize", factorize_layer="fc1")
    assert app.toggle(key="factorize_whiten").disabled
    assert "not on this machine" in app.toggle(key="factorize_whiten").help


def test_the_form_outlasts_a_visit_to_another_page() -> None:
    app = open_app("factorize", factorize_layer="conv2")
    app.button(key="factorize_form_spatial").click().run()
    turn_to(app, "prune")
    turn_to(app, "factorize")
    assert app.session_state["factorize_form"] == "spatial"
