"""Python processes beside this one: how they start, step back, and what their end means."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
FIRST_TO_GO = "500"  # of 1000: if memory runs out, the system ends this and not the server


def start_module(name: str) -> subprocess.Popen[bytes]:
    """A Python of its own that runs this module with one thread, asked and answering by pipes."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return start_python("-m", name, environment=environment)


def start_python(
    *arguments: str,
    environment: Mapping[str, str],
    folder: Path | None = None,
    log: int | None = None,
) -> subprocess.Popen[bytes]:
    """A Python of its own with one thread, asked and answering by pipes. It works in `folder`, and
    its errors go to `log`; both are this process's own where they are not given."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd=folder,
        start_new_session=True,  # Ctrl-C in a terminal is for the server, which ends this
        env={**environment, **ONE_THREAD},
    )


def step_back(niceness: int) -> None:
    """Let this process come after everybody else, and be the first to go where memory runs out."""
    if hasattr(os, "nice"):
        os.nice(niceness)
    # Linux weighs sessions against each other first, and this process has one of its own
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(niceness))
    adjustment = Path("/proc/self/oom_score_adj")
    if adjustment.exists():
        adjustment.write_text(FIRST_TO_GO)


def signal_in_words(number: int) -> str:
    """A signal and who usually sends it."""
    name = f"signal {number} ({signal.Signals(number).name})"
    senders = {
        signal.SIGKILL: "by a person, or by the system because memory ran out",
        signal.SIGTERM: "by a person, or because the machine shuts down",
        signal.SIGSEGV: "native code crashed",
    }
    sender = senders.get(signal.Signals(number))
    return f"{name}: {sender}" if sender else name
