"""What the page of entropy coding shows, cached by model and recipe, and its words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from compress_core import Recipe
from compress_core.views import coding as coding_view
from compress_core.views.coding import Coding, CodingRow, GapPiece
from compress_core.views.huffman_codes import HuffmanCode, huffman_code
from ui import words
from ui.language import N_, _
from ui.session import caches

CODERS = {  # a coder's name in words
    "packed": N_("packed, fixed width"),
    "huffman": N_("Huffman"),
    "ans": "ANS",
    "context": N_("context ANS"),
    "gap_huffman": N_("gaps + Huffman"),
    "gap_ans": N_("gaps + ANS"),
    "masked": N_("bitmask + packed"),
    "masked_ans": N_("mask by ANS + packed"),
    "adaptive": N_("adaptive"),
}
WORTH_GAPS = 0.7  # share of the usual symbol from which gaps are about as short as Huffman
MEANINGS = {  # what a symbol stands for, as the title of an axis
    "code": N_("code q of the quantizer"),
    "entry": N_("entry of the codebook"),
    "float": N_("float, in units of its scale"),
    "sign": N_("sign, in units of its scale"),
    "mask": N_("bit of the mask"),
}
FIRST_SYMBOLS = 16  # of the worked example


class Place(NamedTuple):
    """One stored weight: what the caches are keyed on."""

    model: str
    recipe: Recipe
    layer: str
    factor: int


@caches.keep(max_entries=64, show_spinner=False)
def coding(place: Place) -> Coding:
    layers = caches.compressed(place.model, place.recipe).layers
    return coding_view.coding_of(layers[place.layer].weights[place.factor])


@caches.keep_copies(max_entries=500, show_spinner=False)
def rows(model: str, recipe: Recipe) -> tuple[CodingRow, ...]:
    return coding_view.coding_rows(caches.compressed(model, recipe))


@caches.keep_copies(max_entries=500, show_spinner=False)
def row(place: Place) -> CodingRow:
    return coding_view.coding_row(place.layer, coding(place))


@caches.keep(max_entries=64, show_spinner=False)
def huffman(place: Place) -> HuffmanCode:
    return huffman_code(coding(place), FIRST_SYMBOLS)


@caches.keep_copies(max_entries=200, show_spinner=False)
def best_gap_bits(place: Place) -> int:
    return coding_view.best_gap_bits(coding(place))


@caches.keep_copies(max_entries=200, show_spinner=False)
def contexts(place: Place) -> NDArray[np.float64]:
    return coding_view.context_densities(coding(place))


def names(found: Coding) -> list[str]:
    """What each symbol stands for, short enough for an axis."""
    if found.meaning == "mask":
        return [_("pruned"), _("kept")]
    if found.meaning in {"code", "sign"}:
        return [f"{value:.0f}" for value in found.meanings]
    return [f"{value:.3g}" for value in found.meanings]


def axis(found: Coding) -> str:
    """What the symbols are, as the title of an axis."""
    return _(MEANINGS[found.meaning])


def layer_sentence(layer: str, found: Coding, row: CodingRow) -> str:
    """How many symbols of how many kinds, and what they take: packed, at least, in the file."""
    kinds, n = int(np.count_nonzero(found.counts)), row.symbols
    packed = 8 * dict(row.coder_bytes)["packed"] / n
    if found.meaning == "mask":
        what = _("{n:,} bits of its mask", n=n)
    else:
        what = _("{n:,} symbols of {kinds:,} kinds", n=n, kinds=kinds)
    return _(
        "**{layer}**: {what}: {packed:.2f} bits each when packed, {entropy:.3f} by their entropy. "
        "The file takes :violet[**{coder}**]: {taken:.3f} bits, {size:,} bytes, and {beside}.",
        layer=layer,
        what=what,
        packed=packed,
        entropy=row.entropy_bits,
        coder=_(CODERS[row.taken]),
        taken=8 * row.taken_bytes / n,
        size=row.taken_bytes,
        beside=beside(found),
    )


def beside(found: Coding) -> str:
    """What is stored beside the symbols, whatever the coder."""
    match found.meaning:
        case "entry":
            return _("{n:,} bytes of the codebook", n=found.beside_bytes)
        case "mask":
            return _("{n:,} bytes of kept floats", n=found.beside_bytes)
    return _("{n:,} bytes of scales", n=found.beside_bytes)


def gap_sentence(piece: GapPiece, best: int) -> str:
    """What the piece costs in entries instead of symbols."""
    n, fillers = len(piece.places), int(piece.is_filler.sum())
    if fillers:
        entries = _("{n} entries, {fillers} of them fillers,", n=n, fillers=fillers)
    else:
        entries = _("{n} entries", n=n)
    return _(
        "Of {n} weights from number {start:,} on, {entries} are stored: the distance to the entry "
        "before, in {bits} bits, and the symbol. A distance beyond {far} gets a filler every {far} "
        "weights. For the whole layer {best} bits are the best.",
        n=len(piece.symbols),
        start=piece.start,
        entries=entries,
        bits=piece.bits,
        far=2**piece.bits,
        best=best,
    )


def gap_labels(piece: GapPiece) -> list[str]:
    """The distance above each stored symbol, "" above the others."""
    labels = [""] * len(piece.symbols)
    for place, gap, filler in zip(
        piece.places.tolist(), piece.gaps.tolist(), piece.is_filler.tolist(), strict=True
    ):
        labels[place] = f"{gap + 1}{'*' if filler else ''}"
    return labels


def gap_advice(found: Coding, usual: str) -> str:
    """Whether gaps pay: they do where most symbols are the usual one."""
    share = found.counts[found.usual] / found.counts.sum()
    return _(
        "The number above a bar is the distance to the entry before it; * marks a filler. The "
        "usual symbol, {usual}, is {share} of the layer: {reason}.",
        usual=usual,
        share=words.percent(share),
        reason=_("so gaps pay") if share > WORTH_GAPS else _("too few for gaps to pay"),
    )


def context_sentence(densities: NDArray[np.float64]) -> str:
    """How many classes there are, and how far apart they lie."""
    if densities.size == 1:
        return _(
            "One context for all: rows and columns of this layer look too much alike for tables "
            "of their own to pay."
        )
    rows, columns = densities.shape
    return _(
        "Some outputs and inputs keep more than others. Rows are sorted into {rows} and columns "
        "into {columns} classes, and each pair has a histogram of its own: in the emptiest {least} "
        "of the symbols are not the usual one, in the fullest {most}. ANS codes each symbol by the "
        "histogram of its pair.",
        rows=rows,
        columns=columns,
        least=words.percent(densities.min()),
        most=words.percent(densities.max()),
    )


@dataclass(frozen=True)
class Coders:
    """Every coder on some weights together, by its name: bits a weight, bytes, and for how many of
    the weights the file takes it, `taken` if for all."""

    names: list[str]
    bits: list[float]
    sizes: list[int]
    taken: list[bool]
    counts: list[int]


def coders(rows: Sequence[CodingRow]) -> Coders:
    """The coders of some weights; of several last what the file takes for each."""
    totals = coding_view.total_bytes(rows)
    known = [name for name in CODERS if name in totals]
    names, sizes = [_(CODERS[name]) for name in known], [totals[name] for name in known]
    counts = [[row.taken for row in rows].count(name) for name in known]
    if len(rows) > 1:
        names.append(_("the file: best of each"))
        sizes.append(sum(row.taken_bytes for row in rows))
        counts.append(len(rows))
    symbols = sum(row.symbols for row in rows)
    return Coders(
        names=names,
        bits=[8 * size / symbols for size in sizes],
        sizes=sizes,
        taken=[count == len(rows) for count in counts],
        counts=counts,
    )


def coders_caption(rows: Sequence[CodingRow], floats: Sequence[str]) -> str:
    """What the bars count, and why some may be shorter than the bound."""
    parts = [
        _(
            ":violet[In the file]; the others for comparison, each with its table. The bound holds "
            "for codes of single symbols with one histogram for each layer, not counting the "
            "table. Gap and context coding use more than that, and may be shorter."
        )
    ]
    if len(rows) > 1:
        n = sum(row.beside_bytes for row in rows)
        parts.append(_("{n:,} bytes of scales, codebooks or kept floats come on top of each.", n=n))
    if floats:
        listed = ", ".join(floats)
        parts.append(_("Stored as plain floats, and not counted here: {layers}.", layers=listed))
    return " ".join(parts)
