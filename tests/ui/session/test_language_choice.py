"""The language of a session: the browser's, the address's, or the one that was chosen."""

import pytest

from tests.whole_app import SHELL, STRIP, WholeApp, open_app, strip_cells, turn_to
from ui import language, words
from ui.language import TAGS, Later, _
from ui.session import values

RECIPE = "prune:sparsity=0.8"


def chinese(text: str, **placeholders: object) -> str:
    """What the catalog has for a text, with its values."""
    return language.catalog("zh").gettext(text).format(**placeholders)


def browser(locale: str | None, **query: str) -> WholeApp:
    """The app in a browser that asks for a language."""
    app = WholeApp(SHELL, default_timeout=60)
    app.context["locale"] = locale
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    return app


def choose(app: WholeApp, name: str) -> WholeApp:
    app.segmented_control(key="language").select(name).run()
    assert not app.exception
    return app


def says(app: WholeApp) -> str:
    """The language of the label over the list of models."""
    label = app.selectbox(key="model").label
    return {"Model": "en", chinese("Model"): "zh"}[label]


def address(app: WholeApp) -> str | None:
    """The language that the address names; what it was opened with stays for one run."""
    app.run()
    return app.text_input(key="lang").value or None


def page_is_marked(app: WholeApp) -> bool:
    """Whether the browser is told that the page is in the language that it is in."""
    (script,) = (e.proto.body for e in app.get("html") if "documentElement.lang" in e.proto.body)
    return f"'{TAGS[says(app)]}'" in script


@pytest.mark.parametrize(
    ("locale", "spoken"),
    [
        *(("zh-CN", "zh"), ("zh-TW", "zh"), ("zh", "zh"), ("zh-Hans-CN", "zh")),
        *(("en-GB", "en"), ("en", "en"), ("de-DE", "en"), (None, "en")),
    ],
)
def test_the_browser_says_which_language_and_the_address_nothing(
    locale: str | None, spoken: str
) -> None:
    app = browser(locale)
    assert says(app) == spoken
    assert address(app) is None
    assert app.segmented_control(key="language").value == spoken
    assert page_is_marked(app)
    assert not app.warning


@pytest.mark.parametrize(("locale", "other"), [("en-US", "zh"), ("zh-CN", "en")])
def test_the_address_wins_over_the_browser(locale: str, other: str) -> None:
    app = browser(locale, lang=other)
    assert (says(app), address(app)) == (other, other)
    assert page_is_marked(app)


def test_the_address_need_not_say_what_the_browser_says() -> None:
    app = browser("zh-CN", lang="zh")
    assert (says(app), address(app)) == ("zh", None)


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_an_unknown_language_in_the_address_gives_a_notice(locale: str) -> None:
    app = browser(locale, lang="xx")
    assert says(app) == says(browser(locale))
    assert address(app) is None
    (notice,) = app.warning
    assert "lang=xx" in notice.value
    assert "en, zh" in notice.value


@pytest.mark.parametrize(("locale", "own", "other"), [("en-US", "en", "zh"), ("zh-CN", "zh", "en")])
def test_the_switch_changes_the_page_and_the_address(locale: str, own: str, other: str) -> None:
    app = choose(browser(locale), other)
    assert (says(app), address(app)) == (other, other)
    assert page_is_marked(app)
    choose(app, own)
    assert (says(app), address(app)) == (own, None)
    assert page_is_marked(app)


def test_every_page_keeps_the_language() -> None:
    app = choose(browser("en-US", recipe=RECIPE), "zh")
    for page in ("graph", "learn", "overview"):
        turn_to(app, page)
        assert (says(app), address(app)) == ("zh", "zh")


def test_the_address_of_a_page_keeps_it_too() -> None:
    app = open_app("quantize", lang="zh", recipe=RECIPE)
    assert says(app) == "zh"
    assert app.session_state["recipe"] == RECIPE


def test_back_and_forward_bring_the_language_of_the_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = choose(browser("en-US"), "zh")
    monkeypatch.setattr(values, "went_back", lambda: True)
    del app.query_params["lang"]
    assert says(app.run()) == "en"  # type: ignore[arg-type]
    app.query_params["lang"] = "zh"
    assert says(app.run()) == "zh"  # type: ignore[arg-type]
    app.query_params["lang"] = "xx"
    assert says(app.run()) == "en"  # type: ignore[arg-type]
    assert address(app) is None


def test_two_visitors_read_each_their_own() -> None:
    first, second = browser("en-US", recipe=RECIPE), browser("zh-CN", recipe=RECIPE)
    for _round in range(2):
        assert [says(first.run()), says(second.run())] == ["en", "zh"]  # type: ignore[arg-type]
        cells = [strip_cells(app)[STRIP["score"]] for app in (first, second)]
        assert cells[0][0] == cells[1][0]  # the same number from the same cache
        assert cells[0][2] == "Accuracy, exact, n = 600"
        told = chinese("{metric}, exact, n = {n:,}", metric=chinese("accuracy"), n=600)
        assert cells[1][2] == told


def test_the_number_stands_when_the_language_changes_and_its_words_follow() -> None:
    app = browser("en-US", recipe=RECIPE)
    before = strip_cells(app)
    after = strip_cells(choose(app, "zh"))
    assert [cell[0] for cell in before.values()] == [cell[0] for cell in after.values()]
    assert before[STRIP["bytes"]][1].endswith("smaller")
    assert after[STRIP["bytes"]][1].startswith(chinese("{ratio} smaller", ratio=""))
    assert app.session_state["recipe"] == RECIPE


def test_a_callback_that_draws_parts_of_the_page_anew_keeps_the_language() -> None:
    app = choose(browser("en-US", recipe=RECIPE), "zh")
    app.button(key="start_over").click().run()
    assert says(app) == "zh"
    undo = app.button(key="undo")
    assert undo.help == chinese("Undo: back to {recipe}", recipe=RECIPE)
    undo.click().run()
    assert app.session_state["recipe"] == RECIPE
    step = chinese("prune {what}", what=chinese("{share} globally", share="80.0 %"))
    assert any(step in text.value for text in app.sidebar.markdown)


def test_a_notice_is_read_in_the_language_that_was_chosen_after_it_came() -> None:
    app = browser("en-US", recipe="prune:sparsity=2", quantize_scheme="lopsided")
    assert "its usual value is used" in app.warning[0].value
    choose(app, "zh")
    told = chinese(
        "{key}={value} in the address is not {rule}; its usual value is used.",
        key="quantize_scheme",
        value="lopsided",
        rule=chinese("one of {choices}", choices="symmetric, asymmetric"),
    )
    assert app.warning[0].value == words.escape_markdown(told)
    empty = chinese(
        "The recipe in the address cannot be used: {error}. It starts empty.", error="|"
    )
    begins, ends = map(words.escape_markdown, empty.split("|"))
    assert app.warning[1].value.startswith(begins)
    assert app.warning[1].value.endswith(ends)


def test_a_recipe_that_cannot_be_read_says_so_in_the_readers_language() -> None:
    app = browser("zh-CN")
    app.text_input(key="recipe_typed").set_value("quantize:bits=0").run()
    assert app.error[0].value.endswith(chinese("{problem}. The recipe is as it was.", problem=""))
    assert not app.exception


def test_a_pinned_state_without_a_name_is_called_by_its_recipe_in_the_readers_language() -> None:
    app = browser("en-US", recipe=RECIPE)
    app.button(key="pin").click().run()
    (key,) = (f.key for f in app.text_input if str(f.key).startswith("snapshot_name"))
    assert app.text_input(key=key).value == "prune 80.0 % globally"
    choose(app, "zh")
    step = chinese("prune {what}", what=chinese("{share} globally", share="80.0 %"))
    assert app.text_input(key=key).value == step
    app.text_input(key=key).set_value("my best").run()
    choose(app, "en")
    assert app.text_input(key=key).value == "my best"


def test_presenter_mode_and_language_do_not_touch_each_other() -> None:
    app = choose(browser("en-US", present="1"), "zh")
    assert app.toggle(key="present").value
    assert (says(app), address(app)) == ("zh", "zh")
    app.toggle(key="present").set_value(False).run()
    assert (says(app), address(app)) == ("zh", "zh")


def test_a_kept_text_is_said_again_for_each_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Later(lambda: _("Loading the model…"))
    assert str(kept) == "Loading the model…"
    monkeypatch.setattr(language, "current", lambda: "zh")
    assert str(kept) == f"{kept}" == chinese("Loading the model…") != "Loading the model…"
    monkeypatch.undo()
    assert str(kept) == "Loading the model…"
