"""A file is opened in the background: a sandboxed child checks it, imports it and runs it once."""

import logging
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
from compress_core.sandbox.errors import UNEXPECTED

# Seconds: an ordinary network opens in a few; data of one's own are run through it for up to 20.
OPENING, OPENING_WITH_DATA = Limits(cpu_seconds=30.0), Limits()
GIVEN = "given"  # the data, as they came
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
        """In a thread of its own: open the file, which is copied into a folder of the store."""
        name = ""
        try:
            store.tidy()
            name, folder = store.new_folder(self.title)
            with AT_ONCE:
                self._open(folder, file, asked)
        except (ValueError, OSError) as error:
            self.problem = str(error)
        except Exception:  # whatever it is, nobody waits for ever
            logging.getLogger(__name__).exception("opening a file")
            self.problem = UNEXPECTED
        if self.problem or self.cancelled:
            store.forget(name)
        else:
            self.name = name

    def _open(self, folder: Path, file: Path, asked: Mapping[str, Any]) -> None:
        """Raises SandboxError where the file is refused, or its child had to be ended."""
        shutil.copyfile(file, folder / SOURCE)  # no link: the child may write to its own alone
        if data := asked.get("data"):
            given = Path(data)
            shutil.copyfile(given, folder / f"{GIVEN}{given.suffix}")
            asked = {**asked, "data": f"{GIVEN}{given.suffix}"}
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
