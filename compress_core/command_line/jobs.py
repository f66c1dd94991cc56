"""The command `jobs`: what waits, runs and is done, for the app and the command line alike."""

import argparse
import sys
from collections.abc import Sequence
from datetime import datetime

from compress_core.command_line.commands import emit
from compress_core.command_line.console import print_table
from compress_core.events import Event, Progress
from compress_core.jobs.job import Job, job_to_json
from compress_core.jobs.store import Store
from compress_core.jobs.work import KINDS, Work, kind_of, work_to_json
from compress_core.wording.numbers import percent

ACTIONS = ("cancel", "delete")
SHOWN = 40  # jobs in the table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=ACTIONS, help="default: list all jobs")
    parser.add_argument("job", nargs="?", metavar="ID", help="the job to cancel or delete")
    parser.add_argument("--kind", choices=KINDS, help="list the jobs of one kind only")


def run_jobs(options: argparse.Namespace) -> None:
    store = Store()
    if options.action is None:
        _list(store, options)
        return
    if options.job is None:
        raise ValueError(f"jobs {options.action} needs a job's ID; `jobs` lists them")
    if options.action == "delete":
        store.delete(options.job)
        row = {"id": options.job, "state": "deleted"}
        emit(options, row, lambda: print(f"{options.job} is deleted"))
    else:
        job = store.cancel(options.job)
        emit(options, job_to_json(job), lambda: print(f"{job.id}: {_cancelled_in_words(job)}"))


def _list(store: Store, options: argparse.Namespace) -> None:
    wanted = {options.kind} if options.kind else KINDS.keys()
    jobs = [job for job in store.jobs() if kind_of(job.work) in wanted]
    emit(options, [job_to_json(job) for job in jobs], lambda: _show(store, jobs))
    for name in store.damaged():
        print(f"{store.folder(name)} is damaged; `jobs delete {name}` removes it", file=sys.stderr)


def _show(store: Store, jobs: Sequence[Job]) -> None:
    columns = ("job", "work", "state", "since", "progress")
    rows = [_row(store, job) for job in jobs[:SHOWN]]
    print_table(columns, rows, title=f"Jobs in {store.root}, the newest first")
    if len(jobs) > SHOWN:
        print(f"and {len(jobs) - SHOWN} older ones; --json lists all, --kind those of one kind")


def _row(store: Store, job: Job) -> tuple[str, ...]:
    since = datetime.fromtimestamp(job.ended or job.started or job.created)
    told = job.reason or event_in_words(job.last)
    return job.id, work_in_words(job.work), _state(store, job), f"{since:%Y-%m-%d %H:%M:%S}", told


def _state(store: Store, job: Job) -> str:
    left = job.unfinished and not store.is_alive(job.owner)
    return f"{job.state}, but its server is gone" if left else job.state


def _cancelled_in_words(job: Job) -> str:
    return "it ends after the batch it works on" if job.unfinished else f"it is {job.state}"


def work_in_words(work: Work) -> str:
    """A work in a few words: `latency digits-cnn prune:sparsity=0.9`."""
    fields = work_to_json(work)
    recipes = fields.get("recipes", ())
    what = f"{len(recipes)} recipes" if recipes else fields.get("recipe", "")
    return f"{kind_of(work)} {work.model} {what}".rstrip()


def event_in_words(event: Event | None) -> str:
    """The last event in a few words; nothing where there is none."""
    if event is None:
        return ""
    if isinstance(event, Progress):
        return f"{percent(event.fraction, 0)} {event.text}"
    return f"epoch {event.epoch} of {event.epochs}, loss {event.loss:.3g}"
