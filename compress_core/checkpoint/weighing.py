"""What a tensor weighs after some steps: real streams of our coders, block by block.

Looking at some rows that lie evenly over the tensor gives an estimate, and says so (`seen`).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from compress_core.checkpoint.census import Census, census_of
from compress_core.checkpoint.groups import group_entries
from compress_core.checkpoint.header import Entry
from compress_core.checkpoint.opening import Checkpoint
from compress_core.checkpoint.plan import make_plan
from compress_core.checkpoint.reading import (
    BLOCK,
    matrix_shape,
    read_blocks,
    read_rows,
    spread_rows,
)
from compress_core.recipe import Recipe
from compress_core.storage.streams import StoredWeight
from compress_core.weights import decibels, energy

FEW = 1 << 16  # weights of a tensor that stand for all of its group


@dataclass(frozen=True)
class Weighed:
    """A tensor after some steps: `own_bytes` in its own type, `stored_bytes` of its smallest
    streams, without headers. `signal` is Σ w², `noise` Σ (w - w')², `zeros` the stored zeros. Of
    the `weights` only `seen` were looked at; the other numbers are scaled up from those."""

    tensor: str
    weights: int
    own_bytes: int
    stored_bytes: int
    signal: float
    noise: float
    zeros: int
    seen: int

    @property
    def is_exact(self) -> bool:
        return self.seen == self.weights

    @property
    def sqnr_db(self) -> float | None:
        """SQNR in dB; None where nothing changed."""
        return decibels(self.signal, self.noise)

    @property
    def rms_error(self) -> float:
        """√ of the mean (w - w')²."""
        return math.sqrt(self.noise / self.weights)

    @property
    def sparsity(self) -> float:
        return self.zeros / self.weights

    @property
    def compression_ratio(self) -> float:
        """Bytes in its own type / stored bytes."""
        return self.own_bytes / max(1, self.stored_bytes)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; `weighed_from_json` reads it."""
        return asdict(self)


def weighed_from_json(data: dict[str, Any]) -> Weighed:
    """What `Weighed.as_dict` gave. Raises TypeError for anything else."""
    return Weighed(**data)


def weigh_tensor(
    entry: Entry, steps: Recipe, census: Callable[[], Census], *, most: int | None = None
) -> Weighed:
    """A tensor after `steps`. `census` is asked for where a block cannot decide by itself.

    most: look at about so many weights, and estimate; None: at all of them.
    Raises ValueError for steps that the tensor cannot take, see `make_plan`.
    """
    stored = store_tensor(entry, steps, census, most=most)
    seen = zeros = coded = shared = 0
    signal = noise = 0.0
    for before, weight, one_scale in stored:
        beside = _parameter_bytes(weight) if one_scale else 0
        seen, coded, shared = (
            seen + before.numel(),
            coded + weight.streams.byte_count - beside,
            beside,
        )
        signal, noise = signal + energy(before), noise + energy(before - weight.values)
        zeros += int((weight.values == 0).sum())
    scale = entry.weights / seen
    return Weighed(
        tensor=entry.name,
        weights=entry.weights,
        own_bytes=entry.bytes,
        stored_bytes=round(coded * scale) + shared,
        signal=signal * scale,
        noise=noise * scale,
        zeros=round(zeros * scale),
        seen=seen,
    )


def store_tensor(
    entry: Entry, steps: Recipe, census: Callable[[], Census], *, most: int | None = None
) -> Iterator[tuple[Tensor, StoredWeight, bool]]:
    """Blocks (rows, columns) of a tensor, each before and after, and whether its scale or codebook
    is that of the whole tensor. One block where the tensor is small, some rows where `most` asks
    for fewer weights."""
    whole = entry.weights <= min(BLOCK, most or BLOCK)
    if whole:
        block = read_rows(entry, range(matrix_shape(entry)[0]))
        plan, blocks = make_plan(steps, census_of(block), whole=True), iter([block])
    else:
        plan, blocks = make_plan(steps, census(), whole=False), _blocks(entry, most)
    seen = 1.0 if most is None else min(1.0, most / entry.weights)
    for before, weight in plan.store(blocks, seen):
        yield before, weight, plan.one_scale and not whole


def _blocks(entry: Entry, most: int | None) -> Iterator[Tensor]:
    """All rows, or evenly spread ones, in blocks."""
    if most is None:
        yield from read_blocks(entry)
        return
    rows = spread_rows(entry, most)
    step = max(1, BLOCK // matrix_shape(entry)[1])
    yield from (read_rows(entry, rows[start : start + step]) for start in range(0, len(rows), step))


def _parameter_bytes(weight: StoredWeight) -> int:
    """Bytes of scale or codebook."""
    form = weight.coded
    return sum(tensor.nbytes for tensor in form.parameters.values()) if form else 0


@dataclass(frozen=True)
class Total:
    """All tensors after some steps: their bytes in their own types, and stored."""

    own_bytes: int
    stored_bytes: int
    sqnr_db: float | None


def estimate_whole(checkpoint: Checkpoint, steps: Recipe) -> Total:
    """The whole checkpoint, each group judged by some rows of its middle tensor.

    Tensors that methods do not act on, and groups that cannot take the steps, keep their bytes. A
    threshold or a codebook is that of the sampled rows: a fraction of a second in all.
    """
    stored, signal, noise = 0.0, 0.0, 0.0
    for group in group_entries(checkpoint.entries):
        found = _one_of(group.entries[group.count // 2], steps) if group.is_weight else None
        stored += found.stored_bytes * group.count if found else group.bytes
        signal += found.signal * group.count if found else 0.0
        noise += found.noise * group.count if found else 0.0
    return Total(checkpoint.bytes, round(stored), decibels(signal, noise))


def _one_of(entry: Entry, steps: Recipe) -> Weighed | None:
    def sampled() -> Census:
        return census_of(read_rows(entry, spread_rows(entry, FEW)))

    try:
        return weigh_tensor(entry, steps, sampled, most=FEW)
    except ValueError:  # such as NaN weights: it stays as it is
        return None
