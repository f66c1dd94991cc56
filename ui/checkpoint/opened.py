"""The opened checkpoint and what was computed of it: shared by all sessions, never written to.

Everything is kept by the checkpoint's identity, which is another one once a file is written anew.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import streamlit as st

from compress_core.checkpoint import (
    Census,
    Checkpoint,
    Group,
    Profiles,
    TensorLedger,
    Total,
    Weighed,
    estimate_whole,
    group_entries,
    tensor_ledger,
    weigh_tensor,
)
from compress_core.recipe import Recipe
from ui.checkpoint import chosen
from ui.session import turns

SEEN = 1 << 20  # weights that a number beside the picture looks at: a tenth of a second


@dataclass(frozen=True)
class Stamped:
    """A path, and the names, sizes and times of its files, by which it is seen that one was written
    anew."""

    path: Path
    files: tuple[tuple[str, int, int], ...]


def checkpoint() -> Checkpoint | None:
    """The checkpoint of this server; None where none was named. Raises ValueError or OSError where
    it cannot be opened."""
    path = chosen.path()
    return _opened(_stamped(path)) if path else None


def _stamped(path: Path) -> Stamped:
    folder = path if path.is_dir() else path.parent
    files = [*folder.glob("*.safetensors*")] if path.suffix != ".safetensors" else [path]
    found = [(file.name, file.stat()) for file in sorted(files) if file.exists()]
    return Stamped(path, tuple((name, s.st_size, s.st_mtime_ns) for name, s in found))


@st.cache_resource(max_entries=2, show_spinner=False)
def _opened(file: Stamped) -> Checkpoint:
    return Checkpoint.open(file.path)


# keyed by the checkpoint's identity: nothing is kept of what a file held before
keep = partial(
    st.cache_resource,
    hash_funcs={Checkpoint: lambda found: found.identity.encode()},
    show_spinner=False,
)


@keep(max_entries=2)
def groups(found: Checkpoint) -> tuple[Group, ...]:
    return group_entries(found.entries)


@keep(max_entries=8)
def census(found: Checkpoint, name: str) -> Census:
    """From the disk, or taken now: a tenth of a second for 30 million weights."""
    with turns.given_away():
        return Profiles(found).census(found.entry(name))


@keep(max_entries=256)
def weighed(found: Checkpoint, name: str, steps: Recipe, *, exact: bool) -> Weighed:
    """A tensor after some steps; by SEEN of its weights unless `exact`."""
    most = None if exact else SEEN
    with turns.given_away():
        return weigh_tensor(found.entry(name), steps, partial(census, found, name), most=most)


@keep(max_entries=64)
def total(found: Checkpoint, steps: Recipe) -> Total:
    """The whole checkpoint after these steps, as some rows of each group tell."""
    with turns.given_away():
        return estimate_whole(found, steps)


@keep(max_entries=64)
def ledger(found: Checkpoint, name: str, steps: Recipe) -> TensorLedger:
    with turns.given_away():
        return tensor_ledger(found.entry(name), steps, partial(census, found, name))
