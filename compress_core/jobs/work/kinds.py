"""The table of the kinds of work, and what is the same for all: a key, and a form in JSON."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Literal, NamedTuple

from compress_core.events import Watcher
from compress_core.jobs.work.checkpoint import Spectrum, Weighing, run_spectrum, run_weighing
from compress_core.jobs.work.common import parsed
from compress_core.jobs.work.leaving import Leaving, run_leaving
from compress_core.jobs.work.search import Searching, run_searching
from compress_core.jobs.work.sweep import Sweep, run_sweep
from compress_core.jobs.work.timing import Timing, run_timing
from compress_core.jobs.work.training import Training, run_training
from compress_core.recipe import format_recipe
from compress_core.sources import content_key
from compress_core.storage.container import ENCODINGS

VERSION = 1  # of the functions in KINDS: a higher one makes every result anew

# How long a kind of work takes: what takes hours or minutes must not keep the quick waiting.
Lane = Literal["minutes", "hours"]

Work = Sweep | Timing | Training | Searching | Leaving | Weighing | Spectrum


class Kind(NamedTuple):
    """A kind of work: its type, the function that does it, and in which lane it waits."""

    type: type[Work]
    run: Callable[[Any, Watcher], Any]
    lane: Lane


# A row for each kind of work; the function's result is JSON-ready.
KINDS = {
    "sweep": Kind(Sweep, run_sweep, "minutes"),
    "latency": Kind(Timing, run_timing, "minutes"),
    "train": Kind(Training, run_training, "hours"),
    "farthest": Kind(Searching, run_searching, "minutes"),
    "take_home": Kind(Leaving, run_leaving, "minutes"),
    "checkpoint": Kind(Weighing, run_weighing, "minutes"),
    "spectrum": Kind(Spectrum, run_spectrum, "minutes"),
}


def kind_of(work: Work) -> str:
    """The name of a work's kind."""
    return next(name for name, kind in KINDS.items() if type(work) is kind.type)


def do(work: Work, watcher: Watcher) -> Any:
    """Do the work. Raises Stopped where the watcher asks for it, else what the work raises."""
    return KINDS[kind_of(work)].run(work, watcher)


def work_key(work: Work) -> str:
    """16 hexadecimal digits: equal for equal work on an equal network, in equal encodings.

    Raises ValueError for a model that is not known.
    """
    fields = work_to_json(work)
    for name in fields.keys() & {"recipe", "recipes"}:
        texts = [fields[name]] if name == "recipe" else fields[name]
        fields[name] = [format_recipe(parsed(text)) for text in texts]
    about = [VERSION, ENCODINGS, _content_of(work), fields]
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]


def _content_of(work: Work) -> str:
    """What tells whether the weights are the same."""
    if isinstance(work, Weighing | Spectrum):
        return work.identity
    return content_key(work.model)


def work_to_json(work: Work) -> dict[str, Any]:
    """A work as JSON-ready data: {"kind": "sweep", "model": "digits-cnn", "recipes": […]}."""
    return {"kind": kind_of(work), **asdict(work)}


def work_from_json(data: dict[str, Any]) -> Work:
    """The work in such data. Raises KeyError, TypeError or ValueError for anything else."""
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in data.items()
        if name != "kind"
    }
    return KINDS[data["kind"]].type(**fields)
