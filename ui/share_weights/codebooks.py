"""What the page of shared weights shows, cached by model and recipe, and its sentences."""

import math
from collections.abc import Sequence
from typing import Any

from compress_core import Recipe
from compress_core.measurement.report import Size
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.recipe import before, split_stages
from compress_core.views import codebooks as codebook_view
from compress_core.views.codebooks import CodebookView, SharedRow, Sharing
from ui import words
from ui.session import caches, state

OWNERS = {
    "layer": "each layer",
    "model": "each model",
    "both": "both models",
}


@caches.keep(max_entries=128, show_spinner=False)
def view(model: str, recipe: Recipe, layer: str) -> CodebookView:
    before = caches.compressed(model, codebook_view.before_sharing(recipe)).layers[layer]
    return codebook_view.codebook_view(before, caches.compressed(model, recipe).layers[layer])


@caches.keep_copies(max_entries=500, show_spinner="Searching for the optimum…")
def rows(model: str, recipe: Recipe) -> tuple[SharedRow, ...]:
    """Each shared layer against the best codebook of its own."""
    before, after, best = (
        caches.compressed(model, steps).layers
        for steps in (
            codebook_view.before_sharing(recipe),
            recipe,
            codebook_view.best_sharing(recipe),
        )
    )
    return codebook_view.shared_rows(before, after, best)


@caches.keep_copies(max_entries=500, show_spinner="Searching for the optimum…")
def above_common(model: str, recipe: Recipe, together: tuple[str, ...]) -> float | None:
    """How far the error of layers with one codebook lies above that of their best one."""
    before, after, best = (
        caches.compressed(model, steps).layers
        for steps in (
            codebook_view.before_sharing(recipe),
            recipe,
            codebook_view.best_sharing(recipe, common=True),
        )
    )
    return codebook_view.above_together(together, before, after, best)


@caches.keep_copies(
    max_entries=100,
    show_spinner="Clustering the weights of both models…",
)
def owners(first: str, second: str, recipe: Recipe, step: ShareWeights) -> tuple[Sharing, ...]:
    """Codebooks for layers, for models, for both; each model as far as `recipe` fits it."""
    models = {
        name: caches.compressed(name, state.split_fitting(name, recipe).recipe).layers
        for name in (first, second)
    }
    return codebook_view.compare_owners(models, step)


def unshared(recipe: Recipe) -> Recipe:
    """The steps that act before weights are shared."""
    *done, stage = split_stages(before(recipe, "share"))
    others = tuple(step for step in stage if step.kind != "quantize")  # either of them stores it
    return (*(step for earlier in done for step in earlier), *others)


def sentences(model: str, recipe: Recipe, layer: str) -> tuple[str, str]:
    """How a shared layer is stored, and its squared error."""
    row = next(row for row in rows(model, recipe) if row.name == layer)
    return storage_sentence(row), error_sentence(model, recipe, row)


def storage_sentence(row: SharedRow) -> str:
    """ "400,000 weights, 16 values: 4 bits each plus a codebook of 64 bytes"."""
    bits = f"{row.bits} bit{'s' * (row.bits != 1)}"
    layers = len(row.together)
    common = f", which {layers} layers have in common" if layers > 1 else ""
    books = "a codebook" if row.codebooks == 1 else f"{row.codebooks} codebooks, one a factor,"
    return (
        f"{row.name}: {row.weights:,} weights, {row.entries:,} values: {bits} each plus {books} "
        f"of {row.codebook_bytes:,} bytes{common}."
    )


def error_sentence(model: str, recipe: Recipe, row: SharedRow) -> str:
    """The squared error, and how far it lies above the optimum, alone and together."""
    text = f"Squared error {row.sse:.4g}, {above_optimum(row)}"
    if len(row.together) == 1:
        return f"{text}."
    common = compare(above_common(model, recipe, row.together), "the optimum of one codebook")
    return f"{text} of its own. All {len(row.together)} layers together: {common}."


def above_optimum(row: SharedRow) -> str:
    """ "5 % above the optimum of 16 clusters", or that it is the optimum."""
    return compare(row.above_optimum, f"the optimum of {row.entries:,} clusters")


def compare(above: float | None, optimum: str) -> str:
    """How far an error lies above that of the optimum."""
    if above is None:
        return "without a comparison: the optimum is searched for at most 256 clusters"
    if above < 0.0005:
        return optimum
    if math.isinf(above):
        return f"where {optimum} has none"
    if above >= 1:
        return f"{1 + above:.1f} times {optimum}"
    return f"{words.percent(above, 1 if above < 0.1 else 0)} above {optimum}"


def layer_table(rows: Sequence[SharedRow], size: Size) -> dict[str, list[Any]]:
    """What sharing made of each layer; the bytes are those in the file."""
    stored = {row.name: row for row in size.layers}
    return {
        "layer": [row.name for row in rows],
        "clusters": [row.entries for row in rows],
        "bits": [row.bits for row in rows],
        "SSE": [row.sse for row in rows],
        "against the optimum": [above_optimum(row) for row in rows],
        "SQNR, dB": [stored[row.name].sqnr_db for row in rows],
        "bytes": [stored[row.name].bytes for row in rows],
        "encoding": [", ".join(stored[row.name].encodings) for row in rows],
    }


def quantities(names: Sequence[str]) -> list[str]:
    """What `numbers` are, for models of these names."""
    by_model = [f"{name}, {what}" for name in names for what in ("bytes of indices", "SSE")]
    return ["number of codebooks", "bytes of codebooks", *by_model, "bytes together"]


def numbers(way: Sharing) -> list[str]:
    """Bytes and errors of one way to give codebooks."""
    pairs = zip(way.index_bytes, way.sse, strict=True)
    by_model = [text for size, error in pairs for text in (f"{size:,}", f"{error:.4g}")]
    codebooks = (str(way.codebooks), f"{way.codebook_bytes:,}")
    return [*codebooks, *by_model, f"{way.total_bytes:,}"]


def saving(found: tuple[Sharing, ...]) -> str:
    """What one codebook for both models saves against one for each, and what it costs."""
    own, both = (next(way for way in found if way.owner == owner) for owner in ("model", "both"))
    less = own.total_bytes - both.total_bytes
    saved = f"saves {less:,} bytes" if less >= 0 else f"takes {-less:,} bytes more"
    if not sum(own.sse):
        return f"One codebook for both {saved}; its error is {sum(both.sse):.4g}, that of two is 0."
    more = sum(both.sse) / sum(own.sse) - 1
    change = f"{words.percent(abs(more))} {'more' if more > 0 else 'less'}"
    return f"One codebook for both models {saved}, and makes {change} squared error than two."
