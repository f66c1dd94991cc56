"""A checkpoint without a network: all its tensors weighed, and the spectrum of one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress_core.checkpoint import (
    Checkpoint,
    Profiles,
    SweepRow,
    row_from_json,
    singular_values,
    sweep_bits,
)
from compress_core.checkpoint.sweep import SEEN
from compress_core.events import Watcher
from compress_core.jobs.work.common import check_recipes, folder_of, keep_point, load_points


@dataclass(frozen=True)
class Weighing:
    """Weigh every tensor of a checkpoint without a network after each recipe of `steps` (texts).

    `identity` is that of the checkpoint when it was opened: another content is other work. `exact`:
    look at all weights, not at some rows of each tensor. Result: `SweepRow.as_dict()` of each.
    """

    path: str
    identity: str
    steps: tuple[str, ...]
    exact: bool = False

    def __post_init__(self) -> None:
        if not self.steps:
            raise ValueError("a sweep of no steps weighs nothing; give at least one")
        check_recipes(self.steps)

    @property
    def model(self) -> str:
        """What the work is about, in lists of jobs."""
        return Path(self.path).name


@dataclass(frozen=True)
class Spectrum:
    """The singular values of one tensor of a checkpoint, kept among its profiles.

    Result: how many there are. `path` and `identity` as in `Weighing`.
    """

    path: str
    identity: str
    tensor: str

    @property
    def model(self) -> str:
        """What the work is about, in lists of jobs."""
        return f"{Path(self.path).name} {self.tensor}"


def run_weighing(work: Weighing, watcher: Watcher) -> list[dict[str, Any]]:
    """Tensors that an earlier run of the job has weighed are not weighed again."""

    def keep(row: SweepRow) -> None:
        keep_point(watcher, row.as_dict())

    rows = sweep_bits(
        _opened(work),
        work.steps,
        watcher,
        most=None if work.exact else SEEN,
        known=[row_from_json(row) for row in load_points(folder_of(watcher))],
        keep=keep,
    )
    return [row.as_dict() for row in rows]


def run_spectrum(work: Spectrum, watcher: Watcher) -> int:
    checkpoint = _opened(work)
    entry = checkpoint.entry(work.tensor)
    values = singular_values(entry, watcher)
    Profiles(checkpoint).keep_spectrum(entry, values)
    return int(values.size)


def _opened(work: Weighing | Spectrum) -> Checkpoint:
    """Raises ValueError where the checkpoint is another one by now."""
    found = Checkpoint.open(work.path)
    if found.identity != work.identity:
        raise ValueError(f"{found.path.name} changed since it was opened; start the work anew")
    return found
