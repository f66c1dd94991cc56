"""The child seen from outside: questions by a pipe, and an end to whatever takes too much."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from compress_core.processes import ROOT, signal_in_words, start_python
from compress_core.sandbox.errors import SandboxError
from compress_core.sandbox.limits import Limits

LOOK_S = 0.03  # between two looks at memory, threads and time
START_S = 30.0  # a bare Python starts in 0.1 s, on a busy machine ten times that
KEPT = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "LANG", "COMPRESS_DATA_DIR")
LOG = "log.txt"


class ChildProcess:
    """One confined child, which also reads the paths `reads`. Raises SandboxError where it does not
    start."""

    def __init__(self, folder: Path, limits: Limits, reads: Sequence[str] = ()) -> None:
        self._limits = limits
        child = str(Path(__file__).with_name("child.py"))
        # -P and -s: nothing that lies in a folder of uploads or of a user is taken for a module
        self._process = start_python(
            "-P", "-s", child, environment=_environment(folder), folder=folder, log=subprocess.PIPE
        )
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._read_answers, daemon=True),
            threading.Thread(target=self._keep_log, args=(folder / LOG,), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        self.guards: dict[str, str] = self._exchange(
            {**asdict(limits), "reads": [*reads]}, START_S
        )["answer"]

    def ask(self, target: str, arguments: dict[str, Any], limits: Limits) -> dict[str, Any]:
        """What the child answers: {"answer": …}, {"refused": …} or {"failed": …}.

        Raises SandboxError where it ends in place of an answer.
        """
        self._limits = limits  # what is said of them is of this question
        question = {"target": target, "arguments": arguments, "cpu_seconds": limits.cpu_seconds}
        return self._exchange(question, limits.seconds)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """End the child and whatever it started, at any time and from any thread."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for thread in self._threads:
            thread.join()
        for pipe in _pipes(self._process):
            with contextlib.suppress(BrokenPipeError):  # what it did not read any more
                pipe.close()

    def _exchange(self, line: dict[str, Any], seconds: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):  # it is gone, and its end says why
            self._process.stdin.write(json.dumps(line).encode() + b"\n")
            self._process.stdin.flush()
        return self._parsed(self._await(seconds))

    def _await(self, seconds: float) -> bytes:
        """The next line of the child, looking after it meanwhile."""
        began = time.monotonic()
        while True:
            with contextlib.suppress(queue.Empty):
                return self._answers.get(timeout=LOOK_S)
            reason = self._excess() or self._too_long(time.monotonic() - began, seconds)
            if reason:
                self.close()
                raise SandboxError(reason)

    def _parsed(self, line: bytes) -> dict[str, Any]:
        """A whole line of JSON; everything else means that the child is at its end."""
        try:
            answer = json.loads(line) if line.endswith(b"\n") else None
        except (ValueError, RecursionError):
            answer = None
        if isinstance(answer, dict) and answer:
            return answer
        if line:
            self.close()
            raise SandboxError("reading this file gave an answer that is no answer; it is refused")
        raise SandboxError(self._death())

    def _excess(self) -> str:
        memory, threads = _usage(self._process.pid)
        if memory > self._limits.memory_bytes:
            return too_much_memory(self._limits)
        if threads > self._limits.threads:
            return (
                f"reading this file started {threads} threads, more than the "
                f"{self._limits.threads} that are allowed; it is refused"
            )
        return ""

    def _too_long(self, taken: float, seconds: float) -> str:
        return too_much_time(seconds) if taken > seconds else ""

    def _death(self) -> str:
        code = self._process.wait()
        self.close()
        if hasattr(signal, "SIGXCPU") and code == -signal.SIGXCPU:
            return too_much_time(self._limits.cpu_seconds)
        ended = signal_in_words(-code) if code < 0 else f"code {code}"
        return (
            f"reading this file ended its process ({ended}); the file is damaged, or made to do "
            "that: save it anew, or give another"
        )

    def _read_answers(self) -> None:
        """Put each line into the queue, and an empty one at the end."""
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            while line := self._process.stdout.readline(self._limits.answer_bytes + 1):
                self._answers.put(line)
        self._answers.put(b"")

    def _keep_log(self, path: Path) -> None:
        """Write the beginning of what the child prints; read the rest, or it would wait."""
        assert self._process.stderr is not None
        left = self._limits.log_bytes
        with contextlib.suppress(OSError, ValueError), path.open("wb", buffering=0) as log:
            while piece := os.read(self._process.stderr.fileno(), 1 << 16):
                log.write(piece[:left])
                left -= len(piece[:left])


def too_much_memory(limits: Limits) -> str:
    return (
        f"reading this file took more than the {limits.memory_bytes / 1e6:,.0f} MB of memory that "
        "are allowed; give a smaller model, or open it on a machine of your own"
    )


def too_much_time(seconds: float) -> str:
    return (
        f"reading this file took longer than the {seconds:,.4g} s that are allowed; "
        "give a smaller model, or open it on a machine of your own"
    )


def _environment(folder: Path) -> dict[str, str]:
    """What a Python needs to find its modules, and nothing that somebody could want to know."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    paths = [str(ROOT), *(path for path in sys.path if path and Path(path).is_absolute())]
    here = str(folder.absolute())
    return kept | {
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "HOME": here,
        "TMPDIR": here,
        "CUDA_VISIBLE_DEVICES": "",
        "MALLOC_ARENA_MAX": "2",
    }


def _usage(pid: int) -> tuple[int, int]:
    """Resident bytes that are no file's, and threads; zeros on a system without /proc."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0, 0
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    kilobytes = [int(fields.get(name, "0").split()[0]) for name in ("RssAnon", "RssShmem")]
    return 1024 * sum(kilobytes), int(fields.get("Threads", "0"))


def _pipes(process: subprocess.Popen[bytes]) -> Iterator[IO[bytes]]:
    yield from (pipe for pipe in (process.stdin, process.stdout, process.stderr) if pipe)
