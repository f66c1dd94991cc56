"""What a file holds, before it is fitted to a network; and how much may be read."""

import re
from dataclasses import dataclass
from typing import Self

import numpy as np

MOST_BYTES = 2**30  # of all arrays of a file, unpacked
Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Found:
    """The arrays of a file as they lie in it.

    `inputs` (n, …) of any number type, one for each input; `labels` (n, …) numbers, or (n,) numbers
    of classes where `class_names` are given; `training` the file's own training split. `notes` say
    what was found, `warnings` what may be wrong.
    """

    inputs: tuple[Array, ...]
    labels: Array | None = None
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    training: Self | None = None


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key to sort names by: numbers in them by their value, so that 2 stands before 10."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(p), "") if p.isdecimal() else (1, 0, p.lower()) for p in parts)
