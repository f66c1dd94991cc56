"""The sandboxed children that run opened networks, one for each of the last few networks."""

import re
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from compress_core.methods.low_rank import Factorize
from compress_core.opening.facts import Facts
from compress_core.recipe import parse_recipe
from compress_core.sandbox import Room

MOST_ROOMS = 2  # children at once, unless more are busy: each takes some 400 MB
MOST_EXPORTED = 10**9  # bytes of a file that leaves
ANSWERS_S = 60.0  # for one slice of rows; the first one imports the network and answers all rows
EXPORTED = re.compile(r"[0-9a-f]{16}\.out")
_ROOMS: OrderedDict[Path, Room] = OrderedDict()
_LOCK = Lock()


def room_of(folder: Path) -> Room:
    """The child of this folder, started at its first question; where there are too many, the one
    that was asked longest ago ends, if it is not at work."""
    with _LOCK:
        room = _ROOMS.get(folder) or Room(folder)
        _ROOMS[folder] = room
        _ROOMS.move_to_end(folder)
        idle = [other for other, its in _ROOMS.items() if other != folder and not its.busy]
        for other in idle[: max(0, len(_ROOMS) - MOST_ROOMS)]:
            _ROOMS.pop(other).close()
    return room


def close_rooms() -> None:
    """End all children."""
    with _LOCK:
        while _ROOMS:
            _ROOMS.popitem()[1].close()


class InSandbox:
    """Runs an opened network in its child. See `Elsewhere`; all raise ValueError with the reason,
    also where the child had to be ended."""

    def __init__(self, folder: Path, facts: Facts) -> None:
        self._folder, self._facts = folder, facts

    def macs(self, recipe: str) -> Mapping[str, int]:
        """Only factors change them: a step that would is refused for opened networks."""
        factors = any(isinstance(step, Factorize) for step in parse_recipe(recipe))
        if not self._facts.runs or not factors:
            return self._facts.macs
        return {str(path): int(count) for path, count in self._ask("macs", recipe).items()}

    def answers(self, recipe: str, rows: slice) -> Tensor:
        asked = {"recipe": recipe, "start": rows.start, "stop": rows.stop}
        found = self._room.ask("answers", asked, ANSWERS_S)
        columns = torch.tensor(found["columns"], dtype=torch.float32)
        if columns.dim() != 2 or columns.shape[1] != 2:
            raise ValueError(f"{self._facts.title} gives answers that are none; open it again")
        return columns

    def exported(self, recipe: str, name: str) -> bytes:
        written = str(self._ask("exported", recipe, name=name)["file"])
        file = self._folder / written
        if not EXPORTED.fullmatch(written) or file.is_symlink() or not file.is_file():
            raise ValueError(f"{self._facts.title} left no file; open it again")
        try:
            if file.stat().st_size > MOST_EXPORTED:
                raise ValueError(f"the file is larger than {MOST_EXPORTED:,} bytes; compress more")
            return file.read_bytes()
        finally:
            file.unlink()

    def measured_file(self, recipe: str, name: str) -> dict[str, Any]:
        return self._ask("measured_file", recipe, name=name)

    def point(self, recipe: str) -> dict[str, Any]:
        return self._ask("measured", recipe)

    def speed(self, recipe: str) -> dict[str, Any]:
        return self._ask("timed", recipe)

    def _ask(self, task: str, recipe: str, **asked: Any) -> dict[str, Any]:
        return self._room.ask(task, {"recipe": recipe, **asked})

    @property
    def _room(self) -> Room:
        if not self._facts.runs:
            raise ValueError(f"{self._facts.title} does not run: {self._facts.why_not_run}")
        return room_of(self._folder)
