"""The page of shared weights: its controls make the core's step, its numbers are the core's."""

import pytest

from compress_core import compress, load_model
from compress_core.measurement.report import measure_size
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.recipe import Recipe, parse_recipe
from compress_core.views.codebooks import before_sharing, best_sharing, compare_owners, shared_rows
from tests.whole_app import WholeApp, open_app, strip_numbers, turn_to
from ui import words
from ui.share_weights.codebooks import compare, numbers, saving


def texts(app: WholeApp) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.caption))


def recipe_of(app: WholeApp) -> Recipe:
    return parse_recipe(app.session_state["recipe"])


def size_shown(app: WholeApp) -> str:
    return strip_numbers(app)["Size"]


def core_size(recipe: Recipe, model: str = "digits-cnn") -> str:
    return words.byte_size(measure_size(compress(load_model(model), recipe)).stored_bytes)


@pytest.mark.parametrize("model", ["digits-cnn", "digits-mlp", "digits-transformer"])
@pytest.mark.parametrize(
    "recipe", ["", "share:clusters=16", "factorize:rank=4;share:clusters=8,scope=all"]
)
def test_the_page_renders(model: str, recipe: str) -> None:
    app = open_app("share_weights", model=model, recipe=recipe)
    assert not app.exception
    assert app.title[0].value == "Share weights"


def test_the_choices_share_as_the_core_does() -> None:
    app = open_app("share_weights")
    app.segmented_control(key="share_choice").set_value(16).run()
    assert recipe_of(app) == parse_recipe("share:clusters=16")
    assert size_shown(app) == core_size((ShareWeights(clusters=16),))


def test_the_number_field_takes_any_number_and_no_choice_is_marked() -> None:
    app = open_app("share_weights")
    app.number_input(key="share_clusters").set_value(10).run()
    assert recipe_of(app) == parse_recipe("share:clusters=10")
    assert app.segmented_control(key="share_choice").value is None
    assert size_shown(app) == core_size((ShareWeights(clusters=10),))


def test_off_takes_the_step_out() -> None:
    app = open_app("share_weights", recipe="share:clusters=16")
    app.segmented_control(key="share_choice").set_value(0).run()
    assert app.session_state["recipe"] == ""
    assert any("not shared" in info.value for info in app.info)


def test_start_zeros_and_scope_become_fields_of_the_step() -> None:
    app = open_app("share_weights", recipe="share:clusters=8")
    app.selectbox(key="share_init").set_value("random").run()
    app.number_input(key="share_seed").set_value(3).run()
    app.toggle(key="share_zeros").set_value(False).run()
    app.selectbox(key="share_scope").set_value("all").run()
    step = ShareWeights(clusters=8, init="random", keep_zeros=False, scope="all", seed=3)
    expected = "share:clusters=8,init=random,keep_zeros=False,scope=all,seed=3"
    assert recipe_of(app) == parse_recipe(expected)
    assert size_shown(app) == core_size((step,))


def test_settings_wait_for_a_number_of_clusters() -> None:
    app = open_app("share_weights")
    app.selectbox(key="share_init").set_value("density").run()
    assert app.session_state["recipe"] == ""
    app.segmented_control(key="share_choice").set_value(4).run()
    assert recipe_of(app) == parse_recipe("share:clusters=4,init=density")


def test_one_layer_gets_an_exception() -> None:
    app = open_app("share_weights", recipe="share:clusters=16", share_scope="one")
    app.segmented_control(key="share_choice").set_value(64).run()
    assert recipe_of(app) == parse_recipe("share:clusters=16;share:clusters=64,layers=fc1")
    assert any("With a step of their own: fc1" in caption.value for caption in app.caption)


def test_the_sentences_are_the_cores_numbers() -> None:
    recipe = (ShareWeights(clusters=16),)
    app = open_app("share_weights", recipe="share:clusters=16", share_layer="fc1")
    model = load_model("digits-cnn")
    layers = [compress(model, r).layers for r in (before_sharing(recipe), recipe)]
    best = compress(model, best_sharing(recipe)).layers
    row = next(row for row in shared_rows(*layers, best) if row.name == "fc1")
    assert "fc1: 32,768 weights, 16 values: 4 bits each plus a codebook of 64 bytes." in texts(app)
    above = compare(row.above_optimum, "the optimum of 16 clusters")
    assert f"Squared error {row.sse:.4g}, {above}." in texts(app)
    table = app.dataframe[0].value
    assert list(table["layer"]) == list(model.layers)
    assert table["SSE"][list(table["layer"]).index("fc1")] == row.sse


def test_a_common_codebook_is_compared_with_the_best_common_one() -> None:
    app = open_app("share_weights", recipe="share:clusters=16,scope=all,init=optimal")
    assert "which 4 layers have in common" in texts(app)
    assert "All 4 layers together: the optimum of one codebook." in texts(app)


def test_beyond_256_clusters_the_optimum_is_not_claimed() -> None:
    app = open_app("share_weights", recipe="share:clusters=300,layers=fc1")
    assert "searched for at most 256 clusters" in texts(app)


@pytest.mark.parametrize(
    ("above", "text"),
    [
        (0.0, "the optimum"),
        (0.05, "5.0 % above the optimum"),
        (0.2, "20 % above the optimum"),
        (1.6, "2.6 times the optimum"),
        (float("inf"), "where the optimum has none"),
    ],
)
def test_the_distance_to_the_optimum_in_words(above: float, text: str) -> None:
    assert compare(above, "the optimum") == text


def test_quantize_and_share_are_refused_in_words_with_a_way_out() -> None:
    app = open_app("share_weights", recipe="prune:sparsity=0.5;quantize:bits=4;share:clusters=16")
    assert any("Quantized already: conv1, conv2" in warning.value for warning in app.warning)
    assert app.segmented_control(key="share_choice").value == 16
    app.button(key="share_unquantize").click().run()
    assert recipe_of(app) == parse_recipe("prune:sparsity=0.5;share:clusters=16")
    assert not app.warning
    assert not app.error


def test_the_way_out_keeps_the_quantization_of_other_layers() -> None:
    app = open_app("share_weights", recipe="quantize:bits=4;share:clusters=16,layers=fc1")
    app.button(key="share_unquantize").click().run()
    expected = "quantize:bits=4,layers=conv1|conv2|fc2;share:clusters=16,layers=fc1"
    assert recipe_of(app) == parse_recipe(expected)


def test_one_codebook_for_two_models_shows_the_cores_accounting() -> None:
    app = open_app("share_weights", recipe="share:clusters=16")
    app.selectbox(key="share_second").set_value("digits-mlp").run()
    models = {name: compress(load_model(name), ()).layers for name in ("digits-cnn", "digits-mlp")}
    found = compare_owners(models, ShareWeights(clusters=16))
    table = next(t.value for t in app.dataframe if "codebooks" in t.value)
    assert list(table["for each model"]) == numbers(found[1])
    assert list(table["for both models"]) == numbers(found[2])
    assert saving(found) in texts(app)


def test_the_second_model_is_never_the_first() -> None:
    app = open_app("share_weights", recipe="share:clusters=16")
    app.selectbox(key="share_second").set_value("digits-mlp").run()
    app.selectbox(key="model").set_value("digits-mlp").run()
    assert not app.exception
    assert app.selectbox(key="share_second").value is None


def test_a_control_in_the_address_makes_its_step() -> None:
    app = open_app(share_clusters="16", share_scope="all")
    assert recipe_of(app) == parse_recipe("share:clusters=16,scope=all")


@pytest.mark.parametrize("value", ["1", "5000", "much", "2.5"])
def test_a_wrong_number_in_the_address_falls_back_with_a_notice(value: str) -> None:
    app = open_app(share_clusters=value)
    assert "whole number from 2 to 4096" in app.warning[0].value
    assert app.session_state["recipe"] == ""


def test_the_scope_one_shows_the_layers_own_number_and_off_takes_it_out() -> None:
    app = open_app("share_weights", recipe="share:clusters=16", share_scope="one")
    assert app.segmented_control(key="share_choice").value == 16
    app.segmented_control(key="share_choice").set_value(0).run()
    assert recipe_of(app) == parse_recipe("share:clusters=16,layers=conv1|conv2|fc2")


def test_the_step_is_there_after_a_visit_elsewhere() -> None:
    app = open_app("share_weights", recipe="share:clusters=10,keep_zeros=False")
    turn_to(turn_to(app, "prune"), "share_weights")
    assert app.number_input(key="share_clusters").value == 10
    assert app.toggle(key="share_zeros").value is False
