"""Each reader of a lesson, a link or a class reads her own language."""

import pytest

from tests.ui.learn.test_page import check, prediction, texts
from tests.whole_app import WholeApp, open_app, turn_to
from ui import language
from ui.language import catalog
from ui.learn import bar
from ui.learn.lessons import BY_NAME
from ui.learn.lessons.pruning import GLOBAL

LOST = GLOBAL.steps[1]


def chinese(text: str) -> str:
    return catalog("zh").gettext(text)


def predict(spoken: str, guess: float, **query: str) -> WholeApp:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language, "current", lambda: spoken)  # also where AppTest reads the options
        app = open_app("prune", lang=spoken, **query)
        prediction(app, "number_input").set_value(guess).run()
        return check(app)


def test_the_answer_is_told_in_the_readers_language() -> None:
    app = predict("zh", 5.0, lesson="global", at="2")
    assert not app.exception
    lost = chinese("{number} points").format(number="77.00")
    assert f"**{lost}**" in texts(app)
    assert chinese(LOST.why).format(accuracy="22.00 %", zeros="90.0 %") in texts(app)
    assert chinese(LOST.question) in texts(app)


def test_a_class_of_two_languages_answers_one_question() -> None:
    bar.class_store.clear()
    query = {"lesson": "global", "at": "2", "class": "aaaa"}
    predict("zh", 1.0, **query)
    predict("en", 2.0, **query)
    (asked,) = bar.class_store().questions("aaaa")
    assert asked.step == LOST  # as it stands in the code
    assert sorted(asked.predictions.values()) == [1.0, 2.0]
    for spoken, question in (("en", LOST.question), ("zh", chinese(LOST.question))):
        page = open_app(lang=spoken)
        page.query_params["class"] = "aaaa"
        turn_to(page, "class_answers")
        assert not page.exception
        assert question in texts(page).replace("\\", "")


def test_the_words_of_a_link_stay_their_authors_own() -> None:
    assert chinese("Method") != "Method"
    app = open_app("prune", lang="zh", ask="Method", measure="ratio", choices="Method|Layer")
    assert "**Method**" in texts(app)
    options = prediction(app, "button_group").options
    assert [option if isinstance(option, str) else option.content for option in options] == [
        "Method",
        "Layer",
    ]


def test_what_is_wrong_with_a_link_is_told_in_the_readers_language() -> None:
    app = open_app("prune", lang="zh", lesson="zeros", at="9")
    rule = (
        "at={at} in the address is not a step from 1 to {last} of “{lesson}”; it starts at step 1."
    )
    told = chinese(rule).format(at="9", last="3", lesson=chinese(BY_NAME["zeros"].title))
    assert any(told in warning.value.replace("\\", "") for warning in app.warning)
