"""An instructor's link: what is written is read again, and what cannot be read says why."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from ui.learn.lesson import Choice, Number
from ui.learn.link import MOST_QUESTION, Question, class_code, read, write


def query_of(address: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(address).query))


def test_a_link_is_read_as_it_was_written() -> None:
    question = Question(
        ask="How much is lost?",
        measure="points_lost",
        options=("little", "much"),
        goal="prune:sparsity=0.9",
        hides=("prune_scope",),
        class_code="abcd",
    )
    address = write("http://here", "prune", question, model="digits-mlp")
    step, notices = read(query_of(address))
    assert address.startswith("http://here/prune?model=digits-mlp&")
    assert notices == []
    assert step is not None
    assert (step.question, step.answer, step.goals) == (
        "How much is lost?",
        "points_lost",
        ("prune:sparsity=0.9",),
    )
    assert step.prediction == Choice(("little", "much"))
    assert step.hides == ("prune_scope",)


def test_without_options_a_number_is_asked_for_and_without_a_goal_its_own_recipe() -> None:
    begins = {"model": "digits-mlp", "recipe": "prune:sparsity=0.5"}
    step, _ = read({"ask": "How big?", "measure": "file_kb"} | begins)
    assert step is not None
    assert isinstance(step.prediction, Number)
    assert step.prediction.unit == "KB"
    assert (step.model, step.goals) == ("digits-mlp", ("prune:sparsity=0.5",))


def test_a_model_or_recipe_that_cannot_be_used_is_the_usual_one() -> None:
    step, notices = read({"ask": "?", "model": "gpt-9", "recipe": "prune:sparsity=2"})
    assert step is not None
    assert (step.model, step.goals) == ("digits-cnn", ("",))
    assert notices == []  # the page has told it already


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"ask": ""}, "1 to 300"),
        ({"ask": "x" * (MOST_QUESTION + 1)}, "301 characters"),
        ({"measure": "points_lost"}, "0 characters"),
        ({"ask": "?", "measure": "beauty"}, "measure=beauty in the address is not one of points"),
        ({"ask": "?", "measure": "b" * 999}, f"measure={'b' * 40} in the address"),
        ({"ask": "?", "goal": "prune:sparsity=2"}, "The recipe that the link begins with"),
        ({"ask": "?", "choices": "one"}, "2 to 6 different texts"),
        ({"ask": "?", "choices": "a|a"}, "2 to 6 different texts"),
        ({"ask": "?", "choices": "|".join("abcdefg")}, "a number is asked for"),
        ({"ask": "?", "hide": "body{}|prune_scope"}, "hide=body{} in the address names no control"),
    ],
)
def test_what_cannot_be_used_says_value_rule_and_remedy(query: dict[str, str], words: str) -> None:
    _, notices = read(query)
    assert words in notices[0]


def test_only_known_controls_are_hidden() -> None:
    step, _ = read({"ask": "?", "hide": "}*{color:red}|prune_scope"})
    assert step is not None
    assert step.hides == ("prune_scope",)


@pytest.mark.parametrize("code", ["a", "a" * 25, "ab cd", "<b>aa", "äöüß"])
def test_a_bad_code_collects_nothing(code: str) -> None:
    notices: list[str] = []
    assert class_code({"class": code}, notices) == ""
    assert "4 to 24 letters" in notices[0]


def test_a_link_that_would_be_refused_is_not_made() -> None:
    with pytest.raises(ValueError, match="2 to 6 different texts"):
        write("", "prune", Question("?", "ratio", options=("a", "a")))
    with pytest.raises(ValueError, match="separates"):
        write("", "prune", Question("?", "ratio", options=("a|b", "c")))
