"""The page of quantization: each method as the core has it, for all layers or one; refusals."""

import numpy as np
import pytest

from compress_core import Quantize, Recipe, compress, load_dataset, load_model
from compress_core.measurement.report import measure
from compress_core.methods.folding import FoldBatchNorm
from compress_core.methods.quantization import (
    Binarize,
    CorrectBias,
    QuantizeActivations,
    QuantizeFloat,
    QuantizeGPTQ,
    QuantizeMX,
    Ternarize,
)
from compress_core.recipe import format_step, parse_recipe
from tests.whole_app import WholeApp, open_app, strip_numbers
from ui import words
from ui.figures import input_histogram
from ui.palette import LIGHT
from ui.session import caches

MODELS = ("digits-cnn", "digits-mlp", "digits-transformer")


def assert_as_the_core(app: WholeApp, recipe: Recipe) -> None:
    """The app holds this recipe, and shows the size and the accuracy that the core measures."""
    report = measure(compress(load_model("digits-cnn"), recipe), load_dataset("digits"))
    strip = strip_numbers(app)
    assert not app.exception
    assert not app.error
    assert app.session_state["recipe"] == ";".join(map(format_step, recipe))
    assert strip["Size"] == words.byte_size(report.size.stored_bytes)
    assert strip["Accuracy"].startswith(words.percent(report.accuracy.accuracy, 2))


def choose(app: WholeApp, key: str, value: str) -> WholeApp:
    app.selectbox(key=f"quantize_{key}").set_value(value).run()
    return app


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "recipe",
    [
        "quantize_gptq:bits=3,granularity=group,group_size=8",
        "quantize_float:format=nf4",
        "quantize_float:format=bf16",
        "quantize_mx:format=nvfp4",
        "ternarize:delta=0.995",
        "binarize;correct_bias:samples=300",
        "quantize_activations:bits=4,clipping=percentile;quantize:clipping=percentile,bits=16",
        "quantize_activations:mode=dynamic",
    ],
)
def test_the_page_renders_for_every_method_and_model(recipe: str, model: str) -> None:
    app = open_app("quantize", recipe=recipe, model=model)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize(
    ("method", "step"),
    [
        ("GPTQ", QuantizeGPTQ(bits=4)),
        ("float", QuantizeFloat("nf4")),
        ("microscaling", QuantizeMX("mxfp4")),
        ("ternary", Ternarize()),
        ("binary", Binarize()),
    ],
)
def test_each_method_quantizes_as_the_core_does(method: str, step: Quantize) -> None:
    assert_as_the_core(choose(open_app("quantize"), "method", method), (step,))


def test_another_method_keeps_the_bits_and_what_both_have() -> None:
    app = open_app("quantize", recipe="quantize:bits=8,granularity=tensor")
    choose(app, "method", "float")
    assert app.session_state["recipe"] == "quantize_float:granularity=tensor"
    choose(app, "method", "GPTQ")
    assert app.session_state["recipe"] == "quantize_gptq:bits=8,granularity=tensor"


def test_the_format_is_chosen_and_fp32_takes_the_step_away() -> None:
    app = open_app("quantize", recipe="quantize_float:format=nf4")
    app.selectbox(key="quantize_format").set_value("fp8_e5m2").run()
    assert_as_the_core(app, (QuantizeFloat("fp8_e5m2"),))
    app.selectbox(key="quantize_format").set_value("fp32").run()
    assert_as_the_core(app, ())
    assert app.selectbox(key="quantize_method").value == "float"


def test_bits_of_the_method_before_that_a_slow_browser_sends_do_not_take_the_step_away() -> None:
    app = choose(open_app("quantize", recipe="ternarize"), "method", "binary")
    bits = app.selectbox(key="quantize_bits")
    bits.options.append("2")
    bits.set_value("2").run()
    assert_as_the_core(app, (Binarize(),))
    assert app.selectbox(key="quantize_bits").value == 1


def test_a_microscaled_format_is_chosen_and_fits_the_bits_of_the_method_before() -> None:
    app = choose(open_app("quantize", recipe="quantize:bits=8"), "method", "microscaling")
    assert_as_the_core(app, (QuantizeMX("mxfp8_e4m3"),))
    app.selectbox(key="quantize_format").set_value("nvfp4").run()
    assert_as_the_core(app, (QuantizeMX("nvfp4"),))
    choose(app, "method", "float")
    assert_as_the_core(app, (QuantizeFloat("nf4"),))


def test_a_format_without_scale_asks_for_no_granularity() -> None:
    app = open_app("quantize", recipe="quantize_float:format=fp16")
    assert not any(row.key == "quantize_granularity" for row in app.selectbox)


def test_the_group_size_has_a_control_where_groups_share_a_scale() -> None:
    app = choose(open_app("quantize", recipe="quantize:bits=4"), "granularity", "group")
    app.number_input(key="quantize_group_size").set_value(16).run()
    assert_as_the_core(app, (Quantize(4, granularity="group", group_size=16),))
    app.number_input(key="quantize_group_size").set_value(32).run()
    assert_as_the_core(app, (Quantize(4, granularity="group"),))


def test_the_percentile_has_a_control_where_the_range_is_one() -> None:
    app = choose(open_app("quantize", recipe="quantize:bits=4"), "clipping", "percentile")
    app.number_input(key="quantize_percentile").set_value(97.5).run()
    assert_as_the_core(app, (Quantize(4, clipping="percentile", percentile=97.5),))


def test_delta_is_set() -> None:
    app = open_app("quantize", recipe="ternarize")
    app.number_input(key="quantize_delta").set_value(0.5).run()
    assert_as_the_core(app, (Ternarize(delta=0.5),))


def test_one_layer_gets_bits_of_its_own() -> None:
    app = open_app("quantize", recipe="quantize:bits=4", quantize_layer="conv1")
    choose(app, "scope", "one")
    assert app.selectbox(key="quantize_bits").value == 4
    app.selectbox(key="quantize_bits").set_value(8).run()
    assert_as_the_core(app, (Quantize(4), Quantize(8, layers=("conv1",))))
    assert any("conv1: quantize to 8 bit" in caption.value for caption in app.caption)
    choose(app, "method", "float")
    assert_as_the_core(app, (Quantize(4), QuantizeFloat("fp8_e4m3", layers=("conv1",))))


def test_one_layer_is_left_out() -> None:
    app = open_app("quantize", recipe="quantize:bits=4", quantize_scope="one", quantize_layer="fc1")
    app.selectbox(key="quantize_bits").set_value(32).run()
    assert_as_the_core(app, (Quantize(4, layers=("conv1", "conv2", "fc2")),))


def test_a_drawn_layer_with_a_step_of_its_own_says_how_to_change_it() -> None:
    app = open_app("quantize", recipe="quantize:bits=4;ternarize:layers=fc1", quantize_layer="fc1")
    assert app.selectbox(key="quantize_method").value == "affine"
    assert any("choose scope one" in caption.value for caption in app.caption)


def test_the_inputs_are_quantized_as_the_core_does() -> None:
    app = choose(open_app("quantize"), "activations", "static")
    app.selectbox(key="quantize_input_bits").set_value(4).run()
    assert_as_the_core(app, (QuantizeActivations(4),))
    choose(app, "input_clipping", "percentile")
    app.number_input(key="quantize_input_percentile").set_value(98.0).run()
    assert_as_the_core(app, (QuantizeActivations(4, clipping="percentile", percentile=98.0),))


def test_dynamic_ranges_are_never_clipped() -> None:
    app = open_app("quantize", recipe="quantize_activations:bits=4,clipping=mse")
    choose(app, "activations", "dynamic")
    assert_as_the_core(app, (QuantizeActivations(4, mode="dynamic"),))
    assert any("each image or row has its own" in caption.value for caption in app.caption)
    choose(app, "activations", "off")
    assert_as_the_core(app, ())


def test_the_biases_are_corrected() -> None:
    app = open_app("quantize", recipe="quantize:bits=3")
    app.toggle(key="quantize_correct").set_value(True).run()
    assert_as_the_core(app, (Quantize(3), CorrectBias()))
    app.toggle(key="quantize_correct").set_value(False).run()
    assert_as_the_core(app, (Quantize(3),))


def test_one_slider_sets_the_calibration_images_of_all_steps() -> None:
    app = open_app("quantize", recipe="quantize_gptq:bits=3;correct_bias;quantize_activations")
    app.select_slider(key="quantize_samples").set_value(64).run()
    steps = (QuantizeGPTQ(3, samples=64), CorrectBias(samples=64), QuantizeActivations(samples=64))
    assert_as_the_core(app, steps)


def test_without_a_step_that_looks_at_images_the_slider_sleeps() -> None:
    assert open_app("quantize").select_slider(key="quantize_samples").disabled
    dynamic = open_app("quantize", recipe="quantize_activations:mode=dynamic")
    assert dynamic.select_slider(key="quantize_samples").disabled


@pytest.mark.usefixtures("first_images_alone")
def test_a_toggle_folds_batch_norms_where_the_model_has_some() -> None:
    assert not any(t.key == "quantize_fold" for t in open_app("quantize").toggle)
    app = open_app("quantize", model="fashion-cnn")
    app.toggle(key="quantize_fold").set_value(True).run()
    assert not app.exception
    assert app.session_state["recipe"] == format_step(FoldBatchNorm())


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ("prune:sparsity=0.5;binarize", r"is pruned, and a 1\-bit code has no zero"),
        ("prune:sparsity=0.5,layers=fc1;binarize:layers=fc1", "fc1 is pruned"),
        ("share:layers=fc1;quantize:bits=4", "fc1 is quantized"),
    ],
)
def test_what_makes_no_sense_together_is_refused_in_words(recipe: str, reason: str) -> None:
    app = open_app("quantize", recipe=recipe)
    assert not app.exception
    assert reason in app.error[0].value


def test_a_channel_that_structured_pruning_took_away_is_not_drawn() -> None:
    app = open_app("quantize", recipe="quantize:bits=4", quantize_layer="conv2")
    app.number_input(key="quantize_channel").set_value(31).run()
    app.text_input(key="recipe_typed").set_value("quantize:bits=4;structured:ratio=0.5").run()
    assert not app.exception


def test_the_formulas_of_tutorials_belong_to_affine_levels() -> None:
    affine = open_app("quantize", recipe="quantize_gptq")
    assert any("tutorials" in box.label for box in affine.expander)
    signs = open_app("quantize", recipe="binarize")
    assert not any("tutorials" in box.label for box in signs.expander)


@pytest.mark.parametrize(
    ("query", "recipe"),
    [
        ({"quantize_method": "GPTQ"}, "quantize_gptq"),
        (
            {"quantize_scope": "one", "quantize_layer": "fc1"},
            "quantize:bits=4,layers=fc1",
        ),
    ],
)
def test_the_address_may_name_method_and_scope(query: dict[str, str], recipe: str) -> None:
    assert open_app("quantize", quantize_bits="4", **query).session_state["recipe"] == recipe


def test_the_inputs_are_drawn_with_their_levels_and_what_is_clipped() -> None:
    counts, edges, levels = np.array([3, 1]), np.array([1.0, 5.0, 9.0]), np.arange(4.0)
    figure = input_histogram(counts, edges, levels, -0.5, 3.5, LIGHT)
    bars, ticks = figure.data
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == (
        "input x",
        "inputs per bin",
    )
    assert (list(bars.y), bars.marker.color) == ([3, 1], LIGHT.original)
    assert (list(ticks.x), ticks.marker.color) == ([0, 1, 2, 3], LIGHT.quantized)
    band, end = figure.layout.shapes
    assert (band.x0, band.x1, band.fillcolor, end.x0) == (3.5, 9, LIGHT.pruned, 3.5)


def test_where_most_weights_fell_on_zero_the_page_says_that_this_saves_the_bytes() -> None:
    recipe = "quantize:bits=2,granularity=tensor"
    size = caches.size("digits-cnn", parse_recipe(recipe))
    told = f"{words.percent(size.sparsity, 0)} of the weights fell on **zero**"
    captions = [caption.value for caption in open_app("quantize", recipe=recipe).caption]
    (found,) = (text for text in captions if told in text)
    assert words.smaller(size.compression_ratio) in found


@pytest.mark.parametrize("recipe", ["quantize:bits=8", "prune:sparsity=0.9;quantize:bits=8", ""])
def test_zeros_that_rounding_did_not_make_are_not_its_merit(recipe: str) -> None:
    captions = [caption.value for caption in open_app("quantize", recipe=recipe).caption]
    assert not any("fell on" in text for text in captions)
