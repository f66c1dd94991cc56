"""Context coding: each symbol by a model chosen by the classes of its row and its column.

Some neurons and some inputs keep more weights, or larger ones, than others. Rows and columns are
sorted into at most 8 classes each by how far their symbols lie from the most frequent one; each
pair of classes has a histogram of its own (a byte a symbol, a small float) and ANS codes by it. The
classes are then improved as in co-clustering: every row and column moves to the class that codes
it shortest. Numbers of classes come by powers of two, whichever make the stream shortest; one class
each is plain ANS with a table of half the size. Source: Dhillon, Mallela & Modha 2003,
"Information-theoretic co-clustering".
"""

from dataclasses import dataclass, replace
from itertools import product

import constriction
import numpy as np
from numpy.typing import NDArray

from compress_core.storage.entropy_coding.packing import (
    Bytes,
    Counts,
    StreamError,
    Symbols,
    pack,
    unpack,
)

Classes = NDArray[np.int32]

CLASS_BITS = (0, 1, 2, 3)
MAX_CELLS = 2**24  # of the histograms of all rows: 128 MB; larger layers keep their first classes
PASSES = 3  # of moving rows and columns; five more win 0.2 %
# A byte b >= 1 stands for the frequency (16 + b mod 16) · 2^(b div 16): steps of 3 to 6 %, which
# cost some 0.03 % of the stream, from 17 to 1,015,808.
LEVELS = np.array([0, *((16 + b % 16) << (b // 16) for b in range(1, 256))], np.int64)
MIDDLES = (LEVELS[1:-1] + LEVELS[2:]) / 2  # between them


@dataclass(frozen=True, eq=False)
class Contexts:
    """The classes of rows (rows,) and columns (columns,), in [0, 2ᵏ) of their bits."""

    rows: Classes
    columns: Classes
    row_bits: int
    column_bits: int

    @property
    def count(self) -> int:
        return 1 << (self.row_bits + self.column_bits)

    @property
    def grid(self) -> Classes:
        """The context of each symbol, (rows, columns)."""
        return (self.rows[:, None] << np.int32(self.column_bits)) + self.columns[None, :]

    @property
    def side_bytes(self) -> int:
        """Bytes of the classes in the stream, and of the byte that says how many there are."""
        bits = self.rows.size * self.row_bits, self.columns.size * self.column_bits
        return 1 + -(-bits[0] // 8) + -(-bits[1] // 8)


def choose_contexts(symbols: Symbols, alphabet: int) -> Contexts:
    """The classes of a matrix of symbols (rows, columns) that make its stream shortest."""
    finest = _by_spread(symbols, max(CLASS_BITS))
    counts = _histograms(symbols, alphabet, finest)
    shape = (1 << finest.row_bits, 1 << finest.column_bits, alphabet)
    chosen = min(
        (_coarser(finest, *bits) for bits in product(CLASS_BITS, CLASS_BITS)),
        key=lambda contexts: _size(_merged(counts.reshape(shape), contexts), contexts),
    )
    lines, width = max(symbols.shape), alphabet << max(chosen.row_bits, chosen.column_bits)
    if chosen.count == 1 or lines * width > MAX_CELLS:
        return chosen
    moved = chosen
    for _ in range(PASSES):
        moved = _move(symbols, alphabet, moved)
    both = (chosen, moved)
    return min(both, key=lambda c: _size(_histograms(symbols, alphabet, c), c))


def _by_spread(symbols: Symbols, bits: int) -> Contexts:
    """Classes of as many rows (columns) each, by their mean distance from the usual symbol."""
    usual = np.bincount(symbols.ravel()).argmax()
    spread = np.abs(symbols - np.int32(usual))
    rows, columns = (_quantiles(spread.mean(axis), 1 << bits) for axis in (1, 0))
    return Contexts(rows, columns, bits, bits)


def _quantiles(values: NDArray[np.float64], count: int) -> Classes:
    classes = np.empty(values.size, np.int32)
    classes[np.argsort(values, kind="stable")] = np.arange(values.size) * count // values.size
    return classes


def _coarser(contexts: Contexts, row_bits: int, column_bits: int) -> Contexts:
    """The same order with fewer classes: each is a run of the finer ones."""
    rows = contexts.rows >> (contexts.row_bits - row_bits)
    columns = contexts.columns >> (contexts.column_bits - column_bits)
    return Contexts(rows, columns, row_bits, column_bits)


def _merged(counts: Counts, contexts: Contexts) -> Counts:
    """Histograms of finer classes, (row classes, column classes, alphabet), summed to coarser."""
    rows, columns, alphabet = counts.shape
    by_row, by_column = 1 << contexts.row_bits, 1 << contexts.column_bits
    runs = counts.reshape(by_row, rows // by_row, by_column, columns // by_column, alphabet)
    merged: Counts = runs.sum((1, 3)).reshape(contexts.count, alphabet)
    return merged


def _histograms(symbols: Symbols, alphabet: int, contexts: Contexts) -> Counts:
    """How often each symbol occurs in each context, (contexts, alphabet)."""
    if _is_quick(symbols, alphabet, contexts.column_bits):
        by_row = _row_histograms(symbols, alphabet, contexts)
        members = np.eye(1 << contexts.row_bits)[contexts.rows]  # (rows, row classes)
        return (members.T @ by_row).astype(np.int64).reshape(contexts.count, alphabet)
    cells = contexts.grid * np.int32(alphabet) + symbols
    counts = np.bincount(cells.ravel(), minlength=contexts.count * alphabet)
    return counts.reshape(contexts.count, alphabet)


def to_levels(counts: Counts) -> Bytes:
    """Histograms (contexts, alphabet) as bytes of LEVELS; the most frequent symbol gets 255."""
    most = np.maximum(counts.max(1, keepdims=True), 1)
    levels = 1 + np.searchsorted(MIDDLES, counts * (LEVELS[-1] / most))
    return np.where(counts > 0, levels, 0).astype(np.uint8)


def model_bits(counts: Counts, levels: Bytes) -> float:
    """Bits of symbols with these histograms when coded by these models: -Σ count · log2 p."""
    frequency = LEVELS[levels]
    p = frequency / np.maximum(frequency.sum(-1, keepdims=True), 1)
    return float(-(counts * np.log2(p, where=counts > 0, out=np.zeros_like(p))).sum())


def _size(counts: Counts, contexts: Contexts) -> float:
    return contexts.side_bytes + counts.size + model_bits(counts, to_levels(counts)) / 8


def _move(symbols: Symbols, alphabet: int, contexts: Contexts) -> Contexts:
    """Every row to the class that codes it shortest, then every column."""
    moved = replace(contexts, rows=_nearest(symbols, alphabet, contexts))
    flipped = Contexts(moved.columns, moved.rows, moved.column_bits, moved.row_bits)
    return replace(moved, columns=_nearest(symbols.T, alphabet, flipped))


def _nearest(symbols: Symbols, alphabet: int, contexts: Contexts) -> Classes:
    """The row class of least Σ -log2 p of each row's symbols, (rows,)."""
    held = _row_histograms(symbols, alphabet, contexts)  # (rows, column classes · alphabet)
    members = np.eye(1 << contexts.row_bits)[contexts.rows]  # (rows, row classes)
    counts = members.T @ held + 0.1  # no symbol is impossible in a class
    totals = counts.reshape(-1, alphabet).sum(1)  # (contexts,)
    cost = np.repeat(np.log2(totals), alphabet).reshape(counts.shape) - np.log2(counts)
    nearest: Classes = (held @ cost.T).argmin(1).astype(np.int32)
    return nearest


def _row_histograms(symbols: Symbols, alphabet: int, contexts: Contexts) -> NDArray[np.float64]:
    """How often each symbol occurs in each column class of each row."""
    if _is_quick(symbols, alphabet, contexts.column_bits):
        return _mask_histograms(symbols, contexts)
    width = alphabet << contexts.column_bits
    cells = contexts.columns[None, :] * np.int32(alphabet) + symbols  # (rows, columns)
    cells += np.arange(len(symbols), dtype=np.int32)[:, None] * np.int32(width)
    counts = np.bincount(cells.ravel("K"), minlength=len(symbols) * width)  # in any order
    return counts.reshape(-1, width).astype(np.float64)


def _is_quick(symbols: Symbols, alphabet: int, column_bits: int) -> bool:
    """Whether a product of matrices counts the symbols: several times as fast for a mask."""
    return alphabet == 2 and len(symbols) << column_bits <= MAX_CELLS // 2


def _mask_histograms(mask: Symbols, contexts: Contexts) -> NDArray[np.float64]:
    """`_row_histograms` of symbols 0 and 1; float32 counts up to 2²⁴ columns exactly."""
    members = np.eye(1 << contexts.column_bits, dtype=np.float32)[contexts.columns]
    ones = mask.astype(np.float32) @ members  # (rows, column classes)
    both = np.stack([members.sum(0) - ones, ones], -1)
    return both.reshape(len(mask), -1).astype(np.float64)


def encode_context(symbols: Symbols, alphabet: int) -> Bytes:
    """A matrix of symbols (rows, columns) in [0, alphabet), at least one of them.

    A byte (16 · bits of the row classes + bits of the column classes), the classes packed, the
    tables (contexts x alphabet bytes, see LEVELS), then ANS words: one context after the other,
    each in row-major order. A context of one symbol alone has no words.
    """
    contexts = choose_contexts(symbols, alphabet)
    levels = to_levels(_histograms(symbols, alphabet, contexts))
    order, sizes = _by_context(contexts)
    groups = np.split(symbols.ravel()[order], np.cumsum(sizes)[:-1])
    coder = constriction.stream.stack.AnsCoder()
    for table, group in reversed(list(zip(levels, groups, strict=True))):  # a stack: the last first
        used = np.flatnonzero(table)
        if used.size > 1:
            index = np.zeros(alphabet, np.int32)
            index[used] = np.arange(used.size, dtype=np.int32)
            coder.encode_reverse(index[group], _model(table[used]))
    sides = np.array([contexts.row_bits << 4 | contexts.column_bits], np.uint8)
    rows = pack(contexts.rows, contexts.row_bits)
    columns = pack(contexts.columns, contexts.column_bits)
    words = coder.get_compressed().astype("<u4").view(np.uint8)
    return np.concatenate([sides, rows, columns, levels.ravel(), words])


def decode_context(stream: Bytes, alphabet: int, shape: tuple[int, int]) -> Symbols:
    """The matrix that `encode_context` was given. Raises StreamError if it cannot be."""
    contexts = _read_contexts(stream, shape)
    tables_end = contexts.side_bytes + contexts.count * alphabet
    tables, words = stream[contexts.side_bytes : tables_end], stream[tables_end:]
    if tables.size != contexts.count * alphabet or words.size % 4:
        raise StreamError(f"{stream.size} bytes are no {contexts.count} tables and a stream")
    coder = constriction.stream.stack.AnsCoder(words.view("<u4").astype(np.uint32))
    order, sizes = _by_context(contexts)
    groups = [
        _decode_group(coder, table, size)
        for table, size in zip(tables.reshape(contexts.count, alphabet), sizes, strict=True)
    ]
    if not coder.is_empty():
        raise StreamError(f"the stream holds more than {shape[0]} x {shape[1]} symbols")
    symbols = np.empty(shape[0] * shape[1], np.int32)
    symbols[order] = np.concatenate(groups)
    return symbols.reshape(shape)


def _decode_group(coder: constriction.stream.stack.AnsCoder, table: Bytes, size: int) -> Symbols:
    used = np.flatnonzero(table).astype(np.int32)
    if used.size > 1 and size:
        decoded: Symbols = used[np.asarray(coder.decode(_model(table[used]), int(size)))]
        return decoded
    if size and not used.size:
        raise StreamError(f"the table of a context of {size} symbols is empty")
    return np.full(size, used[0] if size else 0, np.int32)


def _read_contexts(stream: Bytes, shape: tuple[int, int]) -> Contexts:
    row_bits, column_bits = divmod(int(stream[0]) if stream.size else 255, 16)
    if max(row_bits, column_bits) > max(CLASS_BITS):
        raise StreamError(f"the stream of {stream.size} bytes does not begin with its classes")
    rows_end = 1 + -(-shape[0] * row_bits // 8)
    columns_end = rows_end + -(-shape[1] * column_bits // 8)
    rows = unpack(stream[1:rows_end], row_bits, shape[0])
    columns = unpack(stream[rows_end:columns_end], column_bits, shape[1])
    return Contexts(rows, columns, row_bits, column_bits)


def _by_context(contexts: Contexts) -> tuple[NDArray[np.intp], Counts]:
    """The row-major positions sorted by context, and how many each context has, (contexts,)."""
    grid = contexts.grid.astype(np.uint8).ravel()  # at most 64 contexts, and bytes sort fastest
    return np.argsort(grid, kind="stable"), np.bincount(grid, minlength=contexts.count)


def _model(levels: Bytes) -> constriction.stream.model.Categorical:
    frequency = LEVELS[levels].astype(np.float64)
    return constriction.stream.model.Categorical(frequency / frequency.sum(), perfect=False)
