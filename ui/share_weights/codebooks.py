"""What the page of shared weights shows, cached by model and recipe, and its sentences."""

import math
from collections.abc import Sequence
from typing import Any

import streamlit as st

from compress_core import Recipe
from compress_core.measurement.report import Size
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.recipe import before, split_stages
from compress_core.views import codebooks as codebook_view
from compress_core.views.codebooks import CodebookView, SharedRow, Sharing
from ui import words
from ui.language import N_, _, n_
from ui.session import caches, state

OWNERS = {
    "layer": N_("for each layer"),
    "model": N_("for each model"),
    "both": N_("for both models"),
}


@caches.keep(max_entries=128, show_spinner=False)
def view(model: str, recipe: Recipe, layer: str) -> CodebookView:
    before = caches.compressed(model, codebook_view.before_sharing(recipe)).layers[layer]
    return codebook_view.codebook_view(before, caches.compressed(model, recipe).layers[layer])


def rows(model: str, recipe: Recipe) -> tuple[SharedRow, ...]:
    """Each shared layer against the best codebook of its own."""
    with st.spinner(_("Searching for the optimum…")):
        return _rows(model, recipe)


@caches.keep_copies(max_entries=500, show_spinner=False)
def _rows(model: str, recipe: Recipe) -> tuple[SharedRow, ...]:
    before, after, best = (
        caches.compressed(model, steps).layers
        for steps in (
            codebook_view.before_sharing(recipe),
            recipe,
            codebook_view.best_sharing(recipe),
        )
    )
    return codebook_view.shared_rows(before, after, best)


def above_common(model: str, recipe: Recipe, together: tuple[str, ...]) -> float | None:
    """How far the error of layers with one codebook lies above that of their best one."""
    with st.spinner(_("Searching for the optimum…")):
        return _above_common(model, recipe, together)


@caches.keep_copies(max_entries=500, show_spinner=False)
def _above_common(model: str, recipe: Recipe, together: tuple[str, ...]) -> float | None:
    before, after, best = (
        caches.compressed(model, steps).layers
        for steps in (
            codebook_view.before_sharing(recipe),
            recipe,
            codebook_view.best_sharing(recipe, common=True),
        )
    )
    return codebook_view.above_together(together, before, after, best)


@caches.keep_copies(max_entries=100, show_spinner=False)
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
    layers = len(row.together)
    books = _("a codebook")
    if row.codebooks != 1:
        books = _("{n} codebooks, one a factor,", n=row.codebooks)
    return _(
        "{layer}: {weights:,} weights, {values:,} values: {bits} each plus {codebooks} of "
        "{bytes:,} bytes{common}.",
        layer=row.name,
        weights=row.weights,
        values=row.entries,
        bits=n_("1 bit", "{n} bits", row.bits),
        codebooks=books,
        bytes=row.codebook_bytes,
        common=_(", which {n} layers have in common", n=layers) if layers > 1 else "",
    )


def error_sentence(model: str, recipe: Recipe, row: SharedRow) -> str:
    """The squared error, and how far it lies above the optimum, alone and together."""
    numbers = {"error": row.sse, "above": above_optimum(row), "n": len(row.together)}
    if len(row.together) == 1:
        return _("Squared error {error:.4g}, {above}.", **numbers)
    common = compare(above_common(model, recipe, row.together), _("the optimum of one codebook"))
    return _(
        "Squared error {error:.4g}, {above} of its own. All {n} layers together: {common}.",
        **numbers,
        common=common,
    )


def above_optimum(row: SharedRow) -> str:
    """ "5 % above the optimum of 16 clusters", or that it is the optimum."""
    return compare(row.above_optimum, _("the optimum of {n:,} clusters", n=row.entries))


def compare(above: float | None, optimum: str) -> str:
    """How far an error lies above that of the optimum."""
    if above is None:
        return _("without a comparison: the optimum is searched for at most 256 clusters")
    if above < 0.0005:
        return optimum
    if math.isinf(above):
        return _("where {optimum} has none", optimum=optimum)
    if above >= 1:
        return _("{times:.1f} times {optimum}", times=1 + above, optimum=optimum)
    share = words.percent(above, 1 if above < 0.1 else 0)
    return _("{share} above {optimum}", share=share, optimum=optimum)


def layer_table(rows: Sequence[SharedRow], size: Size) -> dict[str, list[Any]]:
    """What sharing made of each layer; the bytes are those in the file."""
    stored = {row.name: row for row in size.layers}
    return {
        _("layer"): [row.name for row in rows],
        _("clusters"): [row.entries for row in rows],
        _("bits"): [row.bits for row in rows],
        _("SSE"): [row.sse for row in rows],
        _("against the optimum"): [above_optimum(row) for row in rows],
        _("SQNR, dB"): [stored[row.name].sqnr_db for row in rows],
        _("bytes"): [stored[row.name].bytes for row in rows],
        _("encoding"): [", ".join(stored[row.name].encodings) for row in rows],
    }


def quantities(names: Sequence[str]) -> list[str]:
    """What `numbers` are, for models of these names."""
    by_model = [
        text
        for name in names
        for text in (_("{model}, bytes of indices", model=name), _("{model}, SSE", model=name))
    ]
    return [_("number of codebooks"), _("bytes of codebooks"), *by_model, _("bytes together")]


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
    saved = _("saves {n:,} bytes", n=less) if less >= 0 else _("takes {n:,} bytes more", n=-less)
    if not sum(own.sse):
        return _(
            "One codebook for both {saved}; its error is {error:.4g}, that of two is 0.",
            saved=saved,
            error=sum(both.sse),
        )
    more = sum(both.sse) / sum(own.sse) - 1
    change = {"saved": saved, "share": words.percent(abs(more))}
    if more > 0:
        return _(
            "One codebook for both models {saved}, and makes {share} more squared error than two.",
            **change,
        )
    return _(
        "One codebook for both models {saved}, and makes {share} less squared error than two.",
        **change,
    )
