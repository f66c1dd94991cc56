"""Few runs at a time, nobody is overtaken, and who only waits gives the turn away."""

import threading
import time

import pytest

from ui.session import turns
from ui.session.turns import Turns


def queued(found: Turns, order: list[int], number: int) -> threading.Thread:
    """A thread that takes a turn, notes it, and ends it; returned once it waits."""

    def run() -> None:
        found.take()
        order.append(number)
        found.end()

    before = found.waiting
    thread = threading.Thread(target=run)
    thread.start()
    while found.waiting == before:
        time.sleep(0.001)
    return thread


def test_those_who_wait_have_their_turn_in_the_order_in_which_they_came() -> None:
    found, order = Turns(1), list[int]()
    found.take()
    threads = [queued(found, order, number) for number in range(8)]
    assert order == []
    found.end()
    for thread in threads:
        thread.join()
    assert order == [*range(8)]


def test_a_turn_that_nobody_waits_for_is_there_for_the_next() -> None:
    found = Turns(2)
    for _ in range(5):
        found.take()
        found.take()
        found.end()
        found.end()
    assert found.waiting == 0


def test_a_run_that_waits_lets_another_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    found, order = Turns(1), list[str]()
    monkeypatch.setattr(turns, "runs", found)

    def other(_runner: object) -> None:
        order.append("the other")

    def mine(_runner: object) -> None:
        monkeypatch.setattr(turns, "plain_run", other)
        with turns.given_away():
            thread = threading.Thread(target=turns.run_script, args=(None,))
            thread.start()
            thread.join(20)
        order.append("mine")

    monkeypatch.setattr(turns, "plain_run", mine)
    turns.run_script(None)  # type: ignore[arg-type]
    assert order == ["the other", "mine"]


def test_outside_of_a_run_there_is_no_turn_to_give_away() -> None:
    with turns.given_away():
        pass
    assert turns.runs.waiting == 0


def test_a_run_that_fails_ends_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_runner: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(turns, "runs", Turns(1))
    monkeypatch.setattr(turns, "plain_run", fail)
    for _ in range(3):
        with pytest.raises(RuntimeError, match="broken"):
            turns.run_script(None)  # type: ignore[arg-type]


def test_turns_know_how_long_one_waits_and_whether_all_are_free() -> None:
    found = turns.Turns(1)
    assert found.is_idle
    found.take()
    assert not found.is_idle
    waiting = threading.Thread(target=found.take)
    waiting.start()
    time.sleep(0.2)
    assert found.wait_s < 0.01
    found.end()
    waiting.join()
    assert found.wait_s >= 0.2 / turns.SMOOTH * 0.9
    found.end()
    assert found.is_idle
