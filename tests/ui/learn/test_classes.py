"""Predictions of classes: isolated by code, without names, bounded, gone after a day."""

import pytest

from ui.learn import classes
from ui.learn.class_figures import shown_of
from ui.learn.classes import Asked, ClassStore
from ui.learn.lesson import Choice, Number, Step, Values

STEP = Step("", "How many?", Number("points"), "points_lost", "")


def question(step: Step = STEP) -> Asked:
    return Asked("title", step, "digits-cnn", ((),))


def predict(store: ClassStore, code: str, who: str, value: float, key: str = "q") -> bool:
    return store.predict(code, key, question(), who, value)


def predictions(store: ClassStore, code: str) -> list[float]:
    return [p for asked in store.questions(code) for p in asked.predictions.values()]


def test_two_classes_do_not_see_each_other() -> None:
    store = ClassStore()
    predict(store, "aaaa", "me", 1.0)
    predict(store, "bbbb", "you", 2.0)
    assert predictions(store, "aaaa") == [1.0]
    assert predictions(store, "bbbb") == [2.0]
    assert store.questions("cccc") == ()


def test_a_session_counts_once_with_what_it_said_before_it_saw_the_answer() -> None:
    store = ClassStore()
    assert predict(store, "aaaa", "me", 1.0)
    assert predict(store, "aaaa", "me", 3.0)
    assert predictions(store, "aaaa") == [1.0]


def test_a_day_later_nothing_is_left() -> None:
    now = [0.0]
    store = ClassStore(clock=lambda: now[0])
    predict(store, "aaaa", "me", 1.0)
    now[0] = classes.MAX_AGE_S + 1
    assert store.questions("aaaa") == ()


def test_the_memory_that_classes_take_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "MAX_CLASSES", 2)
    monkeypatch.setattr(classes, "MAX_QUESTIONS", 2)
    monkeypatch.setattr(classes, "MAX_ANSWERS", 2)
    store = ClassStore()
    assert [predict(store, "aaaa", who, 1.0) for who in "abc"] == [True, True, False]
    assert [predict(store, "aaaa", "me", 1.0, key) for key in "xy"] == [True, False]
    assert len(store.questions("aaaa")) == 2
    assert [predict(store, code, "me", 1.0) for code in ("bbbb", "cccc")] == [True, False]


def test_nobody_pushes_out_another_class_or_its_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classes, "MAX_CLASSES", 1)
    monkeypatch.setattr(classes, "MAX_QUESTIONS", 1)
    now = [0.0]
    store = ClassStore(clock=lambda: now[0])
    predict(store, "aaaa", "me", 1.0)
    predict(store, "aaaa", "you", 2.0, "another question")
    predict(store, "bbbb", "you", 2.0)
    assert predictions(store, "aaaa") == [1.0]
    now[0] = classes.MAX_AGE_S + 1
    assert predict(store, "bbbb", "you", 2.0)  # age alone makes room


def test_what_is_read_is_a_copy() -> None:
    store = ClassStore()
    predict(store, "aaaa", "me", 1.0)
    store.questions("aaaa")[0].predictions.clear()
    assert predictions(store, "aaaa") == [1.0]


def test_the_measured_number_has_a_bar_among_the_predictions() -> None:
    asked = question()
    asked.predictions.update({"a": -2.0, "b": 5.0, "c": 5.0})
    shown = shown_of(asked, reveal=True)  # the untouched model loses 0.00 points
    assert sum(shown.counts) == 3
    assert shown.measured is not None
    low, _, high = shown.labels[shown.measured].partition(" … ")
    assert float(low) <= 0 <= float(high)
    assert shown.sentence == "3 predictions. Measured: 0.00."
    assert shown_of(asked, reveal=False).measured is None


def test_choices_are_counted_one_by_one() -> None:
    step = Step("", "Which?", Choice(("a", "b", "c")), "best_score", "because")
    asked = question(step)
    asked.predictions.update({"x": 0.0, "y": 2.0, "z": 2.0})
    shown = shown_of(asked, reveal=True)
    assert (shown.labels, list(shown.counts), shown.measured) == (("a", "b", "c"), [1, 0, 2], 0)


def test_lists_of_values_are_only_counted() -> None:
    asked = question(Step("", "Which four?", Values(4), "codebook_by_eye", ""))
    asked.predictions["x"] = (1.0, 2.0, 3.0, 4.0)
    assert list(shown_of(asked, reveal=True).counts) == [1]
