"""Answers about the weights of one layer."""

from compress_core.methods.low_rank import break_even_rank, parameter_count
from compress_core.methods.quantization import Quantize
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.views.codebooks import layer_sse, shared_codes
from compress_core.views.lookalikes import (
    cut_off_by_times_255,
    distinct_values,
    sse_of_values,
    with_max_norm,
    zeros_kept_without_zero_point,
)
from ui import words
from ui.encode import codings
from ui.encode.codings import Place
from ui.language import _
from ui.learn.answers.asked import Answer, Asked
from ui.session import caches

MAX_NORM = 0.5  # the limit of the lesson's constraint


def break_even(asked: Asked) -> Answer:
    """The break-even rank of the layer's pair. Facts: rows, columns, rank, pair, dense, more."""
    shape = caches.original(asked.model).layers[asked.layer].shape
    rank, (rows, columns) = break_even_rank(shape), (shape[0], shape[1])
    facts = (
        ("rows", f"{rows:,}"),
        ("columns", f"{columns:,}"),
        ("rank", f"{rank:,}"),
        ("pair", f"{parameter_count(shape, rank):,}"),
        ("dense", f"{rows * columns:,}"),
        ("more", f"{parameter_count(shape, rank + 1):,}"),
    )
    return Answer(rank, f"{rank:,}", facts)


def zeros_without_zero_point(asked: Asked) -> Answer:
    """The share of the layer's zeros that the formula of tutorials leaves zero, in %. Facts: kept,
    bits."""
    stored = caches.compressed(asked.model, asked.recipe).layers[asked.layer]
    weight, bits = stored.weights[0].values, Quantize(bits=4).bits
    kept = zeros_kept_without_zero_point(weight, bits)
    shown = words.percent(kept)
    return Answer(100 * kept, shown, (("kept", shown), ("bits", str(bits))))


def cut_off(asked: Asked) -> Answer:
    """The share of the layer's weights that round(w · 255) cuts off, in %. Facts: cut."""
    share = cut_off_by_times_255(caches.original(asked.model).layers[asked.layer].weight)
    return Answer(100 * share, words.percent(share), (("cut", words.percent(share)),))


def values_under_max_norm(asked: Asked) -> Answer:
    """How many different values the layer has under a max-norm constraint. Facts: values, weights,
    limit, shared: those of 16 clusters."""
    weight = caches.original(asked.model).layers[asked.layer].weight
    codes = caches.compressed(asked.model, (ShareWeights(clusters=16),)).layers[asked.layer]
    found = distinct_values(with_max_norm(weight, MAX_NORM))
    facts = (
        ("values", f"{found:,}"),
        ("weights", f"{weight.numel():,}"),
        ("limit", f"{MAX_NORM:g}"),
        ("shared", f"{distinct_values(codes.weights[0].values):,}"),
    )
    return Answer(found, f"{found:,}", facts)


def codebook_by_eye(asked: Asked) -> Answer:
    """The squared error of the predicted values, as a multiple of the optimum of as many. Facts:
    times, values: those of the optimum."""
    if not isinstance(asked.predicted, tuple):
        raise ValueError(
            _(
                "{predicted} is no list of values: write them one after the other",
                predicted=asked.predicted,
            )
        )
    step = ShareWeights(clusters=len(asked.predicted))
    before = caches.compressed(asked.model, ()).layers[asked.layer]
    after = caches.compressed(asked.model, (step,)).layers[asked.layer]
    found = sse_of_values(before.layer.weight, asked.predicted) / layer_sse(before, after)
    codebook = shared_codes(after)[0].codebook.tolist()
    best = "  ".join(f"{value:.3f}".replace("-", "−") for value in codebook)
    return Answer(found, best, (("times", f"{found:.2f}"), ("values", best)))


def huffman_bits(asked: Asked) -> Answer:
    """Bits a weight of the layer by Huffman, its table included. Facts: huffman, entropy, taken,
    taken_bits, zeros."""
    row = codings.row(Place(asked.model, asked.recipe, asked.layer, 0))
    sizes = dict(row.coder_bytes)
    bits, taken = (8 * size / row.symbols for size in (sizes["huffman"], row.taken_bytes))
    zeros = caches.size(asked.model, asked.recipe).sparsity
    facts = (
        ("huffman", f"{bits:.2f}"),
        ("entropy", f"{row.entropy_bits:.2f}"),
        ("taken", _(codings.CODERS[row.taken])),
        ("taken_bits", f"{taken:.2f}"),
        ("zeros", words.percent(zeros)),
    )
    return Answer(bits, f"{bits:.2f}", facts)
