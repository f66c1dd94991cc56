"""Undo and redo: by hand on the history, and by AppTest on the app."""

import pytest

from tests.whole_app import WholeApp, open_app
from ui.session.history import LIMIT, History

START = "quantize:bits=8"


def recorded(*texts: str) -> History:
    history = History("")
    for text in texts:
        history.record(text)
    return history


def test_undo_and_redo_walk_the_same_line() -> None:
    history = recorded("a", "b")
    assert [history.undo(), history.undo(), history.undo()] == ["a", "", ""]
    assert [history.redo(), history.redo(), history.redo()] == ["a", "b", "b"]


def test_a_new_change_leaves_nothing_to_redo() -> None:
    history = recorded("a", "b")
    history.undo()
    history.record("c")
    assert history.redo() == "c"
    assert history.undo() == "a"


def test_a_text_that_stands_still_is_one_state() -> None:
    assert recorded("a", "a", "a").past == [""]


def test_the_history_is_bounded() -> None:
    history = recorded(*map(str, range(3 * LIMIT)))
    assert len(history.past) == LIMIT
    assert history.past[-1] == str(3 * LIMIT - 2)


def recipe(app: WholeApp) -> str:
    return str(app.session_state["recipe"])


def press(app: WholeApp, key: str) -> str:
    app.button(key=key).click().run()
    assert not app.exception
    return recipe(app)


@pytest.fixture(scope="module")
def moved() -> tuple[WholeApp, list[str]]:
    """The prune page after five moves of its slider, and the recipe after each."""
    app = open_app("prune", recipe=START)
    texts = [recipe(app)]
    for sparsity in (10.0, 37.3, 37.4, 99.9, 50.0):
        app.number_input(key="prune_sparsity").set_value(sparsity).run()
        texts.append(recipe(app))
    return app, texts


def test_undo_after_five_moves_returns_to_the_first_state_exactly_and_redo_to_the_last(
    moved: tuple[WholeApp, list[str]],
) -> None:
    app, texts = moved
    assert len(set(texts)) == 6
    assert [press(app, "undo") for _ in range(5)] == texts[4::-1]
    assert recipe(app) == START
    assert app.number_input(key="prune_sparsity").value == 0.0
    assert app.button(key="undo").disabled
    assert [press(app, "redo") for _ in range(5)] == texts[1:]
    assert app.number_input(key="prune_sparsity").value == 50.0
    assert app.button(key="redo").disabled


def test_a_typed_recipe_and_starting_over_can_be_undone() -> None:
    app = open_app(recipe=START)
    app.text_input(key="recipe_typed").set_value("prune:sparsity=0.7; quantize:bits=5").run()
    press(app, "start_over")
    assert press(app, "undo") == "prune:sparsity=0.7; quantize:bits=5"
    assert press(app, "undo") == START


def test_text_that_cannot_be_read_is_no_state() -> None:
    app = open_app(recipe=START)
    app.text_input(key="recipe_typed").set_value("prune:sparsty=0.7").run()
    assert "sparsty" in app.error[0].value
    assert app.text_input(key="recipe_typed").value == "prune:sparsty=0.7"
    assert recipe(app) == START
    assert app.button(key="undo").disabled
    app.text_input(key="recipe_typed").set_value("prune:sparsity=0.7").run()
    assert not app.error
    assert press(app, "undo") == START


def test_the_text_that_could_not_be_read_goes_when_the_recipe_changes() -> None:
    app = open_app(recipe=START)
    app.text_input(key="recipe_typed").set_value("prune:sparsty=0.7").run()
    press(app, "start_over")
    assert not app.error
    assert app.text_input(key="recipe_typed").value == ""


def test_nothing_can_be_undone_at_first() -> None:
    app = open_app(recipe=START)
    assert app.button(key="undo").disabled
    assert app.button(key="redo").disabled
