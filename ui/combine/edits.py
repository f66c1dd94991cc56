"""An edited cell of the combine page → the recipe: the layer gets its own step, by the same method.

These values take a layer out of a method: 0 % of the channels or weights, the full rank or an empty
rank, 32 bits, an empty number of clusters.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from compress_core import Factorize, Prune, Quantize, Recipe
from compress_core.methods.low_rank import full_rank
from compress_core.methods.quantization import (
    FORMAT_BITS,
    MX_FORMATS,
    Binarize,
    QuantizeFloat,
    QuantizeGPTQ,
    QuantizeMX,
    Ternarize,
)
from compress_core.methods.structured import PruneStructured
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.recipe_edit import step_for
from compress_core.steps import AnyStep, row_of
from ui.language import N_
from ui.quantize.methods import FLOAT

Shapes = Mapping[str, tuple[int, ...]]
Write = Callable[[Recipe, str, str, AnyStep | None], Recipe]
# Columns of the table, by their English; the table shows their translations.
CHANNELS, PRUNE = N_("channels cut, %"), N_("pruned, %")
RANK, BITS, CLUSTERS = N_("rank"), N_("bits"), N_("clusters")


@dataclass(frozen=True)
class Cell:
    """An edit: the layer, the column, and the new value (None for an emptied cell)."""

    layer: str
    column: str
    value: Any


def edited(recipe: Recipe, cell: Cell, shapes: Shapes, write: Write) -> Recipe:
    """The recipe after one edit; `shapes` are those of all layers of the network as it is, and
    `write(recipe, kind, layer, step)` gives a layer a step of its own, or none."""
    kind, make = EDITS[cell.column]
    like = step_for(recipe, kind, cell.layer, shapes)
    step = make(like, cell.value, shapes[cell.layer])
    if step is not None and kind in EXCLUDE:  # a weight is stored either as codes or as indices
        other = EXCLUDE[kind]
        if step_for(recipe, other, cell.layer, shapes):
            recipe = write(recipe, other, cell.layer, None)
    return write(recipe, kind, cell.layer, step)


def _structured(like: AnyStep | None, percent: Any, _: tuple[int, ...]) -> AnyStep | None:
    ratio = round((percent or 0.0) / 100, 6)
    if not ratio:
        return None
    like = like if isinstance(like, PruneStructured) else PruneStructured(ratio)
    return replace(like, pruning_ratio=ratio)


def _pruned(like: AnyStep | None, percent: Any, _: tuple[int, ...]) -> AnyStep | None:
    """N:M and a threshold have no share that could be changed: they become magnitude pruning."""
    sparsity = round((percent or 0.0) / 100, 6)
    if not sparsity:
        return None
    if like is None or isinstance(like, Prune) or not row_of(like).has("sparsity"):
        return Prune(sparsity, scope="layer")
    changed: dict[str, Any] = {"sparsity": sparsity}
    return replace(like, **changed)


def _factorized(like: AnyStep | None, rank: Any, shape: tuple[int, ...]) -> AnyStep | None:
    like = like if isinstance(like, Factorize) else Factorize()
    full = full_rank(shape, like.form)
    if not rank or int(rank) == full:
        return None
    return replace(like, rank=int(rank), energy=None, budget=None)


def _coded(like: AnyStep | None, bits: Any, _: tuple[int, ...]) -> AnyStep | None:
    """A float method takes its first format with these bits; without one, affine takes over."""
    bits = int(bits or FLOAT)
    if bits == FLOAT:
        return None
    match like:
        case Quantize() | QuantizeGPTQ():
            return replace(like, bits=bits)
        case QuantizeFloat() if bits == FORMAT_BITS[like.format]:
            return like
        case QuantizeFloat() if bits in FORMAT_BITS.values():
            names = (name for name, width in FORMAT_BITS.items() if width == bits)
            return replace(like, format=next(names))
        case QuantizeMX() if bits == MX_FORMATS[like.format].bits:
            return like
        case QuantizeMX() if bits in {element.bits for element in MX_FORMATS.values()}:
            found = (name for name, element in MX_FORMATS.items() if element.bits == bits)
            return replace(like, format=next(found))
        case Binarize() if bits == 1:
            return like
        case Ternarize() if bits == 2:
            return like
    return Quantize(bits=bits)


def _shared(like: AnyStep | None, clusters: Any, _: tuple[int, ...]) -> AnyStep | None:
    if not clusters:
        return None
    like = like if isinstance(like, ShareWeights) else ShareWeights()
    return replace(like, clusters=int(clusters))


Make = Callable[[AnyStep | None, Any, tuple[int, ...]], AnyStep | None]
EDITS: dict[str, tuple[str, Make]] = {
    CHANNELS: ("structured", _structured),
    PRUNE: ("prune", _pruned),
    RANK: ("factorize", _factorized),
    BITS: ("quantize", _coded),
    CLUSTERS: ("share", _shared),
}
EXCLUDE = {"quantize": "share", "share": "quantize"}
