"""A decoder of the adaptive coder in plain Python, written from points 25 to 29 of the README."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

Matrix = list[list[int]]  # of each output its inputs
Symbol = Callable[[Sequence[int]], int]  # weights → the next symbol


def range_decoder(raw: bytes) -> Symbol:
    """Point 25, behind its first two bytes."""
    padded = raw + bytes(-len(raw) % 4)
    words = [int.from_bytes(padded[i : i + 4], "big") for i in range(0, len(padded), 4)]
    waiting = iter([*words, 0, 0])
    low, size, point = 0, 2**64 - 1, next(waiting) << 32 | next(waiting)

    def symbol(weights: Sequence[int]) -> int:
        nonlocal low, size, point
        n, total = len(weights), sum(weights)
        sums = [0.0]
        for weight in weights:
            sums.append(sums[-1] + weight / total)
        starts = [k + int(sums[k] * ((2**24 - n) / sums[n])) for k in range(n)] + [2**24]
        r = size // 2**24
        k = max(k for k in range(n) if starts[k] <= (point - low) % 2**64 // r)
        low, size = (low + r * starts[k]) % 2**64, r * (starts[k + 1] - starts[k])
        if size < 2**32:
            low, size, point = low * 2**32 % 2**64, size * 2**32, point * 2**32 % 2**64
            point += next(waiting, 0)
        return k

    return symbol


def live_lines(count: int, symbol: Symbol) -> list[int]:
    """Point 26."""
    counts: dict[tuple[int, ...], list[int]] = defaultdict(lambda: [1, 1])
    flags = [0, 0]
    for _ in range(count):
        before = tuple(flags[-2:])
        flags.append(symbol(counts[before]))
        counts[before][flags[-1]] += 2
    return [i for i, flag in enumerate(flags[2:]) if flag]


def block_size(inputs: int, outputs: int) -> int:
    """Point 27."""
    size = 16
    while size < outputs and inputs * ((outputs + size - 1) // size) > 1024:
        size *= 2
    return size


def decode(stream: bytes, alphabet: int, outputs: int, inputs: int) -> Matrix:
    """The whole of a stream."""
    usual, width, symbol = stream[0], stream[1], range_decoder(stream[2:])
    live_inputs, live_outputs = live_lines(inputs, symbol), live_lines(outputs, symbol)
    matrix = [[usual] * inputs for _ in range(outputs)]
    flags, values = Flags(), Values(usual, alphabet)
    size = block_size(len(live_inputs), len(live_outputs))
    for i in live_inputs:
        for start in range(0, len(live_outputs), size):
            block = live_outputs[start : start + size]
            near = [neighbours(matrix[output], i, width, usual) for output in block]
            classes = [
                (o, i, tuple(s != usual for s in n)) for o, n in zip(block, near, strict=True)
            ]
            found = flags.read(classes, symbol)
            kept = [(o, n) for o, n, flag in zip(block, near, found, strict=True) if flag]
            nearest = [next((s for s in n if s != usual), usual) for _, n in kept]
            for (output, _), value in zip(kept, values.read(nearest, symbol), strict=True):
                matrix[output][i] = value
    return matrix


def neighbours(row: list[int], i: int, width: int, usual: int) -> list[int]:
    return [row[i - o] if o <= i else usual for o in (1, width, width + 1, width - 1)]


class Flags:
    """Point 28."""

    def __init__(self) -> None:
        self.coded = self.kept = 0
        self.ones: dict[object, int] = defaultdict(int)
        self.expected: dict[object, int] = defaultdict(int)

    def read(self, classes: Sequence[tuple[object, ...]], symbol: Symbol) -> list[int]:
        read = [self.one(its_classes, symbol) for its_classes in classes]
        for flag, steps in read:
            self.coded, self.kept = self.coded + 1, self.kept + flag
            for name, chance in steps:
                self.ones[name] += flag
                self.expected[name] += chance
        return [flag for flag, _ in read]

    def one(self, classes: tuple[object, ...], symbol: Symbol) -> tuple[int, list[Any]]:
        c, steps = 65536 * (2 * self.kept + 1) // (2 * self.coded + 4), []
        for place, found in enumerate((*classes, None)):
            name = (
                place,
                found if place < 3 else sum((4 + i % 4) * 2 ** (i // 4) <= c for i in range(60)),
            )
            steps.append((name, c))
            ratio = (self.ones[name] + 6) / (self.expected[name] / 65536 + 6)
            c = max(16, min(63488, int(c * ratio)))
        return symbol([65536 - c, c]), steps


class Values:
    """Point 29."""

    def __init__(self, usual: int, alphabet: int) -> None:
        self.all = [512 // (2 * abs(s - usual) + 1) if s != usual else 1 for s in range(alphabet)]
        self.beside: dict[int, list[int]] = defaultdict(lambda: [0] * alphabet)

    def read(self, nearest: Sequence[int], symbol: Symbol) -> list[int]:
        shared = [1 + 2048 * h // sum(self.all) for h in self.all]
        weights = [[a + b for a, b in zip(shared, self.beside[v], strict=True)] for v in nearest]
        values = [symbol(its_weights) for its_weights in weights]
        for neighbour, value in zip(nearest, values, strict=True):
            self.all[value] += 256
            self.beside[neighbour][value] += 256
        return values
