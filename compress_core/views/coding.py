"""What entropy coding does to a stored weight, prepared for drawing: its symbols, the bytes of
every coder, a piece of the gap coding, the context classes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from compress_core.compressed import Compressed
from compress_core.methods.quantization import FloatCoded, MXCoded, Quantized, SignCoded, code_range
from compress_core.methods.quantization.floats import decode_float
from compress_core.methods.quantization.microscaling import element_values
from compress_core.methods.weight_sharing import Shared
from compress_core.storage.entropy_coding import (
    CODERS,
    Symbols,
    encode_all,
    entropy_bits,
    relative_index,
)
from compress_core.storage.entropy_coding.context import choose_contexts
from compress_core.storage.entropy_coding.gap import best_index_bits, positions
from compress_core.storage.streams import StoredWeight
from compress_core.storage.streams.floats import MASKS, kept_mask

Meaning = Literal["code", "entry", "float", "sign", "mask"]
BARS = 256  # of a histogram of symbols
PIECE = 40  # weights of the piece that shows gap coding


@dataclass(frozen=True, eq=False)
class Coding:
    """`symbols` (out, in) in [0, alphabet): a weight's codes or, of floats, its mask.

    `beside_bytes` are stored whatever the coder: scales, a codebook, or the kept floats; `taken`
    is the coder of the file, None where it stores plain floats. `meanings` (alphabet,) are what
    the symbols stand for: integer codes, entries of the codebook, floats in units of the scale,
    signs, or 1 for kept.
    """

    symbols: Symbols
    alphabet: int
    meaning: Meaning
    meanings: NDArray[np.float64]
    beside_bytes: int
    taken: str | None

    @cached_property
    def counts(self) -> NDArray[np.int64]:
        """How often each symbol occurs, (alphabet,)."""
        return np.bincount(self.symbols.ravel(), minlength=self.alphabet)

    @property
    def usual(self) -> int:
        """The most frequent symbol."""
        return int(self.counts.argmax())

    @cached_property
    def entropy_bits(self) -> float:
        """The entropy bound in bits a symbol: the least for a code with one histogram."""
        return entropy_bits(self.symbols)


def coding_of(weight: StoredWeight) -> Coding:
    """The codes of a weight, or the mask of one that has none."""
    encoding, form = weight.streams.header["encoding"], weight.coded
    if form is None:
        mask = kept_mask(weight.values)
        kept = 4 * int(mask.sum())
        return Coding(mask, 2, "mask", np.arange(2.0), kept, MASKS.get(encoding))
    beside = sum(tensor.nbytes for tensor in form.parameters.values())
    meaning, meanings = _meanings(weight, form.alphabet)
    taken = encoding.removeprefix(form.family)
    return Coding(form.symbols, form.alphabet, meaning, meanings, beside, taken)


def _meanings(weight: StoredWeight, alphabet: int) -> tuple[Meaning, NDArray[np.float64]]:
    codes, symbols = weight.codes, np.arange(alphabet).astype(np.float64)
    if isinstance(codes, Quantized):
        return "code", symbols + code_range(codes.bits, codes.scheme)[0]
    if isinstance(codes, Shared):
        return "entry", codes.codebook.numpy().astype(np.float64)
    if isinstance(codes, SignCoded):
        return "sign", 2 * symbols - 1
    if isinstance(codes, MXCoded):
        return "float", element_values(codes.format).double().numpy()
    assert isinstance(codes, FloatCoded)
    patterns = torch.arange(alphabet).to(codes.codes.dtype)
    return "float", decode_float(patterns, codes.format).double().numpy()


@dataclass(frozen=True)
class CodingRow:
    """One stored weight by every coder: `coder_bytes` are (coder, bytes of its symbols) pairs, all
    of the coders that take its alphabet; `taken_bytes` those of the coder in the file."""

    layer: str
    symbols: int
    entropy_bits: float
    bound_bytes: int
    beside_bytes: int
    taken: str
    coder_bytes: tuple[tuple[str, int], ...]

    @property
    def taken_bytes(self) -> int:
        return dict(self.coder_bytes)[self.taken]


def coding_rows(compressed: Compressed) -> tuple[CodingRow, ...]:
    """A row for each weight that the file stores as codes or behind a mask; plain floats have
    nothing to code."""
    return tuple(
        coding_row(name, coding)
        for name, stored in compressed.layers.items()
        for coding in map(coding_of, stored.weights)
        if coding.taken
    )


def coding_row(layer: str, coding: Coding) -> CodingRow:
    assert coding.taken is not None, "plain floats have no symbols"
    coded = encode_all(coding.symbols, coding.alphabet)
    return CodingRow(
        layer=layer,
        symbols=coding.symbols.size,
        entropy_bits=coding.entropy_bits,
        bound_bytes=math.ceil(coding.symbols.size * coding.entropy_bits / 8),
        beside_bytes=coding.beside_bytes,
        taken=coding.taken,
        coder_bytes=tuple((name, stream.size) for name, stream in coded.items()),
    )


def takes(coder: str, coding: Coding) -> bool:
    """Whether a coder takes so many symbols of so many kinds."""
    return CODERS[coder].takes(coding.alphabet, coding.symbols.shape)


def mean_entropy_bits(rows: Sequence[CodingRow]) -> float:
    """The entropy bound of several weights together, in bits a symbol."""
    return sum(row.symbols * row.entropy_bits for row in rows) / sum(row.symbols for row in rows)


def total_bytes(rows: Sequence[CodingRow]) -> dict[str, int]:
    """Bytes of all rows by each coder; where it does not take an alphabet, those of "packed"."""
    sizes = [dict(row.coder_bytes) for row in rows]
    names = list(dict.fromkeys(name for coder_bytes in sizes for name in coder_bytes))
    return {name: sum(row.get(name, row["packed"]) for row in sizes) for name in names}


@dataclass(frozen=True, eq=False)
class SymbolBars:
    """Bars of a histogram, (n,) each: the first symbol, how many, and -log₂ p, on average where a
    bar stands for several symbols, 0 where it is empty."""

    symbols: NDArray[np.int64]
    counts: NDArray[np.int64]
    ideal_bits: NDArray[np.float64]


def symbol_bars(coding: Coding, limit: int = BARS) -> SymbolBars:
    """The symbols by what they stand for, ascending, in at most `limit` bars."""
    order = np.argsort(coding.meanings, kind="stable")
    firsts = np.arange(0, coding.alphabet, -(-coding.alphabet // limit))
    counts = coding.counts[order]
    worth = np.add.reduceat(counts * ideal_bits(counts), firsts)
    heights = np.add.reduceat(counts, firsts)
    return SymbolBars(order[firsts], heights, worth / np.maximum(heights, 1))


def ideal_bits(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """-log₂ p of each symbol: what its probability asks for; 0 where it does not occur."""
    bits: NDArray[np.float64] = -np.log2(np.where(counts > 0, counts, counts.sum()) / counts.sum())
    return bits + 0.0  # no -0.0


@dataclass(frozen=True, eq=False)
class GapPiece:
    """A few symbols from `start` on, and how their gaps are coded.

    An entry stands at `places` (in the piece), `gaps` symbols after the one before it; a filler
    (bool) is the usual symbol, where the distance does not fit into `bits`.
    """

    start: int
    symbols: Symbols
    usual: int
    bits: int
    places: NDArray[np.int64]
    gaps: Symbols
    is_filler: NDArray[np.bool_]


def best_gap_bits(coding: Coding) -> int:
    """The bits of a distance that make the layer's stream shortest."""
    return best_index_bits(coding.symbols.ravel(), coding.alphabet)


def gap_piece(coding: Coding, bits: int, length: int = PIECE) -> GapPiece:
    """A piece from the middle of the layer; it begins behind an entry, as a coder would be."""
    flat = coding.symbols.ravel()
    others = np.flatnonzero(flat != coding.usual)
    middle = max(0, min(flat.size // 2, flat.size - length))
    before = others[others < middle]
    start = int(before[-1]) + 1 if before.size else 0
    piece = flat[start : start + length]
    index = relative_index(piece != coding.usual, bits)
    places = positions(index.gaps)
    return GapPiece(start, piece, coding.usual, bits, places, index.gaps, index.is_filler)


def context_densities(coding: Coding) -> NDArray[np.float64]:
    """Fraction of symbols that are not the usual one, (row classes, column classes), of the classes
    that the context coder has chosen."""
    contexts = choose_contexts(coding.symbols, coding.alphabet)
    other = coding.symbols.ravel() != coding.usual
    cells = contexts.grid.ravel()
    counts = np.bincount(cells, minlength=contexts.count)
    others = np.bincount(cells, other, contexts.count)
    shape = (1 << contexts.row_bits, 1 << contexts.column_bits)
    return (others / np.maximum(counts, 1)).reshape(shape)
