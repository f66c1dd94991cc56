"""What a child takes from itself before it reads anything of other people.

Each part does what the system allows, and says what holds. None can be undone.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from compress_core.processes import ROOT, step_back

try:
    resource: Any = importlib.import_module("resource")
except ImportError:  # Windows
    resource = None

NICENESS = 4  # after the app, before the jobs: somebody waits for the answer
BY_PYTHON = {
    "network": "refused by Python",
    "programs": "refused by Python",
    "writing": "not limited to its folder",
    "reading": "not limited",
}
# what libraries look at: themselves, the processor, a source of chance
SYSTEM = ("/usr", "/lib", "/lib64", "/etc", "/proc", "/sys", "/dev/null", "/dev/urandom")
DATA = "COMPRESS_DATA_DIR"

_held: dict[str, str] = {}
REFUSED_EVENTS = frozenset(
    [
        "socket.__new__",
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "os.startfile",
    ]
)


def guards() -> dict[str, str]:
    """What holds here, in words: `memory`, `cpu`, `network`, `programs`, `writing`, `reading`."""
    return dict(_held)


def confine(limits: dict[str, Any]) -> dict[str, str]:
    """Limit this process to its folder, the current one, in an order in which no part hinders the
    next. Needs a process of one thread."""
    step_back(NICENESS)
    _held.update(_limit_resources(limits))
    _held.update(_confine_by_kernel(Path.cwd(), limits["reads"]))
    sys.addaudithook(_refuse)
    return guards()


def allow_cpu(seconds: float) -> None:
    """Let this process take so many seconds of CPU time from now on; it ends beyond them."""
    if resource is None:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _limit_resources(limits: dict[str, Any]) -> dict[str, str]:
    if resource is None:
        return {"memory": "not limited", "cpu": "not limited"}
    _limit("RLIMIT_CORE", 0)
    _limit("RLIMIT_FSIZE", limits["file_bytes"])
    held = _limit("RLIMIT_DATA", limits["memory_bytes"])
    _limit("RLIMIT_AS", limits["address_bytes"])
    memory = "limited by the kernel" if held and sys.platform == "linux" else "not limited"
    return {"memory": memory, "cpu": "limited by the kernel"}


def _limit(name: str, most: int) -> bool:
    """Set both limits of a resource, never above what holds already."""
    kind = getattr(resource, name, None)
    if kind is None:
        return False
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    with contextlib.suppress(ValueError, OSError):  # macOS knows some names and refuses them
        resource.setrlimit(kind, (most, most))
        return True
    return False


def _confine_by_kernel(folder: Path, reads: Sequence[str]) -> dict[str, str]:
    """The parts that Linux alone has, each by itself: a container may forbid one or the other."""
    if sys.platform != "linux":
        return BY_PYTHON
    from compress_core.sandbox import kernel, landlock, seccomp

    held = dict(BY_PYTHON)
    with contextlib.suppress(OSError):
        kernel.leave_network()
        held["network"] = "none: a network namespace of its own"
    kernel.forbid_new_privileges()
    with contextlib.suppress(OSError):
        landlock.confine_to(folder, _readable(reads), [ROOT])
        held["writing"] = "below its folder alone, by the kernel"
        held["reading"] = "its folder, Python and data sets alone, by the kernel"
    with contextlib.suppress(OSError):
        seccomp.refuse_calls()
        held["programs"] = "refused by the kernel"
        held["network"] = f"{held['network']}; the kernel refuses sockets"
    return held


def _readable(reads: Sequence[str]) -> list[Path]:
    """Python, this project and the system's libraries, the data sets, and `reads`: no other
    visitor's files, nobody's home, and nothing hidden beside the project, such as secrets."""
    ours = [path for path in ROOT.iterdir() if not path.name.startswith(".")]
    pythons = [Path(path) for path in (sys.prefix, sys.base_prefix, *sys.path) if path]
    data = [Path(os.environ[DATA])] if DATA in os.environ else []
    found = (*ours, *pythons, *map(Path, (*SYSTEM, *reads)), *data)
    return [path for path in found if path != ROOT and path.exists()]


def _refuse(event: str, _: tuple[object, ...]) -> None:
    """The last barrier where the kernel has none: Python's own sockets and programs."""
    if event in REFUSED_EVENTS:
        raise PermissionError(f"{event} is not allowed where other people's files are read")
