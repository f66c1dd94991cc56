"""Shared weights, prepared for drawing: a layer with its codebook, its squared error against the
optimum, and what one codebook for several layers or models saves and costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from compress_core.methods.weight_sharing import (
    Shared,
    ShareWeights,
    codebook_usage,
    share_across,
    sse,
)
from compress_core.recipe import Recipe, without_kinds
from compress_core.storage.streams import weight_of
from compress_core.stored import StoredLayer, StoredLayers

SURE_CLUSTERS = 256  # up to here the search's result lies within 0.02 % of the least error
BINS = 121


def before_sharing(recipe: Recipe) -> Recipe:
    """The steps whose result is shared: all but sharing itself."""
    return without_kinds(recipe, ("share",))


def best_sharing(recipe: Recipe, *, common: bool = False) -> Recipe:
    """The same recipe with the best codebooks of as many clusters, up to SURE_CLUSTERS: one for
    each layer, or, if `common`, one for the layers that share one now."""

    def best(step: ShareWeights) -> ShareWeights:
        return replace(step, init="optimal", scope=step.scope if common else "layer")

    return tuple(
        best(step) if isinstance(step, ShareWeights) and step.clusters <= SURE_CLUSTERS else step
        for step in recipe
    )


@dataclass(frozen=True)
class SharedRow:
    """One shared layer, in factors or not.

    `entries` and nominal `bits` of an index are those of its first codebook, `together` the layers
    that use this one. `sse` is Σ (w - w')², `above_optimum` the fraction by which it exceeds the
    least sse of as many clusters (None beyond SURE_CLUSTERS, inf if the least is 0).
    """

    name: str
    weights: int
    entries: int
    bits: int
    codebooks: int
    codebook_bytes: int
    together: tuple[str, ...]
    sse: float
    above_optimum: float | None


def shared_rows(
    before: StoredLayers, after: StoredLayers, best: StoredLayers
) -> tuple[SharedRow, ...]:
    """A row for each shared layer of `after`; `best` is made by `best_sharing`."""
    codes = {name: shared_codes(stored) for name, stored in after.items()}
    books = {name: found[0].codebook for name, found in codes.items() if found}
    return tuple(
        _shared_row(
            before[name],
            after[name],
            best[name],
            tuple(other for other, its_book in books.items() if its_book is book),
        )
        for name, book in books.items()
    )


def _shared_row(
    before: StoredLayer, after: StoredLayer, best: StoredLayer, together: tuple[str, ...]
) -> SharedRow:
    codes = shared_codes(after)
    entries = codes[0].codebook.numel()
    books = {id(shared.codebook): shared.codebook.nbytes for shared in codes}
    found, least = layer_sse(before, after), layer_sse(before, best)
    return SharedRow(
        name=after.layer.name,
        weights=sum(shared.indices.numel() for shared in codes),
        entries=entries,
        bits=codes[0].bits,
        codebooks=len(books),
        codebook_bytes=sum(books.values()),
        together=together,
        sse=found,
        above_optimum=above(found, least) if entries <= SURE_CLUSTERS else None,
    )


def above_together(
    names: Sequence[str], before: StoredLayers, after: StoredLayers, best: StoredLayers
) -> float | None:
    """The fraction by which the error of some layers together lies above that of `best`; None
    where a codebook has more than SURE_CLUSTERS entries."""
    if any(s.codebook.numel() > SURE_CLUSTERS for name in names for s in shared_codes(after[name])):
        return None
    found, least = (
        sum(layer_sse(before[name], layers[name]) for name in names) for layers in (after, best)
    )
    return above(found, least)


def shared_codes(stored: StoredLayer) -> list[Shared]:
    """The codes of a shared layer, one for each of its factors."""
    return [weight.codes for weight in stored.weights if isinstance(weight.codes, Shared)]


def layer_sse(before: StoredLayer, after: StoredLayer) -> float:
    """Σ (w - w')² over the layer's weight, or over its factors."""
    pairs = zip(before.weights, shared_codes(after), strict=True)
    return sum(sse(weight.values, shared) for weight, shared in pairs)


def above(found: float, least: float) -> float:
    """The fraction by which a squared error lies above the least: 0 where it is the least."""
    if found <= least:
        return 0.0
    return found / least - 1 if least else float("inf")


@dataclass(frozen=True, eq=False)
class CodebookView:
    """Histogram of the weights before sharing, zeros with an entry of their own left out (`zeros`
    says how many), and the codebook (k,) with the usage of each entry; empty if not shared."""

    counts: NDArray[np.int64]
    edges: NDArray[np.float64]
    zeros: int
    codebook: NDArray[np.float32]
    usage: NDArray[np.int64]


def codebook_view(before: StoredLayer, after: StoredLayer) -> CodebookView:
    """The view of a layer's weight, or of its last factor, which has the layer's own outputs."""
    values, codes = before.weights[-1].values.numpy().ravel(), after.weights[-1].codes
    if not isinstance(codes, Shared):
        counts, edges = np.histogram(values, BINS)
        return CodebookView(counts, edges, 0, np.zeros(0, np.float32), np.zeros(0, np.int64))
    apart = values == 0 if (codes.codebook == 0).any() else np.zeros(values.size, bool)
    counts, edges = np.histogram(values[~apart], BINS)
    usage = codebook_usage(codes)
    return CodebookView(counts, edges, int(apart.sum()), codes.codebook.numpy(), usage)


@dataclass(frozen=True)
class Sharing:
    """Codebooks for each `owner`: "layer", "model", or "both" models together.

    `index_bytes` and `sse` (Σ (w - w')²) belong to the models, in their order; `codebooks` are
    counted once each, however many weights use them.
    """

    owner: str
    index_bytes: tuple[int, ...]
    sse: tuple[float, ...]
    codebooks: int
    codebook_bytes: int

    @property
    def total_bytes(self) -> int:
        return sum(self.index_bytes) + self.codebook_bytes


def compare_owners(models: Mapping[str, StoredLayers], step: ShareWeights) -> tuple[Sharing, ...]:
    """A codebook for each layer, for each model, and one for all models, by the same settings.

    The layers are those before sharing; indices are counted in their smallest encoding.
    """
    weights = [[w.values for s in layers.values() for w in s.weights] for layers in models.values()]
    flat = [values for model in weights for values in model]
    by_layer = [[share_across([values], step)[0] for values in model] for model in weights]
    by_model = [share_across(model, step) for model in weights]
    together = iter(share_across(flat, step))
    for_both = [[next(together) for _ in model] for model in weights]
    ways = {"layer": by_layer, "model": by_model, "both": for_both}
    return tuple(_sharing(owner, weights, codes) for owner, codes in ways.items())


def _sharing(owner: str, weights: list[list[Tensor]], codes: list[list[Shared]]) -> Sharing:
    books = {id(s.codebook): s.codebook.nbytes for model in codes for s in model}
    pairs = [list(zip(w, c, strict=True)) for w, c in zip(weights, codes, strict=True)]
    return Sharing(
        owner=owner,
        index_bytes=tuple(sum(map(index_bytes, model)) for model in codes),
        sse=tuple(sum(sse(w, shared) for w, shared in model) for model in pairs),
        codebooks=len(books),
        codebook_bytes=sum(books.values()),
    )


def index_bytes(shared: Shared) -> int:
    """Bytes of the indices in their smallest encoding, the codebook not counted."""
    return weight_of(shared).streams.tensors["codes"].nbytes
