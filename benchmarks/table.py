"""What the benchmarks share: the clock, the table, the facts of the machine."""

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median
from typing import TypeVar

import torch

from compress_core.command_line.console import print_table

T = TypeVar("T")

COLUMNS = ("what", "runs", "median", "min", "max", "interpreter", "× plain", "target")
PACKAGES = ("torch", "numpy", "streamlit", "plotly", "constriction")


@dataclass(frozen=True)
class Lap:
    """Seconds of one call: by the clock, and of this thread's processor time.

    The latter is the most that the call can hold the interpreter; other jobs do not add to it.
    """

    wall: float
    interpreter: float


@dataclass(frozen=True)
class Row:
    """One line of a table; `interpreter` is empty where another process did the work."""

    what: str
    wall: Sequence[float]
    interpreter: Sequence[float] = ()
    plain: Sequence[float] = ()
    target: str = ""

    def cells(self) -> tuple[str, ...]:
        return (
            self.what,
            str(len(self.wall)),
            duration(median(self.wall)),
            duration(min(self.wall)),
            duration(max(self.wall)),
            duration(median(self.interpreter)) if self.interpreter else "",
            f"{median(self.plain) / median(self.wall):,.1f}" if self.plain else "",
            self.target,
        )


def row(what: str, laps: Sequence[Lap], *, plain: Sequence[Lap] = (), target: str = "") -> Row:
    """A line for calls made in this process; `plain` are the calls of the peer beside us."""
    return Row(
        what,
        [lap.wall for lap in laps],
        [lap.interpreter for lap in laps],
        plain=[lap.wall for lap in plain],
        target=target,
    )


def timed(call: Callable[[], T]) -> tuple[T, Lap]:
    """What `call` returns, and how long it took."""
    cpu, wall = time.thread_time(), time.perf_counter()
    result = call()
    return result, Lap(time.perf_counter() - wall, time.thread_time() - cpu)


def show(title: str, rows: Sequence[Row]) -> None:
    print()
    print_table(COLUMNS, [line.cells() for line in rows], title=title)


def duration(seconds: float) -> str:
    """Three digits or so, in the unit that suits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.{2 if seconds < 10 * size else 1}f} {unit}"
    return f"{seconds * 1e6:.1f} µs"


def machine_facts() -> str:
    """One line that says what the numbers depend on."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores{load}, "
        f"torch threads {torch.get_num_threads()}, Python {platform.python_version()}, {packages}"
    )
