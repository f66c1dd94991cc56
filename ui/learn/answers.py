"""What lessons and links measure: small functions, each by its name in `ANSWERS`.

Nothing is typed in: a function asks the core, and gives the number in the unit of the prediction,
the number as one reads it, and facts in words for the sentence that explains it. Scores are those
of the whole test set.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from compress_core import Recipe, load_dataset, measure
from compress_core.jobs.work import Timing
from compress_core.measurement.accuracy import PairedDifference
from compress_core.measurement.scores import Score
from compress_core.methods.low_rank import break_even_rank, parameter_count
from compress_core.methods.quantization import Quantize
from compress_core.methods.weight_sharing import ShareWeights
from compress_core.recipe import format_recipe
from compress_core.views.codebooks import layer_sse, shared_codes
from compress_core.views.lookalikes import (
    cut_off_by_times_255,
    distinct_values,
    sse_of_values,
    with_max_norm,
    zeros_kept_without_zero_point,
)
from compress_core.wording.speed import speed_in_words
from ui import words
from ui.encode import codings
from ui.encode.codings import Place
from ui.panels.ledger import weighed
from ui.session import caches, jobs, measured, measuring

Predicted = float | tuple[float, ...]
MAX_NORM = 0.5  # the limit of the lesson's constraint
LOOK_S = 1.0  # between two looks at a job
LEAST_WAIT_S = 0.3


class NotYet(Exception):  # noqa: N818  # no error: the measurement is under way
    """What is asked is being measured; look again `after_s` seconds later."""

    def __init__(self, after_s: float, text: str) -> None:
        super().__init__(text)
        self.after_s = after_s


@dataclass(frozen=True)
class Asked:
    """What is to be measured: recipes of a model, each of which fits it; one of its layers; and
    what was predicted, for answers that judge it."""

    model: str
    recipes: tuple[Recipe, ...]
    layer: str
    predicted: Predicted = 0.0

    @property
    def recipe(self) -> Recipe:
        return self.recipes[-1]


@dataclass(frozen=True)
class Answer:
    """`value` in the unit of the prediction, or the option that is right, counted from 0; `shown`
    as one reads it; `facts` as (name, words) pairs for the sentence behind it."""

    value: float
    shown: str
    facts: tuple[tuple[str, str], ...] = ()


def largest_layer(model: str) -> str:
    layers = caches.original(model).layers
    return max(layers, key=lambda name: layers[name].weight.numel())


# --- bytes ---


def file_kb(asked: Asked) -> Answer:
    """KB of the stored file. Facts: size, original, ratio, zeros."""
    size = caches.size(asked.model, asked.recipe)
    facts = (
        ("size", words.byte_size(size.stored_bytes)),
        ("original", words.byte_size(size.original_bytes)),
        ("ratio", words.ratio(size.compression_ratio)),
        ("zeros", words.percent(size.sparsity)),
    )
    return Answer(size.stored_bytes / 1000, words.byte_size(size.stored_bytes), facts)


def ledger_kb(asked: Asked, row: str) -> Answer:
    """KB of the same weights in the ledger's `row`. Facts: size, container, zeros."""
    sizes = {r.name: r.total_bytes for r in weighed(asked.model, asked.recipe, with_onnx=False)}
    found = sizes[row]
    if found is None:
        raise ValueError(f"{row} does not apply to {asked.model} with this recipe")
    size = caches.size(asked.model, asked.recipe)
    facts = (
        ("size", words.byte_size(found)),
        ("container", words.byte_size(size.stored_bytes)),
        ("zeros", words.percent(size.sparsity)),
    )
    return Answer(found / 1000, words.byte_size(found), facts)


def ratio(asked: Asked) -> Answer:
    """How many times smaller the file is. Facts: those of `file_kb`."""
    size = caches.size(asked.model, asked.recipe)
    shown = words.ratio(size.compression_ratio)
    return Answer(size.compression_ratio, shown, file_kb(asked).facts)


def sparsity_percent(asked: Asked) -> Answer:
    """Zeros among the stored weights, in %. Facts: zeros, size."""
    size = caches.size(asked.model, asked.recipe)
    zeros = words.percent(size.sparsity)
    facts = (("zeros", zeros), ("size", words.byte_size(size.stored_bytes)))
    return Answer(100 * size.sparsity, zeros, facts)


def macs_percent(asked: Asked) -> Answer:
    """MACs that are left, in %. Facts: macs, original."""
    size = caches.size(asked.model, asked.recipe)
    share = size.macs / size.original_macs
    facts = (("macs", words.count(size.macs)), ("original", words.count(size.original_macs)))
    return Answer(100 * share, words.percent(share), facts)


# --- scores ---


def whole_test_set(model: str, *recipes: Recipe) -> int:
    """The number of all test images, when all these are measured on them; NotYet before. Raises
    ValueError where there are none."""
    problem = measuring.data_problem(model)
    if problem:
        raise ValueError(problem)
    n = measuring.measured_size(model, *recipes, patience_s=measuring.WAIT_S)
    problem = measuring.problem(model, *recipes)
    if problem:
        raise ValueError(problem)
    wanted = measuring.test_size(model)
    if n < wanted:
        after = max([LEAST_WAIT_S, *(measuring.next_in_s(model, r, n) or 0 for r in recipes)])
        raise NotYet(after, f"{n:,} of {wanted:,} test images are measured by now.")
    return n


def scores(asked: Asked) -> list[tuple[Score, PairedDifference]]:
    n = whole_test_set(asked.model, *asked.recipes)
    return [measuring.score(asked.model, recipe, n) for recipe in asked.recipes]


def lost_points(change: PairedDifference) -> float:
    """Percentage points lost, negative where some were won."""
    return -100 * change.difference + 0.0  # no -0.0


def accuracy_percent(asked: Asked) -> Answer:
    """Right answers in %. Facts: accuracy, before, lost, n, size."""
    return Answer(100 * _last(asked).value, _in_words(_last(asked)), _facts(asked))


def points_lost(asked: Asked) -> Answer:
    """Percentage points lost against the original. Facts: those of `accuracy_percent`."""
    _, change = scores(asked)[-1]
    lost = lost_points(change)
    return Answer(lost, f"{lost:.2f}", _facts(asked))


def _last(asked: Asked) -> Score:
    return scores(asked)[-1][0]


def _in_words(score: Score) -> str:
    return words.measured(score.metric, score.value, 2)


def _facts(asked: Asked) -> tuple[tuple[str, str], ...]:
    found, change = scores(asked)[-1]
    original, _ = measuring.score(asked.model, (), found.n)
    size = caches.size(asked.model, asked.recipe)
    return (
        ("accuracy", _in_words(found)),
        ("before", _in_words(original)),
        ("lost", f"{lost_points(change):.2f}"),
        ("images", f"{change.lost or 0:,}"),
        ("n", f"{found.n:,}"),
        ("size", words.byte_size(size.stored_bytes)),
        ("zeros", words.percent(size.sparsity)),
    )


def best_score(asked: Asked) -> Answer:
    """Which of the recipes is right most often, the first of equals. Facts: score_1, score_2, …,
    size_1, …"""
    found = [score for score, _ in scores(asked)]
    best = max(range(len(found)), key=lambda i: found[i].value)
    shown = list(map(_in_words, found))
    sizes = [caches.size(asked.model, recipe).stored_bytes for recipe in asked.recipes]
    facts = [(f"score_{i}", text) for i, text in enumerate(shown, 1)]
    facts += [(f"size_{i}", words.byte_size(size)) for i, size in enumerate(sizes, 1)]
    return Answer(best, shown[best], tuple(facts))


def most_hurt(asked: Asked) -> Answer:
    """The class that loses most. Facts: name, before, after, flipped, lost."""
    n = whole_test_set(asked.model, asked.recipe)
    rows, flipped = measuring.harm(asked.model, asked.recipe, n)
    worst, names = rows[0], measuring.test_images(asked.model, n).class_names
    change = measuring.change(asked.model, (), asked.recipe, n)
    facts = (
        ("name", worst.name),
        ("before", words.percent(worst.accuracy_before)),
        ("after", words.percent(worst.accuracy_after)),
        ("flipped", f"{len(flipped):,}"),
        ("lost", f"{lost_points(change):.2f}"),
    )
    return Answer(names.index(worst.name), worst.name, facts)


def answers_changed(asked: Asked) -> Answer:
    """How many test images get another answer. Facts: those of `most_hurt`."""
    n = whole_test_set(asked.model, asked.recipe)
    _, flipped = measuring.harm(asked.model, asked.recipe, n)
    return Answer(len(flipped), f"{len(flipped):,}", most_hurt(asked).facts)


def wrong_in_training(asked: Asked) -> Answer:
    """How many of its training images the original gets wrong. Facts: wrong, n."""
    wrong, n = _training_mistakes(asked.model)
    return Answer(wrong, f"{wrong:,}", (("wrong", f"{wrong:,}"), ("n", f"{n:,}")))


@caches.keep(max_entries=8, show_spinner="Answering the training images…")
def _training_mistakes(model: str) -> tuple[int, int]:
    data = load_dataset(caches.dataset_name(model), split="train")
    found = measure(caches.compressed(model, ()), data).score
    return round((1 - found.value) * found.n), found.n


# --- time ---


def speedup(asked: Asked) -> Answer:
    """Time before / after in onnxruntime, measured as a job. Facts: macs, before, after, why."""
    found = measured.speed(asked.model, asked.recipe)
    if found is None:
        raise _timing(Timing(asked.model, format_recipe(asked.recipe)))
    facts = (
        ("macs", words.percent(1 / found.promise)),
        ("before", f"{found.before.latency_ms_p50:.3g} ms"),
        ("after", f"{found.after.latency_ms_p50:.3g} ms"),
        ("why", speed_in_words(found)),
    )
    return Answer(found.speedup, f"{found.speedup:.2f}", facts)


def _timing(work: Timing) -> NotYet:
    """Have it measured, once for everybody. Raises ValueError where it cannot be."""
    job = jobs.job_of(work)
    if job is None:
        jobs.submit(work)
    elif not job.unfinished:
        raise ValueError(f"the latency cannot be measured: {job.reason}")
    return NotYet(LOOK_S, "The latency is being measured, which takes seconds.")


# --- weights of one layer ---


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
        raise ValueError(f"{asked.predicted} is no list of values: write them one after the other")
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
        ("taken", codings.CODERS[row.taken]),
        ("taken_bits", f"{taken:.2f}"),
        ("zeros", words.percent(zeros)),
    )
    return Answer(bits, f"{bits:.2f}", facts)


ANSWERS: dict[str, Callable[[Asked], Answer]] = {
    "file_kb": file_kb,
    "dense_kb": partial(ledger_kb, row="dense fp32"),
    "gzip_kb": partial(ledger_kb, row="gzip -9"),
    "ratio": ratio,
    "sparsity_percent": sparsity_percent,
    "macs_percent": macs_percent,
    "accuracy_percent": accuracy_percent,
    "points_lost": points_lost,
    "best_score": best_score,
    "most_hurt": most_hurt,
    "answers_changed": answers_changed,
    "wrong_in_training": wrong_in_training,
    "speedup": speedup,
    "break_even": break_even,
    "zeros_without_zero_point": zeros_without_zero_point,
    "cut_off": cut_off,
    "values_under_max_norm": values_under_max_norm,
    "codebook_by_eye": codebook_by_eye,
    "huffman_bits": huffman_bits,
}
