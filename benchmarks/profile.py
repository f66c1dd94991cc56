"""Sparsity at a threshold, for ResNet-18's 11.7 M weights: sorted once, or counted each time.

Two readings of the profile: one binary search a layer, which also says what each layer loses, and
one in all over the profile of the whole network. Both warm, as under a moving slider, and cold:
right after a plain count, which leaves nothing of the profiles in the processor's caches.

The plain count takes 10 or 30 ms on one machine, as the allocator happens to keep its temporaries
of up to 9 MB or to fetch them anew from the system: compare ratios of several processes.
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch

from benchmarks.table import Row, show, timed
from compress_core.weights import Profile, counts_below

THRESHOLDS = (0.01, 0.1, 0.5, 1.0, 2.0, 3.0)  # of standard normal weights, so in σ
PLAIN_RUNS, RUNS = 15, 500
TARGET = ">= 1,000 ×"
Count = Callable[[float], int]


def run() -> None:
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(shape, generator=generator) for shape in resnet18_shapes()]
    layers = [Profile(weight) for weight in weights]
    network = Profile(torch.cat([weight.ravel() for weight in weights]))

    def by_layer(threshold: float) -> int:
        return sum(counts_below(layers, threshold))

    def plain(threshold: float) -> int:
        return sum(int((weight.abs() <= threshold).sum()) for weight in weights)

    ours: dict[str, Count] = {
        f"{len(layers)} profiles": by_layer,
        "one profile": network.count_below,
    }
    rows = [
        Row(f"build {what}, once", [timed(partial(count, 0.0))[1].wall])
        for what, count in ours.items()
    ]
    for threshold in THRESHOLDS:
        rows += compare(threshold, plain, ours)
    rows += [cold(what, count, plain) for what, count in ours.items()]
    show(f"profile: sparsity of {network.weight.numel():,} weights at a threshold", rows)


def resnet18_shapes() -> Iterator[tuple[int, ...]]:
    """Shapes (out, in, kh, kw) of its 20 convolutions, (out, in) of its classifier."""
    yield 64, 3, 7, 7
    before = 64
    for width in (64, 128, 256, 512):
        yield width, before, 3, 3
        yield from [(width, width, 3, 3)] * 3
        if width != before:
            yield width, before, 1, 1  # the shortcut's projection
        before = width
    yield 1000, 512


def compare(threshold: float, plain: Count, ours: dict[str, Count]) -> list[Row]:
    """The plain count and ours, which must be equal."""
    counted, slow = repeat(plain, threshold, PLAIN_RUNS)
    rows = [Row(f"|w| <= {threshold:g} σ: (w.abs() <= t).sum()", slow)]
    for what, count in ours.items():
        found, laps = repeat(count, threshold, RUNS)
        assert found == counted
        rows.append(Row(f"  {what}", laps, plain=slow, target=TARGET))
    return rows


def repeat(count: Count, threshold: float, runs: int) -> tuple[int, list[float]]:
    """The count, and the seconds of each run."""
    found, laps = zip(*(timed(partial(count, threshold)) for _ in range(runs)), strict=True)
    return found[0], [lap.wall for lap in laps]


def cold(what: str, count: Count, plain: Count) -> Row:
    """Ours in turns with the plain count."""
    turns = [repeat(way, 1.0, 1)[1][0] for _ in range(PLAIN_RUNS) for way in (plain, count)]
    return Row(f"|w| <= 1 σ, caches cold: {what}", turns[1::2], plain=turns[::2])
