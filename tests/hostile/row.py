"""A row of the hostile corpus."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


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


def raw(content: bytes) -> Callable[[Path], object]:
    """A file of these bytes."""
    return lambda path: path.write_bytes(content)


def cut(make: Callable[[Path], object], end: int | None) -> Callable[[Path], object]:
    """The same file up to the byte `end`, which counts from the file's end where it is negative;
    without one the first half."""

    def make_cut(path: Path) -> None:
        make(path)
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2 if end is None else end])

    return make_cut


def canary_of(path: Path) -> Path:
    """The file that appears where code in a hostile file was run."""
    return path.with_name(f"{path.name}.canary")


class Runs:
    """What a pickle calls when it is opened."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self._call = function, arguments

    def __reduce__(self) -> Any:
        return self._call


def canary_maker(path: Path) -> Runs:
    """The call that would make the canary of the file at `path`."""
    return Runs(eval, f"open({str(canary_of(path))!r}, 'w')")
