"""A row of the hostile corpus."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Hostile:
    """A file that hurts, or tries to.

    `make(path)` writes it. `says` is a regular expression for the sentence that its user sees; for
    a file that may open it is "", and the names and numbers that are shown are harmless. `reader`
    says as what it is given: a "model", or "data", then under a name with this `ending`.
    """

    name: str
    make: Callable[[Path], object]
    says: str
    reader: Literal["model", "data"] = "model"
    ending: str = ""


def cut(make: Callable[[Path], object], keep: Callable[[int], int]) -> Callable[[Path], object]:
    """The same file, of which the first `keep(size)` bytes remain."""

    def make_cut(path: Path) -> None:
        make(path)
        raw = path.read_bytes()
        path.write_bytes(raw[: keep(len(raw))])

    return make_cut


def canary_of(path: Path) -> Path:
    """The file that appears where code in a hostile file was run."""
    return path.with_name(f"{path.name}.canary")
