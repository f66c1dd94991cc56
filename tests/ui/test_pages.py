"""Every page by AppTest: it renders, its control moves, and its number is the core's."""

import gzip
import json
from pathlib import Path

import pytest

from compress_core import (
    Factorize,
    Prune,
    Quantize,
    Recipe,
    compress,
    data,
    load_dataset,
    load_model,
    to_json,
)
from compress_core.measurement.harm import answers, flips, harm_by_class
from compress_core.measurement.report import Report, measure
from compress_core.methods.low_rank import energy_rank
from compress_core.recipe import format_recipe
from tests.whole_app import WholeApp, open_app, strip_numbers, turn_to
from ui import words
from ui.figures import change_by_class
from ui.palette import LIGHT
from ui.panels import harm as harm_panel

PAGES = (
    "overview",
    "learn",
    "class_answers",
    "prune",
    "quantize",
    "factorize",
    "combine",
    "trade_offs",
    "take_home",
    "graph",
)


def shown(app: WholeApp) -> dict[str, str]:
    return strip_numbers(app)


def measured(recipe: Recipe, model: str = "digits-cnn") -> Report:
    return measure(compress(load_model(model), recipe), load_dataset("digits"))


def assert_strip_shows(app: WholeApp, report: Report) -> None:
    strip = shown(app)
    assert not app.exception
    assert strip["Size"] == words.byte_size(report.size.stored_bytes)
    assert strip["Sparsity"] == words.percent(report.size.sparsity)
    assert strip["MACs"] == words.count(report.size.macs)
    assert strip["Accuracy"].startswith(words.percent(report.accuracy.accuracy, 2))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_renders_for_the_first_model(page: str) -> None:
    app = open_app(page)
    assert not app.exception
    assert not app.error
    assert app.title


@pytest.mark.parametrize("model", ["digits-mlp", "digits-transformer"])
@pytest.mark.parametrize(
    "page", ["overview", "prune", "quantize", "factorize", "combine", "take_home"]
)
def test_every_method_page_renders_for_other_models(page: str, model: str) -> None:
    app = open_app(page, model=model)
    assert not app.exception
    assert not app.error


def test_the_app_opens_on_a_measured_model() -> None:
    app = open_app()
    assert app.selectbox(key="model").value == "digits-cnn"
    assert_strip_shows(app, measured(()))


def test_the_sparsity_slider_prunes_as_the_core_does() -> None:
    app = open_app("prune")
    app.number_input(key="prune_sparsity").set_value(90.0).run()
    assert_strip_shows(app, measured((Prune(sparsity=0.9),)))


def test_the_threshold_follows_the_sparsity() -> None:
    app = open_app("prune")
    app.number_input(key="prune_sparsity").set_value(50.0).run()
    threshold = app.number_input(key="prune_threshold").value
    app.number_input(key="prune_threshold").set_value(threshold).run()
    assert app.number_input(key="prune_sparsity").value == 50.0


def test_the_threshold_prunes_as_the_core_does() -> None:
    app = open_app("prune")
    app.number_input(key="prune_threshold").set_value(0.05).run()
    assert_strip_shows(app, measured((Prune(threshold=0.05),)))


def test_one_layer_can_be_left_out_of_pruning() -> None:
    app = open_app("prune", recipe="prune:sparsity=0.9", prune_scope="one", prune_layer="conv1")
    app.number_input(key="prune_sparsity").set_value(0.0).run()
    # the others keep what they had of the 90 %
    assert app.session_state["recipe"] == "prune:sparsity=0.902409512,layers=conv2|fc1|fc2"


def test_switching_the_scope_keeps_the_sparsity() -> None:
    app = open_app("prune")
    app.number_input(key="prune_sparsity").set_value(80.0).run()
    app.selectbox(key="prune_scope").set_value("layer").run()
    assert_strip_shows(app, measured((Prune(sparsity=0.8, scope="layer"),)))


def test_the_bits_slider_quantizes_as_the_core_does() -> None:
    app = open_app("quantize")
    app.selectbox(key="quantize_bits").set_value(3).run()
    app.selectbox(key="quantize_granularity").set_value("tensor").run()
    app.selectbox(key="quantize_scheme").set_value("asymmetric").run()
    step = Quantize(bits=3, granularity="tensor", scheme="asymmetric")
    assert_strip_shows(app, measured((step,)))


def test_the_rank_slider_factorizes_as_the_core_does() -> None:
    app = open_app("factorize", factorize_layer="fc1")
    app.number_input(key="factorize_rank").set_value(12).run()
    assert_strip_shows(app, measured((Factorize(rank=12, layers=("fc1",)),)))


def test_the_full_rank_takes_the_pair_away() -> None:
    app = open_app("factorize", factorize_layer="fc1")
    app.number_input(key="factorize_rank").set_value(12).run()
    app.number_input(key="factorize_rank").set_value(64).run()
    assert app.session_state["recipe"] == ""


def test_the_energy_slider_chooses_the_rank() -> None:
    app = open_app("factorize", factorize_layer="fc1")
    app.number_input(key="factorize_energy").set_value(90.0).run()
    spectrum = load_model("digits-cnn").layers["fc1"].profile.spectrum
    assert app.number_input(key="factorize_rank").value == energy_rank(spectrum, 0.9)


def test_the_recipe_travels_between_pages() -> None:
    app = open_app("prune")
    app.number_input(key="prune_sparsity").set_value(80.0).run()
    turn_to(app, "quantize")
    app.selectbox(key="quantize_bits").set_value(4).run()
    turn_to(app, "prune")
    assert app.number_input(key="prune_sparsity").value == 80.0
    assert_strip_shows(app, measured((Prune(sparsity=0.8), Quantize(bits=4))))


def test_a_step_is_removed_and_everything_started_over() -> None:
    app = open_app(recipe="prune:sparsity=0.8;quantize:bits=4")
    app.button(key="remove_step_1").click().run()
    assert app.session_state["recipe"] == "quantize:bits=4"
    app.button(key="start_over").click().run()
    assert_strip_shows(app, measured(()))


def test_the_recipe_can_be_typed() -> None:
    app = open_app()
    app.text_input(key="recipe_typed").set_value("prune:sparsity=0.7;quantize:bits=5").run()
    assert_strip_shows(app, measured((Prune(sparsity=0.7), Quantize(bits=5))))


def test_a_recipe_that_cannot_be_read_keeps_the_last_one() -> None:
    app = open_app(recipe="quantize:bits=4")
    app.text_input(key="recipe_typed").set_value("quantize:bits=0").run()
    assert "bits=0" in app.error[0].value
    assert_strip_shows(app, measured((Quantize(bits=4),)))


def test_a_step_that_does_not_fit_is_left_out_with_its_reason() -> None:
    app = open_app(recipe="factorize:rank=99,layers=fc1;quantize:bits=4")
    assert "full rank 64" in app.error[0].value
    assert_strip_shows(app, measured((Quantize(bits=4),)))


@pytest.mark.parametrize(
    "recipe",
    [
        "prune:sparsity=0.9999",
        "prune:threshold=0.4",
        "prune:sigmas=6",
        "random_prune:sparsity=0.9999",
    ],
)
def test_the_prune_page_stands_almost_everything_pruned(recipe: str) -> None:
    app = open_app("prune", recipe=recipe)
    assert not app.exception
    assert app.number_input(key="prune_sparsity").value > 99


def test_a_threshold_above_every_weight_is_refused_in_words() -> None:
    app = open_app("prune")
    app.number_input(key="prune_threshold").set_value(5.0).run()
    assert "prunes every weight" in app.error[0].value
    assert_strip_shows(app, measured(()))


def test_the_last_of_two_steps_for_all_layers_is_the_one_shown() -> None:
    app = open_app("prune", recipe="prune:sparsity=0.5;prune:sparsity=0.9")
    assert app.number_input(key="prune_sparsity").value == 90.0


def test_moving_the_bits_keeps_group_size_and_percentile() -> None:
    step = "quantize:bits=4,granularity=group,clipping=percentile,percentile=99.0,group_size=16"
    app = open_app("quantize", recipe=step)
    app.selectbox(key="quantize_bits").set_value(5).run()
    assert app.session_state["recipe"] == step.replace("bits=4", "bits=5")


def test_the_full_rank_takes_a_layer_out_of_a_step_for_all() -> None:
    app = open_app("factorize", recipe="factorize:energy=0.9", factorize_layer="fc1")
    app.number_input(key="factorize_rank").set_value(64).run()
    assert app.session_state["recipe"] == "factorize:energy=0.9,layers=conv1|conv2|fc2"


def test_the_energy_moves_in_steps_smaller_than_a_rank() -> None:
    app = open_app("factorize", factorize_layer="fc1", recipe="factorize:rank=20,layers=fc1")
    asked = app.number_input(key="factorize_energy").value - 0.1
    app.number_input(key="factorize_energy").set_value(asked).run()
    assert app.number_input(key="factorize_energy").value == pytest.approx(asked)


def test_an_echo_of_a_linked_control_is_no_wish() -> None:
    app = open_app("prune", recipe="prune:sparsity=0.2")
    stale = app.number_input(key="prune_threshold").value
    app.number_input(key="prune_sparsity").set_value(30.0).run()
    app.number_input(key="prune_sparsity").set_value(40.0)
    app.number_input(key="prune_threshold").set_value(stale)  # as a slow browser sends it along
    app.run()
    assert app.session_state["recipe"] == "prune:sparsity=0.4"


def test_a_step_of_another_model_stands_aside_while_its_kind_is_edited() -> None:
    recipe = "quantize:bits=4,layers=conv1;prune:sparsity=0.5"
    app = open_app("prune", model="digits-mlp", recipe=recipe, prune_scope="one", prune_layer="fc1")
    app.number_input(key="prune_sparsity").set_value(0.0).run()
    assert not app.exception
    # the others keep what they had of the 50 %
    assert app.session_state["recipe"].endswith("prune:sparsity=0.569225806,layers=fc2|fc3")


def test_a_damaged_dataset_is_named_and_the_app_stays_usable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for stem in data.IDX_DATASETS["mnist"].sha256:
        path = tmp_path / "mnist" / f"{stem}.gz"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(b"not these")[:-6])
    monkeypatch.setenv("COMPRESS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(data, "_load", data._load.__wrapped__)
    app = open_app(model="mnist-lenet-300-100", recipe="quantize:bits=4")
    assert not app.exception
    assert "damaged or truncated" in app.warning[0].value
    assert "KB" in shown(app)["Size"]


def test_an_uploaded_recipe_replaces_the_present_one() -> None:
    app = open_app("take_home", recipe="prune:sparsity=0.5")
    recipe = json.dumps(to_json((Quantize(bits=6),))).encode()
    app.file_uploader(key="take_home_upload").upload("r.json", recipe).run()
    assert app.session_state["recipe"] == "quantize:bits=6"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b'{"version": 9, "steps": []}', "version 9"),
        (b'{"version": 1, "steps": [{"step": "prune", "amount": 1}]}', "amount"),
        (b"PK\x03\x04\xff", "no text"),
    ],
)
def test_a_bad_upload_says_why_and_keeps_the_recipe(content: bytes, word: str) -> None:
    app = open_app("take_home", recipe="prune:sparsity=0.5")
    app.file_uploader(key="take_home_upload").upload("r.json", content).run()
    assert word in app.error[0].value
    assert app.session_state["recipe"] == "prune:sparsity=0.5"


def test_a_changed_model_keeps_the_recipe() -> None:
    app = open_app(recipe="prune:sparsity=0.5")
    app.selectbox(key="model").set_value("digits-mlp").run()
    assert_strip_shows(app, measured((Prune(sparsity=0.5),), "digits-mlp"))


@pytest.mark.parametrize(
    ("key", "value", "word"),
    [
        ("model", "resnet", r"digits\-cnn"),
        ("recipe", "prune:sparsity=1", "fraction"),
        ("prune_sparsity", "much", "percentage"),
        ("prune_sparsity", "100", "percentage"),
        ("quantize_bits", "0", "one of 1"),
        ("quantize_scheme", "lopsided", "asymmetric"),
        ("factorize_rank", "-3", "whole number"),
    ],
)
def test_a_wrong_value_in_the_address_falls_back_with_a_notice(
    key: str, value: str, word: str
) -> None:
    app = open_app(**{key: value})
    assert word in app.warning[0].value
    assert_strip_shows(app, measured(()))
    app.button(key="dismiss_notices").click().run()
    assert not app.warning


def test_a_control_in_the_address_makes_its_step() -> None:
    app = open_app("prune", prune_sparsity="90")
    assert app.number_input(key="prune_sparsity").value == 90.0
    assert_strip_shows(app, measured((Prune(sparsity=0.9),)))


def test_a_model_without_its_data_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COMPRESS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("compress_core.data.finding.user_cache", lambda: tmp_path)
    monkeypatch.setattr(data, "_load", data._load.__wrapped__)  # past what is loaded already
    app = open_app(model="mnist-lenet-300-100", recipe="prune:sparsity=0.5")
    assert not app.exception
    assert shown(app)["Accuracy"] == "—"
    turn_to(app, "prune")
    assert any("not on this machine" in caption.value for caption in app.caption)
    turn_to(app, "overview")
    assert shown(app)["Sparsity"] == "50.0 %"
    assert "COMPRESS_DATA_DIR" in app.warning[0].value


@pytest.mark.parametrize("page", ["prune", "quantize", "factorize", "combine"])
def test_who_got_hurt_shows_the_cores_classes_and_flips(page: str) -> None:
    recipe = (Prune(sparsity=0.95),)
    app = open_app(page, recipe=format_recipe(recipe))
    app.session_state["harm_classes_table"] = True
    app.run()
    test_images = load_dataset("digits")
    before = answers(load_model("digits-cnn").module, test_images)
    after = answers(compress(load_model("digits-cnn"), recipe).module, test_images)
    rows = harm_by_class(before.classes, after.classes, test_images)
    found = flips(before, after, test_images)
    table = next(t.value for t in app.dataframe if "change, points" in t.value)
    assert not app.exception
    assert app.subheader[0].value == "Who got hurt"
    (told,) = tiles(app)
    assert harm_panel.sentence(found, 600) in told
    assert told.count("<figure>") == min(len(found), harm_panel.MOST_IMAGES)
    assert list(table["class"]) == [row.name for row in rows]
    assert list(table["change, points"]) == [100 * row.change.difference for row in rows]
    first = f'<b>{found[0].true}</b>: {found[0].before} → <b class="worse">{found[0].after}</b>'
    assert f"<figcaption>{first}" in told


def tiles(app: WholeApp) -> list[str]:
    """The blocks of test images, as HTML."""
    bodies = [str(element.proto.body) for element in app.get("html")]
    return [body for body in bodies if 'class="tiles"' in body]


def test_the_change_of_each_class_is_drawn_with_units_and_whiskers() -> None:
    figure = change_by_class(["cat", "dog"], [-20.0, 5.0], [(-30.0, -12.0), (-1.0, 9.0)], LIGHT)
    (bars,) = figure.data
    assert figure.layout.xaxis.title.text == "change of accuracy, points"
    assert figure.layout.yaxis.title.text == "class"
    assert (bars.error_x.array, bars.error_x.arrayminus) == ((8.0, 4.0), (10.0, 6.0))
    assert bars.marker.color == (LIGHT.pruned, LIGHT.kept)


def test_who_got_hurt_is_one_calm_sentence_where_nothing_changed() -> None:
    app = open_app("prune")
    assert any("Nobody yet" in caption.value for caption in app.caption)
    turn_to(app, "quantize")
    app.selectbox(key="quantize_bits").set_value(16).run()
    assert "Nobody: each of 600 images" in tiles(app)[0]


def test_an_alarm_stands_under_the_strip_and_goes_with_its_cause() -> None:
    app = open_app(recipe="quantize:bits=2,layers=fc1;quantize:bits=4")
    (warning,) = app.warning
    assert "changes nothing, later steps" in warning.value
    app.button(key="remove_step_1").click().run()
    assert not app.warning


def test_the_alarms_stand_behind_a_button_that_counts_them_the_gravest_first() -> None:
    app = open_app(recipe="prune:sparsity=0.5;random_prune:sparsity=0.9999")
    assert "no better than guessing" in app.warning[0].value
    assert "points lost" in app.warning[1].value
    assert len(app.warning) > 2
    assert app.get("popover")[0].proto.popover.label == f"{len(app.warning)} alarms"


@pytest.mark.parametrize("field", ["recipe", "recipe_typed"])
def test_an_old_recipe_that_a_busy_browser_sends_back_is_no_wish(field: str) -> None:
    app = open_app("prune", recipe="quantize:bits=4")
    app.number_input(key="prune_sparsity").set_value(50.0).run()
    app.text_input(key=field).set_value("quantize:bits=4")  # what it held a moment ago
    app.number_input(key="prune_threshold").set_value(0.05).run()
    assert app.session_state["recipe"] == "quantize:bits=4;prune:threshold=0.05"


def test_an_old_recipe_counts_again_when_it_is_no_echo_any_more() -> None:
    app = open_app("prune", recipe="quantize:bits=4")
    app.number_input(key="prune_sparsity").set_value(50.0).run()
    app.session_state["recipe_echoes"] = []  # five seconds later
    app.text_input(key="recipe_typed").set_value("quantize:bits=4").run()
    assert app.session_state["recipe"] == "quantize:bits=4"


def test_the_controls_leave_a_layer_with_its_own_step_out_of_the_share() -> None:
    app = open_app("prune", recipe="prune:sparsity=0.9,scope=layer,layers=fc1")
    assert app.number_input(key="prune_sparsity").value == 0.0


def test_a_recipe_that_grows_the_file_says_so() -> None:
    app = open_app("factorize", recipe="factorize:rank=60,layers=fc1")
    assert "choose rank 56 or less" in app.warning[0].value


def test_the_plane_measures_the_same_numbers_as_the_core() -> None:
    app = open_app("trade_offs")
    from ui.trade_offs import plane, work

    prunings = plane.families("digits-cnn")["prune"]
    points = work.points(work.sweeps("digits-cnn", [prunings], ()))
    (row,) = plane.rows("digits-cnn", [(Prune(sparsity=0.9),)], points)
    report = measured((Prune(sparsity=0.9),))
    assert not app.exception
    assert row["stored_bytes"] == report.size.stored_bytes
    assert row["accuracy"] == pytest.approx(report.accuracy.accuracy, abs=1e-6)


def test_the_overview_says_what_the_methods_reach() -> None:
    coverage = load_model("digits-cnn").coverage
    said = [caption.value for caption in open_app("overview").caption]
    assert any(f"reach {100 * coverage.fraction:.1f} % of the parameters" in text for text in said)
