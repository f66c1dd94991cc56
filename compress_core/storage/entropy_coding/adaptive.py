"""Adaptive coding: no tables, every chance comes from the symbols that went before.

Input after input, each symbol first says whether it is kept, that is another one than the most
frequent. Its chance is the density so far times four factors, each how many were kept over how many
were expected: of this output, of this input, of those with the same kept neighbours (1, w, w + 1
and w − 1 inputs before it, where w is the width of the image or the kernel), and of those with
about this chance. Then come the kept symbols, by their histogram so far mixed with the histogram
beside the same neighbour. Inputs and outputs that keep nothing are named once and passed over.
Source: Rissanen & Langdon 1981, "Universal modeling and coding".
"""

from collections.abc import Callable, Iterator

import constriction
import numpy as np
from numpy.typing import NDArray

from compress_core.storage.entropy_coding.packing import Bytes, StreamError, Symbols

Flags = NDArray[np.bool_]
Whole = NDArray[np.int64]
# (chances (n, alphabet), n symbols) → n symbols: those given where they are written, those found
# where they are read. So both ways share one model.
Code = Callable[[NDArray[np.float64], Symbols], Symbols]

ONE = 1 << 16  # chances are whole numbers of 65536ths: their sums are the same on every machine
LEAST, MOST = 16, ONE - 2048  # chances stay between
PRIOR = 6  # times that each class seems to have been kept, and to have been expected, at the start
UNIT = 256  # what a kept symbol adds to a histogram
SHARE = 8 * UNIT  # what all that were kept add to the histogram beside a neighbour
BLOCK, BLOCKS = 16, 1024  # symbols coded at once, at least; blocks of a matrix, about the most
MAX_LINES = 2**14  # inputs and outputs together: they are passed one by one
WIDTHS = range(2, 256)
COUNTED = 2**16  # kept symbols by which the width is chosen
# Chances in steps of a quarter of an octave: 4, 5, 6, 7, 8, 10, 12, 14, 16, …
STEPS = np.array([(4 + i % 4) << (i // 4) for i in range(60)], np.int64)
MODEL = constriction.stream.model.Categorical(perfect=False)


class Factor:
    """How many flags of each class were set, over how many were expected to be."""

    def __init__(self, classes: int) -> None:
        # in 65536ths: whole numbers, which float64 adds exactly
        self._set = np.full(classes, PRIOR * ONE, np.float64)
        self._expected = np.full(classes, PRIOR * ONE, np.float64)

    def applied(self, chances: Whole, classes: Whole) -> Whole:
        """The chances (n,) of flags of these classes (n,), times the factors of their classes."""
        ratios = self._set[classes] / self._expected[classes]
        scaled: Whole = (chances * ratios).astype(np.int64)
        return np.minimum(np.maximum(scaled, LEAST), MOST)

    def count(self, chances: Whole, classes: Whole, flags: Flags) -> None:
        """Learn from flags (n,) that had these chances before the factor was applied."""
        self._set += np.bincount(classes, ONE * flags, self._set.size)
        self._expected += np.bincount(classes, chances, self._set.size)


Use = tuple[Factor, Whole, Whole]  # with the chances (n,) before it, and their classes (n,)


class KeptModel:
    """The chance that a symbol is kept: the density so far and four factors."""

    def __init__(self, outputs: int) -> None:
        self._kept, self._coded = 0, 0
        self._output, self._near = Factor(outputs), Factor(1 << 4)
        self._similar = Factor(STEPS.size + 1)
        self.begin_input()

    def begin_input(self) -> None:
        self._input = Factor(1)

    def code(self, outputs: Whole, near: Whole, flags: Flags, code: Code) -> Flags:
        """Code the flags of these outputs (n,) of an input; `near` (n,) are bits of `around`."""
        chances, uses = self._chances(outputs, near)
        both = np.empty((chances.size, 2))
        both[:, 0], both[:, 1] = (ONE - chances) / ONE, chances / ONE
        coded = code(both, flags.astype(np.int32)).astype(np.bool_)
        for factor, before, classes in uses:
            factor.count(before, classes, coded)
        self._kept += int(coded.sum())
        self._coded += coded.size
        return coded

    def _chances(self, outputs: Whole, near: Whole) -> tuple[Whole, list[Use]]:
        """The chances (n,), and what each factor was applied to."""
        density = ONE * (2 * self._kept + 1) // (2 * self._coded + 4)
        chances, uses = np.full(outputs.size, density), list[Use]()
        factors = (self._output, outputs), (self._input, np.zeros_like(near)), (self._near, near)
        for factor, classes in factors:
            uses.append((factor, chances, classes))
            chances = factor.applied(chances, classes)
        similar = np.searchsorted(STEPS, chances, side="right")
        uses.append((self._similar, chances, similar))
        return self._similar.applied(chances, similar), uses


class ValueModel:
    """Which symbol is kept: the histogram so far, and the one beside the same neighbour."""

    def __init__(self, usual: int, alphabet: int) -> None:
        self._all = 2 * UNIT // (2 * np.abs(np.arange(alphabet) - usual) + 1)
        self._all[usual] = 1
        self._beside = np.zeros((alphabet, alphabet), np.int64)

    def code(self, neighbours: Symbols, symbols: Symbols, code: Code) -> Symbols:
        """Code kept symbols (n,) with their neighbours (n,), the usual symbol for none."""
        shared = 1 + SHARE * self._all // self._all.sum()
        coded = code(shares(shared + self._beside[neighbours]), symbols)
        np.add.at(self._all, coded, UNIT)
        np.add.at(self._beside, (neighbours, coded), UNIT)
        return coded


def code_matrix(symbols: Symbols, usual: int, width: int, alphabet: int, code: Code) -> None:
    """Code symbols (inputs, outputs) in place."""
    kept = symbols != usual
    inputs, outputs = (np.flatnonzero(code_lines(kept.any(axis), code)) for axis in (1, 0))
    live = symbols[:, outputs]
    flags, values = KeptModel(outputs.size), ValueModel(usual, alphabet)
    parts = list(blocks(inputs.size, outputs.size))
    for i in inputs.tolist():
        near, neighbours = around(live, i, usual, width)
        flags.begin_input()
        for part in parts:
            found = part[flags.code(part, near[part], live[i, part] != usual, code)]
            if found.size:
                live[i, found] = values.code(neighbours[found], live[i, found], code)
    symbols[:, outputs] = live


def code_lines(flags: Flags, code: Code) -> Flags:
    """Code which lines keep a symbol, one by one, by what followed the same two flags so far."""
    counts = np.ones((4, 2), np.int64)  # in halves
    coded, before = np.zeros_like(flags), 0
    for i, flag in enumerate(flags):
        chances = shares(counts[before : before + 1])
        found = int(code(chances, np.array([flag], np.int32))[0])
        counts[before, found] += 2
        coded[i], before = found, (2 * before + found) % 4
    return coded


def blocks(inputs: int, outputs: int) -> Iterator[Whole]:
    """The outputs that are coded at once: so many that there are few blocks in all."""
    size = BLOCK
    while size < outputs and inputs * -(-outputs // size) > BLOCKS:
        size *= 2
    return (np.arange(i, min(i + size, outputs)) for i in range(0, outputs, size))


def around(live: Symbols, i: int, usual: int, width: int) -> tuple[Whole, Symbols]:
    """Which neighbours before input i are kept, as bits, and the symbol of the nearest of them."""
    none = np.full(live.shape[1], usual, np.int32)
    rows = [live[i - o] if o <= i else none for o in (1, width, width + 1, width - 1)]
    kept, nearest = [row != usual for row in rows], none
    for row, flags in zip(reversed(rows), reversed(kept), strict=True):
        nearest = np.where(flags, row, nearest)
    return np.packbits(kept, 0, "little")[0].astype(np.int64), nearest


def choose_width(kept: Flags) -> int:
    """The distance from 2 on at which most pairs of kept symbols stand, of flags (out, in)."""
    outputs, inputs = np.nonzero(kept)
    places = (outputs * (kept.shape[1] + WIDTHS.stop) + inputs)[:COUNTED]
    pairs = np.zeros(WIDTHS.stop, np.int64)
    for skipped in range(1, WIDTHS.stop):
        distances = places[skipped:] - places[:-skipped]
        near = distances[distances < WIDTHS.stop]
        if not near.size:
            break
        pairs += np.bincount(near, minlength=WIDTHS.stop)
    return WIDTHS.start + int(pairs[WIDTHS.start :].argmax())


def shares(weights: Whole) -> NDArray[np.float64]:
    found: NDArray[np.float64] = weights / weights.sum(1, keepdims=True)
    return found


def encode_adaptive(symbols: Symbols, alphabet: int) -> Bytes:
    """A matrix of symbols (out, in): the most frequent one, w, and the range coder's bytes."""
    usual = int(np.bincount(symbols.ravel(), minlength=alphabet).argmax())
    width = choose_width(symbols != usual)
    encoder = constriction.stream.queue.RangeEncoder()

    def write(chances: NDArray[np.float64], given: Symbols) -> Symbols:
        encoder.encode(given, MODEL, chances)
        return given

    code_matrix(symbols.T.copy(), usual, width, alphabet, write)
    return np.concatenate([np.array([usual, width], np.uint8), shortest(encoder)])


def shortest(encoder: constriction.stream.queue.RangeEncoder) -> Bytes:
    """The words, most significant byte first, and no more of the last than tells it apart.

    The words are those of `get_compressed`; any number from `low` on, below `low + size`, serves as
    the last one, and zeros at the end need not be written.
    """
    words = encoder.get_compressed()
    count, (low, size) = encoder.pos()
    sealed = low + 2**32 - 1
    for bits in (56, 48, 40):
        point = -(-low >> bits) << bits  # rounded up to fewer bytes
        if words.size and point < low + size and point >> 64 == sealed >> 64:
            words = np.append(words[:count], np.uint32(point % 2**64 >> 32))
            break
    return np.frombuffer(words.astype(">u4").tobytes().rstrip(b"\0"), np.uint8)


def decode_adaptive(stream: Bytes, alphabet: int, shape: tuple[int, int]) -> Symbols:
    """The matrix that `encode_adaptive` was given. Raises StreamError if it cannot be."""
    if stream.size < 2 or stream[0] >= alphabet or stream[1] not in WIDTHS:
        raise StreamError(f"{stream.size} bytes do not begin with a symbol and a width")
    if sum(shape) > MAX_LINES:
        raise StreamError(f"{shape[0]} x {shape[1]} symbols have more than {MAX_LINES} lines")
    usual, width, body = int(stream[0]), int(stream[1]), stream[2:]
    padded = np.concatenate([body, np.zeros(-body.size % 4, np.uint8)])
    decoder = constriction.stream.queue.RangeDecoder(padded.view(">u4").astype(np.uint32))
    again = constriction.stream.queue.RangeEncoder()  # it tells how many words are needed

    def read(chances: NDArray[np.float64], _given: Symbols) -> Symbols:
        found: Symbols = decoder.decode(MODEL, chances)
        again.encode(found, MODEL, chances)
        return found

    symbols = np.full(shape[::-1], usual, np.int32)
    try:
        code_matrix(symbols, usual, width, alphabet, read)
    except AssertionError as error:  # constriction's, of words that no encoder writes
        raise StreamError(f"the bytes are none of a range coder: {error}") from error
    if body.size > 4 * again.num_words():
        raise StreamError(f"the stream holds more than {shape[0]} x {shape[1]} symbols")
    return np.ascontiguousarray(symbols.T)
