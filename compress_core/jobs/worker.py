"""The process that does jobs: `python -m compress_core.jobs.worker`, started by `process`.

It reads the folder of a job from a line of standard input, does the job, and answers with a line of
JSON; then the next. At the end of its input it ends itself, in the middle of a job, too: the pipe
closes when the process that started it is gone, however that ended. (Linux can also signal a child
when its parent dies, but means the parent's thread, which may end before its process.)
"""

import errno
import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import IO

import torch

from compress_core.events import Event, Progress, event_to_json
from compress_core.jobs.job import Outcome, job_from_json
from compress_core.jobs.log import append_line
from compress_core.jobs.work import do
from compress_core.measurement.accuracy import Stopped
from compress_core.processes import step_back
from compress_core.writing import write_file

NICENESS = 10  # the app and everybody's sliders come first
SHORTEST_S = 0.1  # between two events of progress in the file; epochs are all written


class FileWatcher:
    """Writes events to a job's folder, and looks there whether to end."""

    def __init__(self, job: Path) -> None:
        self.folder = job / "kept"
        self._events, self._cancel = job / "events.jsonl", job / "cancel"
        self._written = 0.0
        self.folder.mkdir(exist_ok=True)

    def report(self, event: Event) -> None:
        """Raises OSError where the disk is full."""
        now = time.monotonic()
        if not isinstance(event, Progress) or now - self._written >= SHORTEST_S:
            append_line(self._events, event_to_json(event))
            self._written = now

    def stopped(self) -> bool:
        return self._cancel.exists()


def run_job(folder: Path) -> Outcome:
    """Do the job in this folder and write its result."""
    try:
        job = job_from_json(json.loads((folder / "state.json").read_bytes()))
        watcher = FileWatcher(folder)
        result = do(job.work, watcher)
        write_file(folder / "result.json", json.dumps(result).encode())
        append_line(folder / "events.jsonl", event_to_json(Progress(1.0, "done")))
    except Stopped:
        return Outcome("cancelled", "it was cancelled while it ran; what it kept is there")
    except Exception as error:  # whatever it was, the process does the next job
        traceback.print_exc()
        return Outcome("failed", in_words(error, folder))
    return Outcome("done")


def in_words(error: Exception, folder: Path) -> str:
    """Why a job failed. Our own errors are sentences already."""
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, OSError) and cause.errno == errno.ENOSPC:
        return f"the disk that holds {folder} is full; make room there, or delete old jobs"
    if isinstance(error, ValueError | OSError):
        return str(error)
    return f"{type(error).__name__}: {error}; the whole message stands in {folder / 'log.txt'}"


def main() -> None:
    answers = _own_output()
    torch.set_num_threads(1)
    step_back(NICENESS)
    folders: SimpleQueue[Path] = SimpleQueue()
    threading.Thread(target=_read_folders, args=(folders,), daemon=True).start()
    _answer(answers, {"ready": os.getpid()})
    while True:
        folder = folders.get()
        _print_to(folder / "log.txt")
        _answer(answers, vars(run_job(folder)))


def _own_output() -> IO[str]:
    """The pipe for answers; what libraries print goes where errors go."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


def _read_folders(folders: "SimpleQueue[Path]") -> None:
    for line in sys.stdin:
        folders.put(Path(line.rstrip("\n")))
    os._exit(0)  # whoever gave the jobs is gone; a thread cannot end its process otherwise


def _print_to(log: Path) -> None:
    """Send all output to the job's log, which begins anew with each run."""
    sys.stderr.flush()
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.close(file)


def _answer(answers: IO[str], data: object) -> None:
    print(json.dumps(data), file=answers, flush=True)


if __name__ == "__main__":
    main()
