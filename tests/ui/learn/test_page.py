"""The page, the bar and the panel in the sidebar, as a visitor meets them."""

import re
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

import pytest

from compress_core import Prune, compress, data, load_dataset, load_model, measure
from tests.whole_app import WholeApp, open_app, strip_numbers, turn_to
from ui.learn import bar, place
from ui.learn.lessons import LESSONS
from ui.learn.lessons.challenges import CHALLENGES

HALF = "prune:sparsity=0.5"


def texts(app: WholeApp) -> str:
    return "\n".join(element.value for element in (*app.markdown, *app.caption))


def styles(app: WholeApp) -> str:
    return "".join(element.proto.body for element in app.get("html"))


def prediction(app: WholeApp, kind: str):
    return next(w for w in app.get(kind) if (w.key or "").startswith("lesson_prediction"))


def check(app: WholeApp) -> WholeApp:
    return app.button(key="lesson_check").click().run()


def test_the_page_lists_every_lesson_and_challenge() -> None:
    app = open_app("learn")
    assert not app.exception
    for item in (*LESSONS, *CHALLENGES):
        assert f"**{item.title}**" in texts(app)


def test_a_prediction_stands_beside_the_measured_answer() -> None:
    app = open_app("prune", lesson="global", at="2")
    assert app.session_state["recipe"] == "prune:sparsity=0.9"
    prediction(app, "number_input").set_value(10.0).run()
    check(app)
    recipe = (Prune(sparsity=0.9, scope="layer"),)
    report = measure(compress(load_model("digits-cnn"), recipe), load_dataset("digits"))
    lost = f"{-100 * report.change.difference:.2f}"
    assert not app.exception
    assert f"You: 10 points. Measured: **{lost} points**." in texts(app)
    assert app.session_state["recipe"] == "prune:sparsity=0.9,scope=layer"


def test_a_wrong_choice_sees_the_right_one() -> None:
    app = open_app("prune", lesson="global", at="1")
    prediction(app, "button_group").set_value(0).run()
    check(app)
    assert "You: the same share of each layer. Measured: **one threshold for all**." in texts(app)


def test_without_a_prediction_nothing_is_told() -> None:
    app = check(open_app("prune", lesson="zeros"))
    assert "Predict a number first." in texts(app)
    assert "Measured" not in texts(app)
    assert app.session_state["recipe"] == ""


@pytest.mark.parametrize("text", ["", "1 2 3", "1 2 3 x", "1 1 2 3", "nan 1 2 3", "1e9999 1 2 3"])
def test_a_codebook_that_cannot_be_read_says_how_to_write_one(text: str) -> None:
    app = open_app("share_weights", lesson="codebook")
    prediction(app, "text_input").set_value(text).run()
    check(app)
    assert not app.exception
    assert "Write 4 different numbers" in texts(app)


def test_a_codebook_by_eye_is_compared_with_the_optimum() -> None:
    app = open_app("share_weights", lesson="codebook")
    prediction(app, "text_input").set_value("−0.08, −0.01 0.02 .09").run()
    check(app)
    assert re.search(r"Your codebook has 1\.\d\d times the squared error", texts(app))


def test_controls_that_are_not_needed_are_hidden() -> None:
    app = open_app("prune", lesson="zeros")
    assert re.search(r"\.st-key-prune_method[^}]*display: none", styles(app))
    assert ".st-key-prune_sparsity" not in styles(app)


def test_leaving_brings_the_controls_back_and_keeps_the_recipe() -> None:
    app = open_app("prune", lesson="global", at="2")
    app.button(key="lesson_leave").click().run()
    assert ".st-key-prune_method" not in styles(app)
    assert app.session_state["recipe"] == "prune:sparsity=0.9"
    assert "lesson" not in app.query_params


def test_a_lesson_waits_on_its_own_page() -> None:
    app = turn_to(open_app("prune", lesson="global", at="2"), "quantize")
    assert "This step stands on another page." in texts(app)
    assert app.query_params["lesson"] == "global"
    turn_to(app, "learn")  # which leaves it
    turn_to(app, "prune")
    assert app.session_state["lesson_place"] is None


def test_a_reloaded_step_keeps_the_recipe_of_the_address() -> None:
    app = open_app("prune", lesson="global", at="2", recipe="prune:sparsity=0.3")
    assert app.session_state["recipe"] == "prune:sparsity=0.3"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"lesson": "dropout"}, "lesson=dropout in the address is not one of zeros"),
        ({"lesson": "zeros", "at": "9"}, "at=9 in the address is not a step from 1 to 3"),
        ({"lesson": "zeros", "at": "-1"}, "not a step from 1 to 3"),
        ({"lesson": "zeros", "at": "9" * 5000}, "not a step from 1 to 3"),
        ({"lesson": "zeros", "class": "?"}, "class=? in the address is not 4 to 24 letters"),
        ({"ask": "Why?", "measure": "love"}, "measure=love in the address is not one of"),
        ({"goal": "prune:sparsity=0.9"}, "a question has 1 to 300"),
        ({"ask": "Why?", "hide": "</style>"}, "names no control"),
    ],
)
def test_a_bad_link_gives_a_notice(query: dict[str, str], words: str) -> None:
    app = open_app("prune", **query)
    assert not app.exception
    assert any(words in warning.value for warning in app.warning)


def test_a_question_of_a_link_is_plain_text() -> None:
    app = open_app("prune", ask="[x](http://evil) <b>*hi*</b>", measure="ratio")
    assert r"\[x\]\(http" in texts(app)


IMAGE = "![x](http://foreign/x.png)"
TAKEN_LITERALLY = r"\!\[x\]\(http\://foreign/x\.png\)"


@pytest.mark.parametrize(
    "query",
    [
        {"model": IMAGE},
        {"prune_method": IMAGE},
        {"recipe": IMAGE},
        {"lesson": IMAGE},
        {"ask": "?", "measure": IMAGE},
        {"ask": "?", "choices": IMAGE},
        {"ask": "?", "goal": IMAGE},
        {"ask": "?", "hide": IMAGE},
        {"ask": "?", "class": IMAGE},
    ],
    ids=str,
)
def test_what_an_address_says_is_plain_text_in_its_notice(query: dict[str, str]) -> None:
    app = open_app(**query)
    told = [warning.value for warning in app.warning]
    assert any(r"\!\[x\]\(http" in text for text in told)
    assert not any("![x]" in text for text in told)


def test_a_step_that_is_left_out_is_plain_text() -> None:
    app = open_app(recipe=f"prune:sparsity=0.5,layers={IMAGE}")
    assert app.error
    assert not any("![x]" in f"{e.value}{e.proto.title}" for e in app.error)


def test_a_notice_is_of_bounded_length() -> None:
    app = open_app(recipe="x" * 5000)
    assert 0 < len(app.warning[0].value) < 1000


def test_a_link_measures_its_own_model_and_recipe_whatever_is_on_the_page() -> None:
    app = open_app("prune", ask="How many zeros?", measure="sparsity_percent", recipe=HALF)
    app.selectbox(key="model").set_value("digits-mlp").run()
    app.text_input(key="recipe_typed").set_value("prune:sparsity=0.9").run()
    prediction(app, "number_input").set_value(1.0).run()
    check(app)
    assert "Measured: **50.0 %**" in texts(app)
    assert "It is about digits-cnn, not the model on the page." in texts(app)


def test_questions_about_other_models_or_recipes_are_other_questions_of_a_class() -> None:
    bar.class_store.clear()
    for model, recipe in (("digits-cnn", HALF), ("digits-mlp", HALF), ("digits-cnn", "")):
        asked = {"ask": "How many?", "measure": "sparsity_percent", "class": "aaaa"}
        app = open_app("prune", model=model, recipe=recipe, **asked)
        prediction(app, "number_input").set_value(1.0).run()
        check(app)
    found = bar.class_store().questions("aaaa")
    assert [(q.model, q.step.goals) for q in reversed(found)] == [
        ("digits-cnn", (HALF,)),
        ("digits-mlp", (HALF,)),
        ("digits-cnn", ("",)),
    ]


def test_the_question_is_plain_text_on_the_projected_page() -> None:
    bar.class_store.clear()
    app = open_app("prune", ask=IMAGE, measure="ratio", **{"class": "aaaa"})
    prediction(app, "number_input").set_value(1.0).run()
    check(app)
    page = open_app()
    page.query_params["class"] = "aaaa"
    turn_to(page, "class_answers")
    assert f"**{TAKEN_LITERALLY}**" in texts(page)
    assert IMAGE not in texts(page)
    page.text_input(key="class_answers_code").set_value("![x](http://y)").run()
    assert r"\!\[x\]" in page.error[0].value


def test_a_link_measures_its_goal() -> None:
    app = open_app("prune", ask="How much smaller?", measure="ratio", goal="prune:sparsity=0.9")
    assert strip_numbers(app)["Sparsity"] == "0.0 %"
    prediction(app, "number_input").set_value(5.0).run()
    check(app)
    size = compress(load_model("digits-cnn"), (Prune(sparsity=0.9),))
    ratio = load_model("digits-cnn").stored_bytes / size.stored_bytes
    assert f"Measured: **{ratio:.2f}×**." in texts(app)
    assert strip_numbers(app)["Sparsity"] == "90.0 %"


def test_a_goal_that_does_not_fit_the_model_is_told() -> None:
    app = open_app("prune", ask="?", measure="ratio", goal="factorize:rank=99,layers=fc1")
    prediction(app, "number_input").set_value(5.0).run()
    check(app)
    assert not app.exception
    assert any("full rank 64" in warning.value for warning in app.warning)


def test_a_lesson_without_its_images_says_so(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("COMPRESS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr("compress_core.data.finding.user_cache", lambda: tmp_path)
    monkeypatch.setattr(data, "_load", data._load.__wrapped__)
    app = open_app("combine", lesson="deep-compression", at="3")
    prediction(app, "number_input").set_value(1.0).run()
    check(app)
    assert not app.exception
    assert any("COMPRESS_DATA_DIR" in warning.value for warning in app.warning)


def test_a_challenge_judges_what_is_on_the_page() -> None:
    app = open_app("quantize", lesson="under-20-kb")
    assert "153.2 KB, under 20.0 KB" in texts(app)
    app.selectbox(key="quantize_bits").set_value(4).run()
    assert "**Solved**" in texts(app)


# --- the instructor ---


def with_panel(app: WholeApp) -> WholeApp:
    app.session_state["link_open"] = True
    return app.run()


def link_of(app: WholeApp) -> dict[str, str]:
    app.button(key="link_make").click().run()
    assert not app.exception
    return dict(parse_qsl(urlsplit(app.get("code")[0].value).query))


def test_the_panel_makes_a_link_that_asks_the_question() -> None:
    app = with_panel(open_app("prune", recipe="prune:sparsity=0.9"))
    app.text_area(key="link_ask").set_value("How many zeros?").run()
    app.selectbox(key="link_measure").set_value("sparsity_percent").run()
    app.multiselect(key="link_hide_prune").set_value(["prune_scope"]).run()
    query = link_of(app)
    assert query == {
        "model": "digits-cnn",
        "ask": "How many zeros?",
        "measure": "sparsity_percent",
        "hide": "prune_scope",
        "goal": "prune:sparsity=0.9",
    }
    opened = open_app("prune", **query)
    assert "**How many zeros?**" in texts(opened)
    prediction(opened, "number_input").set_value(50.0).run()
    assert "Measured: **90.0 %**" in texts(check(opened))


def test_a_link_carries_the_choices_of_the_screen() -> None:
    choices = {"prune_method": "random", "loss_tolerance": "3", "quantize_scope": "one"}
    app = with_panel(open_app("prune", **choices))
    app.text_area(key="link_ask").set_value("How many zeros?").run()
    app.toggle(key="link_start").set_value(False).run()
    query = link_of(app)
    assert (query["prune_method"], query["loss_tolerance"]) == ("random", "3")
    assert "quantize_scope" not in query  # of another page


def test_a_panel_without_a_question_says_what_is_missing() -> None:
    app = with_panel(open_app("prune"))
    app.button(key="link_make").click().run()
    assert any("There is no question" in error.value for error in app.error)


def test_the_class_sees_its_predictions_and_nobody_elses() -> None:
    bar.class_store.clear()
    for code, guess in (("aaaa", 1.0), ("aaaa", 2.0), ("bbbb", 3.0)):
        app = open_app("prune", lesson="global", at="2", **{"class": code})
        assert f"without a name, to the class {code}" in texts(app)
        prediction(app, "number_input").set_value(guess).run()
        check(app)
    page = open_app()
    page.query_params["class"] = "aaaa"
    turn_to(page, "class_answers")
    assert not page.exception
    assert "2 predictions." in texts(page)
    page.toggle(key="class_answers_reveal").set_value(True).run()
    assert "2 predictions. Measured: 77.00." in texts(page)
    page.text_input(key="class_answers_code").set_value("cccc").run()
    assert any("Nobody has predicted" in info.value for info in page.info)
    page.text_input(key="class_answers_code").set_value("<b>").run()
    assert any("is no code" in error.value for error in page.error)


def test_without_a_code_nothing_is_collected() -> None:
    bar.class_store.clear()
    app = open_app("prune", lesson="global", at="2")
    prediction(app, "number_input").set_value(1.0).run()
    check(app)
    assert "lesson_who" not in app.session_state


def test_the_browser_may_say_anything_of_its_progress() -> None:
    from ui.learn.progress import _told

    assert _told(None) == _told(SimpleNamespace(done="zeros/1")) == frozenset()
    assert _told(SimpleNamespace(done=["zeros/1", 7, None])) == {"zeros/1"}


def test_the_page_knows_what_the_browser_has_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.learn.progress.known", lambda **_: frozenset({"global/1"}))
    app = open_app("learn")
    assert "1 of 2" in texts(app)
    labels = [link.proto.label for link in app.get("page_link")]
    assert "Go on with step 2 of 2" in labels


def test_where_no_lesson_is_the_address_says_nothing_of_it() -> None:
    found, notices = place.read({}, {})
    assert (found, notices) == (None, [])
