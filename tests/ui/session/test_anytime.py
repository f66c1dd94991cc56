"""Answers at any time: whose turn it is, what is measured once, what is dropped, what is shown."""

import threading
import time
from collections.abc import Callable, Generator, Iterator

import pytest
import torch

from compress_core import Prune, compress, load_dataset, load_model, measure
from compress_core.measurement.harm import Answers
from compress_core.measurement.slices import SlicedRun
from compress_core.recipe import parse_recipe
from compress_core.sandbox import SandboxError
from tests.whole_app import WholeApp, open_app, strip_cells
from ui import words
from ui.session import anytime, measuring
from ui.session.anytime import ALL, BETTER, FIRST, SLICE, UNKNOWN, Errand, Measurer, Work

N, SUBSET = 10 * SLICE, 4 * SLICE
MODEL, RECIPE = "digits-mlp", "prune:sparsity=0.9"


class Gate:
    """Lets slices through one by one, and notes whose they are."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.starts: list[str] = []
        self._open = threading.Semaphore(0)

    def work(self, name: str, fail: Callable[[], None] = lambda: None) -> Work:
        gate = self

        class Run:
            def __init__(self) -> None:
                gate.starts.append(name)

            def answers(self, rows: slice) -> Answers:
                gate._open.acquire()
                fail()
                gate.done.append(name)
                n = min(rows.stop, N) - rows.start
                return Answers(torch.full((n,), len(gate.done)), torch.ones(n))

        return Work((name, ()), Run, N, SUBSET)  # type: ignore[arg-type]

    def let(self, slices: int) -> None:
        self._open.release(slices)


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def measurer(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> Iterator[Measurer]:
    monkeypatch.setattr(anytime, "QUIET_S", 0.0)
    made = Measurer([(FIRST, BETTER, ALL)])
    yield made
    gate.let(1000)
    made.close()


def wait_for(measurer: Measurer, name: str, n: int) -> None:
    assert measurer.wait([(name, ())], n, 20) >= n


def result(measurer: Measurer, errand: str) -> object:
    """What came of an errand, after waiting for it."""
    ends = time.monotonic() + 20
    while (found := measurer.result(errand)) is UNKNOWN and time.monotonic() < ends:
        time.sleep(0.01)
    return found


def test_everybody_has_a_first_number_before_anybody_has_a_better_one(
    gate: Gate, measurer: Measurer
) -> None:
    for who in "abc":
        measurer.ask(who, [gate.work(who)])
    gate.let(6)
    wait_for(measurer, "c", 2 * SLICE)
    assert sorted(gate.done[:3]) == sorted(gate.done[3:6]) == ["a", "b", "c"]


def test_who_comes_later_has_a_first_number_at_the_next_slice(
    gate: Gate, measurer: Measurer
) -> None:
    measurer.ask("early", [gate.work("early")])
    gate.let(3)
    wait_for(measurer, "early", 3 * SLICE)
    measurer.ask("late", [gate.work("late")])
    gate.let(2)
    wait_for(measurer, "late", SLICE)
    assert gate.done.index("late") <= 4


def test_the_subset_of_all_comes_before_the_rest_of_anybody(gate: Gate, measurer: Measurer) -> None:
    for who in "ab":
        measurer.ask(who, [gate.work(who)])
    gate.let(2 * N // SLICE)
    wait_for(measurer, "a", N)
    wait_for(measurer, "b", N)
    assert gate.done[: 2 * SUBSET // SLICE].count("a") == SUBSET // SLICE


def test_equal_wishes_are_measured_once(gate: Gate, measurer: Measurer) -> None:
    for who in "abc":
        measurer.ask(who, [gate.work("same")])
    gate.let(N // SLICE)
    wait_for(measurer, "same", N)
    assert (len(gate.done), gate.starts) == (N // SLICE, ["same"])
    measurer.ask("d", [gate.work("same")])
    wait_for(measurer, "same", N)


def test_superseded_work_is_dropped_at_the_slice_and_goes_on_later(
    gate: Gate, measurer: Measurer
) -> None:
    measurer.ask("a", [gate.work("old")])
    gate.let(1)
    wait_for(measurer, "old", SLICE)
    measurer.ask("a", [gate.work("new")])
    gate.let(N // SLICE + 1)
    wait_for(measurer, "new", N)
    assert gate.done.count("old") <= 2
    measurer.ask("a", [gate.work("old")])
    gate.let(N // SLICE)
    wait_for(measurer, "old", N)
    assert gate.done.count("old") == N // SLICE


def test_what_somebody_else_waits_for_is_not_dropped(gate: Gate, measurer: Measurer) -> None:
    measurer.ask("a", [gate.work("old")])
    measurer.ask("b", [gate.work("old")])
    measurer.ask("a", [gate.work("new")])
    gate.let(2 * N // SLICE)
    assert measurer.wait([("old", ())], N, 20) == N


def test_a_measurement_that_fails_says_why_and_stops_nobody(gate: Gate, measurer: Measurer) -> None:
    def fail() -> None:
        raise ValueError("answers are NaN")

    measurer.ask("a", [gate.work("bad", fail)])
    measurer.ask("b", [gate.work("good")])
    gate.let(N)
    wait_for(measurer, "good", N)
    bad = measurer.growing(("bad", ()))
    assert bad is not None
    assert (bad.problem, bad.done) == ("answers are NaN", 0)


def test_answers_that_are_not_one_a_row_stop_nobody(gate: Gate, measurer: Measurer) -> None:
    class Short:
        def answers(self, _rows: slice) -> Answers:
            return Answers(torch.zeros(1), torch.ones(1))

    measurer.ask("a", [Work(("short", ()), Short, N, SUBSET)])
    measurer.ask("b", [gate.work("good")])
    gate.let(N)
    wait_for(measurer, "good", N)
    short = measurer.growing(("short", ()))
    assert short is not None
    assert "a network answers each row" in short.problem


def test_a_sandbox_that_was_ended_is_asked_again(gate: Gate, measurer: Measurer) -> None:
    failures: list[Exception] = [SandboxError("ended")]

    def fail() -> None:
        if failures:
            raise failures.pop()

    measurer.ask("a", [gate.work("sandboxed", fail)])
    gate.let(1)
    measurer.wait([("sandboxed", ())], 1, 20)
    gate.let(N)
    measurer.ask("b", [gate.work("sandboxed", fail)])
    wait_for(measurer, "sandboxed", N)
    again = measurer.growing(("sandboxed", ()))
    assert again is not None
    assert (again.problem, again.done) == ("", N)


def test_what_may_pass_is_tried_again_for_the_next_who_asks(
    gate: Gate, measurer: Measurer, caplog: pytest.LogCaptureFixture
) -> None:
    failures = [MemoryError("no memory")]

    def fail() -> None:
        if failures:
            raise failures.pop()

    measurer.ask("a", [gate.work("b", fail)])
    gate.let(N)
    assert measurer.wait([("b", ())], SLICE, 20) == 0
    assert "no memory" in caplog.text
    measurer.ask("a", [gate.work("b", fail)])
    wait_for(measurer, "b", N)


def test_the_oldest_answers_are_forgotten(
    gate: Gate, measurer: Measurer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anytime, "MAX_ANSWERS", 2)
    gate.let(1000)
    for name in "abc":
        measurer.ask("me", [gate.work(name)])
        wait_for(measurer, name, N)
    assert measurer.growing(("a", ())) is None


def test_a_first_number_does_not_wait_for_a_slice_of_a_better_one(gate: Gate) -> None:
    made, slow = Measurer([(FIRST,), (BETTER, ALL)]), Gate()
    gate.let(100)
    slow.let(1)
    made.ask("early", [slow.work("early")])
    wait_for(made, "early", SLICE)  # its second slice is in hand now, and is never over
    made.ask("late", [gate.work("late")])
    assert made.wait([("late", ())], SLICE, 20) >= SLICE
    slow.let(100)
    made.close()


@pytest.mark.parametrize("model", ["digits-mlp", "digits-cnn", "digits-transformer"])
def test_answers_in_slices_are_those_of_a_whole_pass(model: str) -> None:
    recipe, data = (Prune(sparsity=0.9),), load_dataset("digits")
    report = measure(compress(load_model(model), recipe), data)
    score, change = measuring.score(model, recipe, len(data))
    assert (score, change) == (report.score, report.change)


def test_the_first_images_are_balanced_by_class() -> None:
    for n in (SLICE, 2 * SLICE):
        counts = measuring.test_images(MODEL, n).class_labels.bincount()
        whole = load_dataset("digits").class_labels.bincount() * n / 600
        assert (counts - whole).abs().max() <= 2


def test_the_subset_is_that_of_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "SUBSET", 300)
    mine = measuring.test_images(MODEL, 300).images.flatten(1)
    theirs = load_dataset("digits").subset(300).images.flatten(1)
    assert {row.numpy().tobytes() for row in mine} == {row.numpy().tobytes() for row in theirs}


def accuracy(app: WholeApp) -> tuple[str, str]:
    what, _, below = strip_cells(app)["Accuracy"]
    return what, below.removeprefix("Accuracy, ")


def test_all_images_give_the_number_of_the_library_and_it_is_called_exact() -> None:
    data = load_dataset("digits")
    report = measure(compress(load_model(MODEL), parse_recipe(RECIPE)), data)
    app = open_app("prune", model=MODEL, recipe=RECIPE)
    assert accuracy(app) == (words.score(report.score, 2), f"exact, n = {len(data)}")


def test_a_first_number_says_of_how_many_images_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "SLICE", SLICE)
    monkeypatch.setattr(Measurer, "_count", lambda _self, _keys: SLICE)
    app = open_app("prune", model=MODEL, recipe=RECIPE)
    score, _ = measuring.score(MODEL, parse_recipe(RECIPE), SLICE)
    assert accuracy(app) == (words.score(score, 1), f"n = {SLICE}")


def test_without_a_number_in_time_the_old_one_stands_and_says_that_it_is_measured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = open_app("prune", model=MODEL, recipe=RECIPE)
    before, _ = accuracy(app)
    monkeypatch.setattr(Measurer, "_count", lambda _self, _keys: 0)
    monkeypatch.setattr(measuring, "WAIT_S", 0.0)
    app.text_input(key="recipe_typed").set_value("prune:sparsity=0.5").run()
    value, text = accuracy(app)
    assert (value, text) == (before, "Accuracy: being measured…")


def test_an_errand_is_done_in_steps_after_everybody_has_the_subset(
    gate: Gate, measurer: Measurer
) -> None:
    def steps() -> Generator[None, None, str]:
        for _ in range(3):
            gate.done.append("step")
            yield
        return "back"

    measurer.ask("a", [gate.work("a")])
    measurer.send("b", Errand("errand", steps()))
    gate.let(SUBSET // SLICE)
    assert result(measurer, "errand") == "back"
    assert gate.done[: SUBSET // SLICE + 3] == ["a"] * (SUBSET // SLICE) + ["step"] * 3


def test_a_later_errand_takes_the_place_of_the_earlier(gate: Gate, measurer: Measurer) -> None:
    def steps(name: str) -> Generator[None, None, str]:
        yield
        return name

    measurer.ask("a", [gate.work("a")])
    measurer.send("b", Errand("old", steps("old")))
    measurer.send("b", Errand("new", steps("new")))
    gate.let(N // SLICE)
    assert result(measurer, "new") == "new"
    assert measurer.result("old") is UNKNOWN


def test_an_errand_in_hand_is_not_begun_again(measurer: Measurer) -> None:
    begun: list[str] = []
    in_hand, go_on = threading.Event(), threading.Event()

    def steps(name: str) -> Generator[None, None, str]:
        begun.append(name)
        in_hand.set()
        go_on.wait(20)
        yield
        return name

    measurer.send("a", Errand("same", steps("first")))
    assert in_hand.wait(20)
    measurer.send("a", Errand("other", steps("other")))
    measurer.send("a", Errand("same", steps("second")))
    go_on.set()
    assert result(measurer, "same") == "first"
    measurer.send("a", Errand("last", steps("last")))
    assert result(measurer, "last") == "last"
    assert begun == ["first", "last"]


@pytest.mark.parametrize("page", ["overview", "prune", "combine", "trade_offs"])
def test_a_model_that_cannot_be_measured_says_why_in_the_strip(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_run: SlicedRun, _rows: slice) -> Answers:
        raise ValueError("answers are NaN")

    broken = Measurer()
    monkeypatch.setattr(measuring, "measurer", lambda: broken)
    monkeypatch.setattr(SlicedRun, "answers", fail)
    app = open_app(page, model=MODEL, recipe=RECIPE)
    broken.close()
    assert not app.exception
    value, _, below = strip_cells(app)["Accuracy"]
    assert value == "—"
    assert below.startswith("Accuracy cannot be measured: answers are NaN")
