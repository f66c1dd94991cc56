"""Training on the command line: as a job, the same that the app starts, with a progress bar."""

import argparse
import time

from compress_core.command_line import console
from compress_core.compressed import Compressed, compress
from compress_core.events import Epoch, Event, Progress
from compress_core.jobs.executor import Executor
from compress_core.jobs.job import Job
from compress_core.jobs.start import start_executor
from compress_core.jobs.work import Training
from compress_core.original import Original
from compress_core.recipe import Recipe, format_recipe
from compress_core.sources import find_original
from compress_core.trained import NotTrained

USER = "command line"
POLLED_EVERY_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--train", action="store_true", help="train the recipe's steps that are not trained yet"
    )
    parser.add_argument(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        help="with --train: on this Dask cluster, in place of this machine",
    )


def compressed_of(options: argparse.Namespace, recipe: Recipe) -> Compressed:
    """The recipe's result, trained first if the options say so. Raises NotTrained if they do not,
    ValueError with the reason of a training that failed."""
    original = find_original(options.model)
    if options.scheduler and not options.train:
        raise ValueError(f"--scheduler {options.scheduler} is for training; add --train")
    try:
        return compress(original, recipe)
    except NotTrained:
        if not options.train:
            raise
    executor = start_executor(options.scheduler, take_over=False)
    try:
        _train(executor, original, recipe)
    finally:
        executor.close()
    return compress(original, recipe)


def _train(executor: Executor, original: Original, recipe: Recipe) -> None:
    job = executor.submit(Training(original.name, format_recipe(recipe)), USER)
    seen = len(executor.store.events(job.id))
    with console.progress() as bars:
        try:
            while job.unfinished:
                time.sleep(POLLED_EVERY_S)
                job = executor.job(job.id)
                events = executor.store.events(job.id)
                for event in events[seen:]:
                    _show(bars, event)
                seen = len(events)
        except KeyboardInterrupt:
            executor.cancel(job.id, USER)
            raise
    _check(executor, job)


def _show(bars: console.Bars, event: Event) -> None:
    match event:
        case Progress():
            bars.fraction("training", event.fraction, event.text)
        case Epoch():
            bars.say(
                f"{event.step}: epoch {event.epoch} of {event.epochs}, loss {event.loss:.4g}, "
                f"on held-out images {event.accuracy:.4g}, {event.seconds:.1f} s"
            )


def _check(executor: Executor, job: Job) -> None:
    if job.state != "done":
        raise ValueError(f"the training {job.state}: {job.reason}; `jobs` lists it as {job.id}")
    executor.delete(job.id)  # its results are in the cache of trained steps
