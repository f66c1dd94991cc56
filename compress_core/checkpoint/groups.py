"""Thousands of tensors as some dozens of rows: names that differ in their numbers alone."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from compress_core.checkpoint.header import Entry

NUMBER = re.compile(r"(?<![^.])\d+(?![^.])")  # a part of a dotted name that is all digits


@dataclass(frozen=True)
class Group:
    """Tensors of one shape and type whose names have one `pattern`, such as
    `model.layers.*.mlp.up_proj.weight`; a single tensor is a group by its own name."""

    pattern: str
    entries: tuple[Entry, ...]

    @property
    def count(self) -> int:
        return len(self.entries)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.entries[0].shape

    @property
    def dtype(self) -> str:
        return self.entries[0].dtype

    @property
    def params(self) -> int:
        """Numbers of all tensors together."""
        return sum(entry.weights for entry in self.entries)

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.entries)

    @property
    def is_weight(self) -> bool:
        return self.entries[0].is_weight


def group_entries(entries: Iterable[Entry]) -> tuple[Group, ...]:
    """The groups, in the order in which their first tensors come.

    Where shapes or types differ, as those of the layers of a pruned model do, there is a group for
    each of them.
    """
    found: dict[tuple[str, tuple[int, ...], str], list[Entry]] = {}
    for entry in entries:
        key = NUMBER.sub("*", entry.name), entry.shape, entry.dtype
        found.setdefault(key, []).append(entry)
    return tuple(
        Group(pattern if len(group) > 1 else group[0].name, tuple(group))
        for (pattern, _, _), group in found.items()
    )
