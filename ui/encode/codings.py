"""What the page of entropy coding shows, cached by model and recipe, and its words."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from compress_core import Recipe
from compress_core.views import coding as coding_view
from compress_core.views.coding import Coding, CodingRow, GapPiece
from compress_core.views.huffman_codes import HuffmanCode, huffman_code
from ui import words
from ui.session import caches

CODERS = {  # a coder's name in words
    "packed": "packed, fixed width",
    "huffman": "Huffman",
    "ans": "ANS",
    "context": "context ANS",
    "gap_huffman": "gaps + Huffman",
    "gap_ans": "gaps + ANS",
    "masked": "bitmask + packed",
    "masked_ans": "mask by ANS + packed",
    "adaptive": "adaptive",
}
WORTH_GAPS = 0.7  # share of the usual symbol from which gaps are about as short as Huffman
MEANINGS = {  # what a symbol stands for, as the title of an axis
    "code": "code q of the quantizer",
    "entry": "entry of the codebook",
    "float": "float, in units of its scale",
    "sign": "sign, in units of its scale",
    "mask": "bit of the mask",
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


@caches.keep_copies(max_entries=500, show_spinner="Coding every layer in every way…")
def rows(model: str, recipe: Recipe) -> tuple[CodingRow, ...]:
    return coding_view.coding_rows(caches.compressed(model, recipe))


@caches.keep_copies(max_entries=500, show_spinner="Coding the layer in every way…")
def row(place: Place) -> CodingRow:
    return coding_view.coding_row(place.layer, coding(place))


@caches.keep(max_entries=64, show_spinner=False)
def huffman(place: Place) -> HuffmanCode:
    return huffman_code(coding(place), FIRST_SYMBOLS)


@caches.keep_copies(max_entries=200, show_spinner=False)
def best_gap_bits(place: Place) -> int:
    return coding_view.best_gap_bits(coding(place))


@caches.keep_copies(
    max_entries=200,
    show_spinner="Finding the classes of rows and columns…",
)
def contexts(place: Place) -> NDArray[np.float64]:
    return coding_view.context_densities(coding(place))


def names(found: Coding) -> list[str]:
    """What each symbol stands for, short enough for an axis."""
    if found.meaning == "mask":
        return ["pruned", "kept"]
    if found.meaning in {"code", "sign"}:
        return [f"{value:.0f}" for value in found.meanings]
    return [f"{value:.3g}" for value in found.meanings]


def axis(found: Coding) -> str:
    """What the symbols are, as the title of an axis."""
    return MEANINGS[found.meaning]


def layer_sentence(layer: str, found: Coding, row: CodingRow) -> str:
    """How many symbols of how many kinds, and what they take: packed, at least, in the file."""
    kinds, n = int(np.count_nonzero(found.counts)), row.symbols
    packed = 8 * dict(row.coder_bytes)["packed"] / n
    what = "bits of its mask" if found.meaning == "mask" else f"symbols of {kinds:,} kinds"
    return (
        f"**{layer}**: {n:,} {what}: {packed:.2f} bits each when packed, {row.entropy_bits:.3f} by "
        f"their entropy. The file takes :violet[**{CODERS[row.taken]}**]: "
        f"{8 * row.taken_bytes / n:.3f} bits, {row.taken_bytes:,} bytes, and {beside(found)}."
    )


def beside(found: Coding) -> str:
    """What is stored beside the symbols, whatever the coder."""
    thing = {"entry": "of the codebook", "mask": "of kept floats"}
    return f"{found.beside_bytes:,} bytes {thing.get(found.meaning, 'of scales')}"


def gap_sentence(piece: GapPiece, best: int) -> str:
    """What the piece costs in entries instead of symbols."""
    fillers, n = int(piece.is_filler.sum()), len(piece.symbols)
    entries = f"{len(piece.places)} entries" + (f", {fillers} of them fillers," if fillers else "")
    far = 2**piece.bits
    return (
        f"Of {n} weights from number {piece.start:,} on, {entries} are stored: the distance to "
        f"the entry before, in {piece.bits} bits, and the symbol. A distance beyond {far} gets a "
        f"filler every {far} weights. For the whole layer {best} bits are the best."
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
    reason = "so gaps pay" if share > WORTH_GAPS else "too few for gaps to pay"
    return (
        f"The number above a bar is the distance to the entry before it; * marks a filler. The "
        f"usual symbol, {usual}, is {words.percent(share)} of the layer: {reason}."
    )


def context_sentence(densities: NDArray[np.float64]) -> str:
    """How many classes there are, and how far apart they lie."""
    if densities.size == 1:
        return (
            "One context for all: rows and columns of this layer look too much alike for tables "
            "of their own to pay."
        )
    rows, columns = densities.shape
    return (
        f"Some outputs and inputs keep more than others. Rows are sorted into {rows} and columns "
        f"into {columns} classes, and each pair has a histogram of its own: in the emptiest "
        f"{words.percent(densities.min())} of the symbols are not the usual one, in the fullest "
        f"{words.percent(densities.max())}. ANS codes each symbol by the histogram of its pair."
    )


def coder_table(rows: Sequence[CodingRow]) -> dict[str, list[Any]]:
    """Every coder on some weights together: bits a weight, bytes, and for how many of the weights
    the file takes it; of several weights last what the file takes for each."""
    sizes = coding_view.total_bytes(rows)
    found = [
        (CODERS[name], sizes[name], [r.taken for r in rows].count(name))
        for name in CODERS
        if name in sizes
    ]
    if len(rows) > 1:
        found.append(("the file: best of each", sum(row.taken_bytes for row in rows), len(rows)))
    symbols = sum(row.symbols for row in rows)
    return {
        "coder": [name for name, _, _ in found],
        "bits per weight": [8 * size / symbols for _, size, _ in found],
        "bytes": [size for _, size, _ in found],
        "in the file": [count == len(rows) for _, _, count in found],
        "layers": [count for _, _, count in found],
    }


def coders_caption(rows: Sequence[CodingRow], floats: Sequence[str]) -> str:
    """What the bars count, and why some may be shorter than the bound."""
    text = (
        ":violet[In the file]; the others for comparison, each with its table. The bound holds for "
        "codes of single symbols with one histogram for each layer, not counting the table. "
        "Gap and context coding use more than that, and may be shorter."
    )
    if len(rows) > 1:
        beside = sum(row.beside_bytes for row in rows)
        text += f" {beside:,} bytes of scales, codebooks or kept floats come on top of each."
    if floats:
        text += f" Stored as plain floats, and not counted here: {', '.join(floats)}."
    return text
