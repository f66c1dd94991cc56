"""A file is opened in the background: a sandboxed child checks it, imports it and runs it once."""

import os
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from compress_core.opening import store
from compress_core.opening.facts import SOURCE
from compress_core.sandbox import Limits, Room

# Seconds: an ordinary network opens in a few; data of one's own are run through it for up to 20.
OPENING, OPENING_WITH_DATA = Limits(cpu_seconds=30.0), Limits()
AT_ONCE = threading.Semaphore(2)  # each takes a processor and some 500 MB


@dataclass(eq=False)
class Opening:
    """One file on its way: `name` is there when it is open, `problem` when it cannot be."""

    title: str
    started: float = field(default_factory=time.monotonic)
    name: str = ""
    problem: str = ""
    cancelled: bool = False
    _room: Room | None = None

    @property
    def is_over(self) -> bool:
        return bool(self.name or self.problem or self.cancelled)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def cancel(self) -> None:
        """End it, whatever it does."""
        self.cancelled = True
        if self._room is not None:
            self._room.close()

    def run(self, file: Path, asked: Mapping[str, Any]) -> None:
        """In a thread of its own: open the file, which is linked into a folder of the store."""
        store.tidy()
        name, folder = store.new_folder(self.title)
        try:
            with AT_ONCE:
                self._open(folder, file, asked)
        except (ValueError, OSError) as error:
            self.problem = str(error)
        if self.problem or self.cancelled:
            store.forget(name)
        else:
            self.name = name

    def _open(self, folder: Path, file: Path, asked: Mapping[str, Any]) -> None:
        """Raises SandboxError where the file is refused, or its child had to be ended."""
        link(file, folder / SOURCE)
        self._room = Room(folder, OPENING_WITH_DATA if asked.get("data") else OPENING)
        try:
            if not self.cancelled:
                self._room.ask("open_network", {"title": self.title, **asked})
        finally:
            self._room.close()


def begin(title: str, file: Path, asked: Mapping[str, Any]) -> Opening:
    """Open a file in the background; `asked` as in `Asked`, without the title."""
    opening = Opening(title)
    threading.Thread(target=opening.run, args=(file, asked), daemon=True).start()
    return opening


def link(file: Path, place: Path) -> None:
    """The file under another name, without a copy where the disk can do that."""
    try:
        os.link(file, place)
    except OSError:
        shutil.copyfile(file, place)
