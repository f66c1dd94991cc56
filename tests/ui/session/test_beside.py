"""The process beside the server finds what the server would, and is not missed when it dies."""

import os
import signal
import time
from collections.abc import Iterator

import pytest
import torch

from compress_core import compress, load_model
from compress_core.data import load_dataset
from compress_core.measurement.beside import State
from compress_core.measurement.report import measure_size
from compress_core.measurement.slices import SlicedRun
from compress_core.recipe import parse_recipe
from ui.session import beside, caches, measuring
from ui.session.beside import BesideRun, Helper

MODEL = "digits-cnn"
RECIPE = parse_recipe("prune:sparsity=0.9;quantize:bits=4")
STATE = State(MODEL, load_model(MODEL).digest, RECIPE)


@pytest.fixture(scope="module")
def started() -> Iterator[Helper]:
    made = Helper()
    made.start()
    deadline = time.monotonic() + 60
    while not made.works and time.monotonic() < deadline:
        time.sleep(0.05)
    yield made
    made.close()


def test_before_its_start_the_server_finds_out_itself() -> None:
    assert Helper().size(STATE) is None
    assert Helper().answers(STATE, 2000, slice(0, 10)) is None


def test_the_size_is_that_of_the_same_file(started: Helper) -> None:
    assert started.size(STATE) == measure_size(compress(load_model(MODEL), RECIPE))


def test_the_answers_are_those_of_the_same_images(started: Helper) -> None:
    found = started.answers(STATE, measuring.SUBSET, slice(0, 250))
    data = load_dataset(caches.data_name(MODEL)).balanced(measuring.SUBSET)
    here = SlicedRun(compress(load_model(MODEL), RECIPE).as_stored, data).answers(slice(0, 250))
    assert found is not None
    assert torch.equal(found.classes, here.classes)
    assert torch.equal(found.confidences, here.confidences)


@pytest.mark.parametrize(
    "state",
    [
        State(MODEL, "of another checkpoint", RECIPE),
        State(MODEL, STATE.digest, parse_recipe("prune:sparsity=0.5,layers=fc99")),
        State(MODEL, STATE.digest, parse_recipe("finetune:epochs=77")),  # nobody trained it
        State("nobody's", STATE.digest, RECIPE),
    ],
)
def test_what_it_cannot_do_has_no_result_and_the_next_one_has(
    started: Helper, state: State
) -> None:
    assert started.size(state) is None
    assert started.size(STATE) is not None


def test_a_run_goes_on_here_when_the_process_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    helper = Helper()
    helper.start()
    while not helper.works:
        time.sleep(0.05)
    monkeypatch.setattr(beside, "helper", helper)
    original = load_model(MODEL)
    data = load_dataset(caches.data_name(MODEL)).balanced(measuring.SUBSET)
    run = BesideRun(STATE, measuring.SUBSET, lambda: SlicedRun(original.pristine, data))
    assert helper._process is not None
    os.kill(helper._process.pid, signal.SIGKILL)
    assert len(run.answers(slice(0, 100)).classes) == 100
    assert not helper.works
    assert helper.size(STATE) is None
    helper.close()
