"""Data are looked at in the background, in the sandbox of the network that shall take them."""

import secrets
import shutil
import threading
from dataclasses import dataclass, field
from typing import Any

from compress_core.opening.rooms import room_of
from compress_core.sources import opened_facts
from ui.upload import Upload


@dataclass(eq=False)
class Look:
    """A file of data that is being looked at in the network's sandbox: `found` is what `look` says,
    `problem` why it does not fit."""

    model: str
    file: Upload
    found: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    @property
    def is_over(self) -> bool:
        return bool(self.found or self.problem)

    def run(self) -> None:
        """In a thread of its own."""
        given = f"looked_at_{secrets.token_hex(8)}{self.file.path.suffix}"
        try:
            folder, _facts = opened_facts(self.model)
            shutil.copyfile(self.file.path, folder / given)  # the child reads its own files alone
            asked = {"file": given, "title": self.file.name}
            try:
                self.found = room_of(folder).ask("look_at_data", asked)
            finally:
                (folder / given).unlink(missing_ok=True)
        except (ValueError, OSError) as error:
            self.problem = str(error)


def begin_look(model: str, file: Upload) -> Look:
    """Look at a file for this network, in the background."""
    look = Look(model, file)
    threading.Thread(target=look.run, daemon=True).start()
    return look
