"""Asking a child: once, or again and again about the same model."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from compress_core.sandbox.errors import RefusedError, SandboxError
from compress_core.sandbox.limits import Limits
from compress_core.sandbox.process import ChildProcess, too_much_memory
from compress_core.sandbox.tasks import TASKS
from compress_core.shown import shown_name

USUAL = Limits()
IDLE_S = 300.0
SENTENCE = 600  # characters of what a child may say


def run(
    task: str,
    arguments: dict[str, Any],
    folder: Path,
    limits: Limits = USUAL,
    reads: Path | None = None,
) -> dict[str, Any]:
    """Have one task of TASKS done in a child of its own that writes only below `folder`, and of
    other people's files reads only `reads`, a file or a folder, beside it.

    Returns the task's answer: JSON that a stranger's file may have shaped. Raises RefusedError with
    the task's own sentence, SandboxError where the child crashes or meets a limit, and ValueError
    for a task that is not in the table or a folder that does not exist.
    """
    with Room(folder, limits, reads=reads) as room:
        return room.ask(task, arguments)


class Room:
    """A child that stays to answer several questions, one at a time, from any thread.

    It starts with the first question, again after it crashed or was ended, and ends after `idle_s`
    seconds without a question. What a task keeps in its modules is there for the next question.
    `reads` as in `run`.
    """

    def __init__(
        self,
        folder: Path,
        limits: Limits = USUAL,
        idle_s: float = IDLE_S,
        reads: Path | None = None,
    ) -> None:
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder that exists; make it first")
        self._folder, self._limits, self._idle_s = folder.resolve(), limits, idle_s
        self._reads = [] if reads is None else [str(reads.resolve())]
        self._asking, self._changing = threading.Lock(), threading.Lock()
        self._child: ChildProcess | None = None
        self._timer: threading.Timer | None = None
        self._closed = False

    def ask(
        self, task: str, arguments: dict[str, Any], seconds: float | None = None
    ) -> dict[str, Any]:
        """The answer to one question, as for `run`; `seconds` in place of the room's own limits
        of time. Waits for questions of other threads first."""
        if task not in TASKS:
            raise ValueError(f"{task!r} is no task of a sandbox; there are {', '.join(TASKS)}")
        limits = self._limits
        if seconds is not None:
            limits = replace(limits, seconds=seconds, cpu_seconds=seconds)
        with self._asking:
            self._stop_timer()
            try:
                return self._judged(self._ready_child().ask(TASKS[task], arguments, limits))
            finally:
                self._start_timer()

    @property
    def busy(self) -> bool:
        """Whether it is answering a question."""
        return self._asking.locked()

    @property
    def guards(self) -> dict[str, str]:
        """What holds in the child, in words; starts it if need be."""
        with self._asking:
            return dict(self._ready_child().guards)

    def close(self) -> None:
        """End the child, in the middle of a question, too; nothing can be asked any more."""
        self._closed = True
        self.rest()

    def rest(self) -> None:
        """End the child; the next question starts another."""
        self._stop_timer()
        with self._changing:
            child, self._child = self._child, None
        if child is not None:
            child.close()

    def __enter__(self) -> "Room":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready_child(self) -> ChildProcess:
        with self._changing:
            if self._closed:
                raise SandboxError("this model was closed; open it again")
            if self._child is not None and not self._child.alive:
                self._child.close()
                self._child = None
            if self._child is None:
                self._child = ChildProcess(self._folder, self._limits, self._reads)
            return self._child

    def _judged(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The task's answer, or what it says in place of one."""
        if "refused" in answer:
            raise RefusedError(shown_name(str(answer["refused"]), SENTENCE))
        if answer.get("memory"):
            self.rest()  # what is left of the task may hold the memory
            raise SandboxError(too_much_memory(self._limits))
        if "failed" in answer:
            said = shown_name(str(answer["failed"]), SENTENCE)
            raise SandboxError(f"this file cannot be read ({said}); save it anew, or give another")
        if not isinstance(answer.get("answer"), dict):
            raise SandboxError("reading this file gave an answer that is no answer; it is refused")
        return dict(answer["answer"])

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _start_timer(self) -> None:
        if self._closed:
            return
        self._timer = threading.Timer(self._idle_s, self._rest_if_idle)
        self._timer.daemon = True
        self._timer.start()

    def _rest_if_idle(self) -> None:
        if self._asking.acquire(blocking=False):
            try:
                self.rest()
            finally:
                self._asking.release()
