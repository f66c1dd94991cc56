"""What a process beside a server measures for it: files and answers, by the model's name.

`python -m compress_core.measurement.beside` reads requests from standard input and writes what it
finds to standard output, both pickled. It ends with its input: the pipe closes when the server is
gone, however that ended.
"""

import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from compress_core.compressed import Compressed, compress
from compress_core.data import Dataset, load_dataset
from compress_core.measurement.harm import Answers
from compress_core.measurement.report import Size, measure_size
from compress_core.measurement.slices import SlicedRun
from compress_core.models.catalog import MODELS
from compress_core.original import Memo, Original, load_model
from compress_core.recipe import Recipe

KEPT = 8  # compressed networks: each is soon measured, and then asked for no more
MEMO_ENTRIES = 128  # a fourth of the usual: what they have in common with the next ones


@dataclass(frozen=True)
class State:
    """A recipe of a reference network, which must be the one with this digest."""

    model: str
    digest: str
    recipe: Recipe


def ready() -> bool:
    """The first answer: all is imported."""
    return True


def size_of(state: State) -> Size:
    """What the state weighs. Raises ValueError where the recipe does not fit."""
    return measure_size(_compressed(state))


def answers_of(state: State, subset: int, rows: slice) -> Answers:
    """What the state answers to these rows of the test images, in the order of
    `Dataset.balanced(subset)`. Raises ValueError where it cannot be run."""
    return _run(state, subset).answers(rows)


@lru_cache(maxsize=8)
def _original(model: str, digest: str) -> Original:
    found = load_model(model)
    if found.digest != digest:
        raise ValueError(f"{model} has changed on the disk since the server has read it")
    found.memo = Memo(MEMO_ENTRIES)
    return found


@lru_cache(maxsize=KEPT)
def _compressed(state: State) -> Compressed:
    return compress(_original(state.model, state.digest), state.recipe)


@lru_cache(maxsize=KEPT)
def _run(state: State, subset: int) -> SlicedRun:
    output = _original(state.model, state.digest).task.output
    images = _images(MODELS[state.model].dataset, subset)
    return SlicedRun(_compressed(state).as_stored, images, output=output)


@lru_cache(maxsize=4)
def _images(dataset: str, subset: int) -> Dataset:
    return load_dataset(dataset).balanced(subset)


WORK: tuple[Callable[..., Any], ...] = (ready, size_of, answers_of)
BY_NAME = {function.__name__: function for function in WORK}


def main() -> None:
    torch.set_num_threads(1)
    threadpool_limits(1)
    requests, results = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no result
    while True:
        try:
            name, arguments = pickle.load(requests)
        except EOFError:
            return
        pickle.dump(_done(name, arguments), results)
        results.flush()


def _done(name: str, arguments: tuple[Any, ...]) -> Any:
    """The result; None where there is none: the server finds out itself why, and says it."""
    try:
        return BY_NAME[name](*arguments)
    except Exception:
        return None


if __name__ == "__main__":
    main()
