"""The sandboxed children that run opened networks, one for each of the last few networks."""

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

MOST_ROOMS = 2  # children at once: each takes some 400 MB
_ROOMS: OrderedDict[Path, Room] = OrderedDict()
_LOCK = Lock()


def room_of(folder: Path) -> Room:
    """The child of this folder, started at its first question; the one that was asked longest ago
    ends where there are too many."""
    with _LOCK:
        room = _ROOMS.get(folder) or Room(folder)
        _ROOMS[folder] = room
        _ROOMS.move_to_end(folder)
        if len(_ROOMS) > MOST_ROOMS:
            _ROOMS.popitem(last=False)[1].close()
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
        found = self._ask("answers", recipe, start=rows.start, stop=rows.stop)
        return torch.tensor(found["columns"]).reshape(-1, 2)

    def exported(self, recipe: str, name: str) -> bytes:
        found = self._ask("exported", recipe, name=name)
        return (self._folder / Path(str(found["file"])).name).read_bytes()

    def measured_file(self, recipe: str, name: str) -> dict[str, Any]:
        return self._ask("measured_file", recipe, name=name)

    def point(self, recipe: str) -> dict[str, Any]:
        return self._ask("measured", recipe)

    def speed(self, recipe: str) -> dict[str, Any]:
        return self._ask("timed", recipe)

    def _ask(self, task: str, recipe: str, **asked: Any) -> dict[str, Any]:
        if not self._facts.runs:
            raise ValueError(f"{self._facts.title} does not run: {self._facts.why_not_run}")
        return room_of(self._folder).ask(task, {"recipe": recipe, **asked})
