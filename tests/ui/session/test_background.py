"""The background measurements: whose turn it is, what stops one, and what is kept.

A measurement here waits until the test lets it go on, so that nothing depends on who is faster.
"""

import threading
import time
from collections.abc import Callable

import pytest
import torch

from compress_core import Prune, Recipe
from compress_core.measurement.accuracy import Stopped
from compress_core.measurement.harm import Answers
from ui.session import background
from ui.session.background import ExactAnswers, Key, Wish

PATIENCE_S = 30  # for a busy machine; nothing here takes a hundredth of it


def recipe(percent: int) -> Recipe:
    return (Prune(sparsity=percent / 100),)


def key(percent: int) -> Key:
    return ("digits-cnn", recipe(percent))


class Measurement:
    """Two batches with a gate between them; remembers what became of it."""

    def __init__(self, *, held: bool = False, log: list[str] | None = None, name: str = "") -> None:
        self.answers = Answers(torch.tensor([1, 0]), torch.tensor([0.9, 0.8]))
        self.started, self.stopped, self.gate = (threading.Event() for _ in range(3))
        self.runs = 0
        self.thread = threading.main_thread()
        self.log, self.name = [] if log is None else log, name
        if not held:
            self.gate.set()

    def __call__(self, stop: Callable[[], bool]) -> Answers:
        self.runs += 1
        self.log.append(self.name)
        self.thread = threading.current_thread()
        self.started.set()
        assert self.gate.wait(PATIENCE_S)
        if stop():
            self.stopped.set()
            raise Stopped
        return self.answers

    def for_percent(self, percent: int) -> Wish:
        return {key(percent): self}


@pytest.fixture
def answers() -> ExactAnswers:
    return ExactAnswers()


def held() -> Measurement:
    return Measurement(held=True)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)


def until_fulfilled(answers: ExactAnswers, *sessions: str) -> None:
    until(lambda: not any(answers.waiting(session) for session in sessions))


def occupy(answers: ExactAnswers) -> Measurement:
    """Let the thread begin a measurement of the session "busy", which then waits at its gate."""
    busy = held()
    answers.ask("busy", busy.for_percent(99))
    assert busy.started.wait(PATIENCE_S)
    return busy


def test_what_is_asked_for_becomes_known(answers: ExactAnswers) -> None:
    measurement = Measurement()
    answers.ask("anna", measurement.for_percent(50))
    until_fulfilled(answers, "anna")
    assert answers.known(*key(50)) is measurement.answers


def test_nothing_else_becomes_known(answers: ExactAnswers) -> None:
    answers.ask("anna", Measurement().for_percent(50))
    until_fulfilled(answers, "anna")
    assert answers.known("digits-cnn", recipe(51)) is None
    assert answers.known("digits-mlp", recipe(50)) is None


def test_a_session_waits_until_its_wish_is_fulfilled(answers: ExactAnswers) -> None:
    assert not answers.waiting("busy")
    busy = occupy(answers)
    assert answers.waiting("busy")
    assert answers.known(*key(99)) is None
    busy.gate.set()
    until_fulfilled(answers, "busy")
    assert answers.known(*key(99)) is busy.answers


def test_the_first_of_two_results_is_known_while_the_second_is_measured(
    answers: ExactAnswers,
) -> None:
    first, second = Measurement(), held()
    answers.ask("anna", {key(0): first, key(50): second})
    assert second.started.wait(PATIENCE_S)
    assert answers.known(*key(0)) is first.answers
    assert answers.waiting("anna")
    second.gate.set()
    until_fulfilled(answers, "anna")
    assert answers.known(*key(50)) is second.answers


def test_a_newer_wish_stops_the_older_between_two_batches(answers: ExactAnswers) -> None:
    older, newer = held(), Measurement()
    answers.ask("anna", older.for_percent(50))
    assert older.started.wait(PATIENCE_S)
    answers.ask("anna", newer.for_percent(60))
    older.gate.set()
    until_fulfilled(answers, "anna")
    assert older.stopped.is_set()
    assert (answers.known(*key(50)), answers.known(*key(60))) == (None, newer.answers)


def test_a_wish_that_came_during_the_last_batch_is_still_fulfilled(answers: ExactAnswers) -> None:
    """The older one has then ended without being asked to stop; its result is kept."""
    older, newer = held(), Measurement()
    answers.ask("anna", {key(50): lambda _stop: older(lambda: False)})
    assert older.started.wait(PATIENCE_S)
    answers.ask("anna", newer.for_percent(60))
    older.gate.set()
    until_fulfilled(answers, "anna")
    assert answers.known(*key(50)) is older.answers
    assert answers.known(*key(60)) is newer.answers


def test_of_many_wishes_in_a_row_only_the_last_is_measured(answers: ExactAnswers) -> None:
    busy = occupy(answers)
    wishes = [Measurement() for _ in range(5)]
    for percent, measurement in enumerate(wishes):
        answers.ask("anna", measurement.for_percent(percent))
    busy.gate.set()
    until_fulfilled(answers, "anna")
    assert [measurement.runs for measurement in wishes] == [0, 0, 0, 0, 1]


def test_a_newer_wish_keeps_what_the_older_had_finished(answers: ExactAnswers) -> None:
    original, older, again = Measurement(), held(), Measurement()
    answers.ask("anna", {key(0): original, key(50): older})
    assert older.started.wait(PATIENCE_S)
    answers.ask("anna", {key(0): again, key(60): Measurement()})
    older.gate.set()
    until_fulfilled(answers, "anna")
    assert (original.runs, again.runs) == (1, 0)


def test_the_same_wish_again_does_not_start_over(answers: ExactAnswers) -> None:
    """Each run of the page asks anew."""
    busy = occupy(answers)
    again = Measurement()
    answers.ask("busy", again.for_percent(99))
    busy.gate.set()
    until_fulfilled(answers, "busy")
    assert (busy.stopped.is_set(), busy.runs, again.runs) == (False, 1, 0)


def test_the_same_wish_again_does_not_lose_its_turn(answers: ExactAnswers) -> None:
    busy = occupy(answers)
    log: list[str] = []
    anna, ben = (Measurement(log=log, name=name) for name in ("anna", "ben"))
    answers.ask("anna", anna.for_percent(10))
    answers.ask("ben", ben.for_percent(20))
    answers.ask("anna", anna.for_percent(10))
    busy.gate.set()
    until_fulfilled(answers, "anna", "ben")
    assert log == ["anna", "ben"]


def test_another_sessions_wish_stops_nothing(answers: ExactAnswers) -> None:
    busy = occupy(answers)
    answers.ask("anna", Measurement().for_percent(10))
    busy.gate.set()
    until_fulfilled(answers, "busy", "anna")
    assert not busy.stopped.is_set()
    assert answers.known(*key(99)) is busy.answers


def test_sessions_are_served_in_the_order_of_their_wishes(answers: ExactAnswers) -> None:
    busy = occupy(answers)
    log: list[str] = []
    for percent, name in enumerate(["anna", "ben", "cleo"]):
        answers.ask(name, Measurement(log=log, name=name).for_percent(percent))
    busy.gate.set()
    until_fulfilled(answers, "anna", "ben", "cleo")
    assert log == ["anna", "ben", "cleo"]


def test_who_changes_their_mind_goes_to_the_end(answers: ExactAnswers) -> None:
    """A session that never rests must not keep the others from their turn."""
    busy = occupy(answers)
    log: list[str] = []
    for percent, name in enumerate(["anna", "ben", "anna again"]):
        session = name.removesuffix(" again")
        answers.ask(session, Measurement(log=log, name=name).for_percent(percent))
    busy.gate.set()
    until_fulfilled(answers, "anna", "ben")
    assert log == ["ben", "anna again"]


def test_whose_running_measurement_is_superseded_goes_to_the_end(answers: ExactAnswers) -> None:
    busy = occupy(answers)
    log: list[str] = []
    answers.ask("ben", Measurement(log=log, name="ben").for_percent(10))
    answers.ask("busy", Measurement(log=log, name="busy again").for_percent(20))
    busy.gate.set()
    until_fulfilled(answers, "busy", "ben")
    assert busy.stopped.is_set()
    assert log == ["ben", "busy again"]


def test_two_sessions_that_want_the_same_share_one_measurement(answers: ExactAnswers) -> None:
    busy, second = occupy(answers), Measurement()
    answers.ask("anna", second.for_percent(99))
    busy.gate.set()
    until_fulfilled(answers, "busy", "anna")
    assert (busy.runs, second.runs) == (1, 0)


def test_a_known_result_is_not_measured_again(answers: ExactAnswers) -> None:
    first, again = Measurement(), Measurement()
    for session, measurement in (("anna", first), ("ben", again), ("anna", again)):
        answers.ask(session, measurement.for_percent(50))
        until_fulfilled(answers, session)
    assert (first.runs, again.runs) == (1, 0)
    assert answers.known(*key(50)) is first.answers


def broken(_stop: Callable[[], bool]) -> Answers:
    raise ValueError("the checkpoint is gone")


def test_a_failing_measurement_is_logged_and_nobody_waits_for_it(
    answers: ExactAnswers, caplog: pytest.LogCaptureFixture
) -> None:
    answers.ask("anna", {key(50): broken})
    until_fulfilled(answers, "anna")
    assert answers.known(*key(50)) is None
    assert "the checkpoint is gone" in caplog.text
    assert "digits-cnn" in caplog.text


def test_a_failing_measurement_does_not_block_the_others(answers: ExactAnswers) -> None:
    busy, later = occupy(answers), Measurement()
    answers.ask("anna", {key(50): broken})
    answers.ask("ben", later.for_percent(60))
    busy.gate.set()
    until_fulfilled(answers, "anna", "ben")
    assert answers.known(*key(60)) is later.answers


def test_what_failed_can_be_asked_for_again(answers: ExactAnswers) -> None:
    answers.ask("anna", {key(50): broken})
    until_fulfilled(answers, "anna")
    repaired = Measurement()
    answers.ask("anna", repaired.for_percent(50))
    until_fulfilled(answers, "anna")
    assert answers.known(*key(50)) is repaired.answers


def test_a_dropped_wish_is_not_measured(answers: ExactAnswers) -> None:
    busy, dropped, later = occupy(answers), Measurement(), Measurement()
    answers.ask("anna", dropped.for_percent(50))
    answers.ask("ben", later.for_percent(60))
    answers.drop("anna")
    assert not answers.waiting("anna")
    busy.gate.set()
    until_fulfilled(answers, "ben")
    assert (dropped.runs, later.runs) == (0, 1)


def test_dropping_stops_a_running_measurement(answers: ExactAnswers) -> None:
    busy = occupy(answers)
    answers.drop("busy")
    busy.gate.set()
    assert busy.stopped.wait(PATIENCE_S)
    assert answers.known(*key(99)) is None


def test_dropping_stops_nobody_elses_measurement(answers: ExactAnswers) -> None:
    busy = occupy(answers)
    answers.drop("a session that never asked")
    busy.gate.set()
    until_fulfilled(answers, "busy")
    assert answers.known(*key(99)) is busy.answers


def test_the_same_wish_can_be_asked_for_after_it_was_dropped(answers: ExactAnswers) -> None:
    busy, again = occupy(answers), Measurement()
    answers.drop("busy")
    answers.ask("busy", again.for_percent(99))
    busy.gate.set()
    until_fulfilled(answers, "busy")
    assert busy.stopped.is_set()
    assert answers.known(*key(99)) is again.answers


def fulfil(answers: ExactAnswers, percent: int) -> None:
    answers.ask("anna", Measurement().for_percent(percent))
    until_fulfilled(answers, "anna")


def test_beyond_the_limit_the_oldest_result_makes_room(
    answers: ExactAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MAX_RESULTS", 2)
    for percent in (10, 20, 30):
        fulfil(answers, percent)
    assert [answers.known(*key(percent)) is not None for percent in (10, 20, 30)] == [0, 1, 1]


def test_a_result_that_was_looked_at_stays_longer(
    answers: ExactAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MAX_RESULTS", 2)
    fulfil(answers, 10)
    fulfil(answers, 20)
    answers.known(*key(10))
    fulfil(answers, 30)
    assert [answers.known(*key(percent)) is not None for percent in (10, 20, 30)] == [1, 0, 1]


def test_a_forgotten_result_is_measured_again(
    answers: ExactAnswers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "MAX_RESULTS", 1)
    fulfil(answers, 10)
    fulfil(answers, 20)
    again = Measurement()
    answers.ask("anna", again.for_percent(10))
    until_fulfilled(answers, "anna")
    assert answers.known(*key(10)) is again.answers


def test_one_thread_in_the_background_serves_everybody(answers: ExactAnswers) -> None:
    """Two would make both slower; and it must not keep the server from ending."""
    measurements = [Measurement() for _ in range(3)]
    for percent, measurement in enumerate(measurements):
        answers.ask(f"session {percent}", measurement.for_percent(percent))
    until_fulfilled(answers, "session 0", "session 1", "session 2")
    (thread,) = {measurement.thread for measurement in measurements}
    assert thread is not threading.main_thread()
    assert thread.daemon


def test_who_wants_nothing_more_does_not_wait(answers: ExactAnswers) -> None:
    answers.ask("anna", {})
    assert not answers.waiting("anna")
    busy = occupy(answers)
    answers.ask("busy", {})
    busy.gate.set()
    until_fulfilled(answers, "busy")
    assert busy.stopped.is_set()


def test_closing_ends_the_thread_between_two_batches() -> None:
    answers, started = ExactAnswers(), threading.Event()

    def measure(stop: Callable[[], bool]) -> Answers:
        started.set()
        while not stop():
            pass
        raise Stopped

    answers.ask("anna", {("model", ()): measure})
    assert started.wait(10)
    answers.close()
    assert not answers.waiting("anna")
