"""The bits of every tensor of a checkpoint: what each step makes of its bytes and its weights."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from compress_core.checkpoint.groups import Group
from compress_core.checkpoint.opening import Checkpoint
from compress_core.checkpoint.profiles import Profiles
from compress_core.checkpoint.weighing import Weighed, weigh_tensor
from compress_core.events import Progress, Watcher
from compress_core.measurement.accuracy import Stopped
from compress_core.recipe import Recipe, parse_recipe
from compress_core.weights import decibels

SWEPT_BITS = (8, 6, 5, 4, 3, 2)
SEEN = 1 << 18  # weights of each tensor that a sweep looks at, unless it is asked for all


def bit_steps(bits: Sequence[int] = SWEPT_BITS) -> tuple[str, ...]:
    """Quantization of output channels to each of these bits, as texts of recipes."""
    return tuple(f"quantize:bits={each}" for each in bits)


@dataclass(frozen=True)
class SweepRow:
    """One tensor after one recipe (its text); `refused` says why it cannot be weighed."""

    step: str
    tensor: str
    weighed: Weighed | None
    refused: str = ""

    def as_dict(self) -> dict[str, object]:
        """JSON-ready; `row_from_json` reads it."""
        found = self.weighed.as_dict() if self.weighed else None
        return {**vars(self), "weighed": found}


def row_from_json(data: dict[str, object]) -> SweepRow:
    """What `SweepRow.as_dict` gave. Raises TypeError or KeyError for anything else."""
    row = SweepRow(**data)  # type: ignore[arg-type]
    found = row.weighed
    return replace(row, weighed=Weighed(**found)) if isinstance(found, dict) else row


def sweep_bits(
    checkpoint: Checkpoint,
    steps: Sequence[str],
    watcher: Watcher,
    *,
    most: int | None = SEEN,
    known: Iterable[SweepRow] = (),
    keep: Callable[[SweepRow], None] = lambda _row: None,
) -> list[SweepRow]:
    """Every weight of the checkpoint after each recipe of `steps` (their texts), tensor by tensor.

    most: weights of each tensor that are looked at (an estimate, and each row says so); None: all.
    known: rows of an earlier run, which are not made again. keep: is given each new row.
    Raises Stopped between two tensors where the watcher asks for it.
    """
    recipes = {text: parse_recipe(text) for text in steps}
    found = {(row.step, row.tensor): row for row in known}
    profiles, entries = Profiles(checkpoint), checkpoint.weights
    for i, entry in enumerate(entries):
        if watcher.stopped():
            raise Stopped
        watcher.report(Progress(i / len(entries), f"tensor {i + 1} of {len(entries)}"))
        for text in (text for text in recipes if (text, entry.name) not in found):
            row = _row(profiles, entry.name, text, recipes[text], most)
            found[text, entry.name] = row
            keep(row)
    return [found[text, entry.name] for entry in entries for text in recipes]


def _row(profiles: Profiles, name: str, text: str, steps: Recipe, most: int | None) -> SweepRow:
    entry = profiles.checkpoint.entry(name)
    try:
        weighed = weigh_tensor(entry, steps, lambda: profiles.census(entry), most=most)
    except ValueError as error:
        return SweepRow(text, name, None, str(error))
    return SweepRow(text, name, weighed)


@dataclass(frozen=True)
class GroupRow:
    """A group, or the whole checkpoint, after one recipe: bytes, and SQNR in dB over all of it.
    `seen`: the share of its weights that was looked at."""

    step: str
    pattern: str
    own_bytes: int
    stored_bytes: int
    sqnr_db: float | None
    seen: float


def by_group(rows: Iterable[SweepRow], groups: Iterable[Group]) -> list[GroupRow]:
    """The rows of each group of weights, summed; tensors that were refused are left out."""
    patterns = {entry.name: group.pattern for group in groups for entry in group.entries}
    parts: dict[tuple[str, str], list[Weighed]] = defaultdict(list)
    for row in rows:
        if row.weighed:
            parts[row.step, patterns[row.tensor]].append(row.weighed)
    return [_summed(step, pattern, part) for (step, pattern), part in parts.items()]


def of_whole(rows: Sequence[SweepRow], checkpoint: Checkpoint) -> list[GroupRow]:
    """The whole checkpoint after each recipe; what was not weighed keeps its bytes."""
    by_step: dict[str, list[Weighed]] = defaultdict(list)
    for row in rows:
        if row.weighed:
            by_step[row.step].append(row.weighed)
    return [
        _with_rest(_summed(step, "*", part), checkpoint.bytes) for step, part in by_step.items()
    ]


def _summed(step: str, pattern: str, parts: Sequence[Weighed]) -> GroupRow:
    signal, noise = sum(part.signal for part in parts), sum(part.noise for part in parts)
    return GroupRow(
        step,
        pattern,
        sum(part.own_bytes for part in parts),
        sum(part.stored_bytes for part in parts),
        decibels(signal, noise),
        sum(part.seen for part in parts) / sum(part.weights for part in parts),
    )


def _with_rest(row: GroupRow, all_bytes: int) -> GroupRow:
    rest = all_bytes - row.own_bytes
    return replace(row, own_bytes=all_bytes, stored_bytes=row.stored_bytes + rest)
