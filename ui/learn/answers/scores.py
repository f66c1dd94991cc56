"""Answers about accuracy; a score is that of the whole test set."""

from compress_core import Recipe
from compress_core.measurement.accuracy import PairedDifference
from compress_core.measurement.scores import Score
from ui import words
from ui.language import _
from ui.learn.answers.asked import Answer, Asked, NotYet
from ui.session import caches, measuring

LEAST_WAIT_S = 0.3


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
        text = _("{n:,} of {wanted:,} test images are measured by now.", n=n, wanted=wanted)
        raise NotYet(after, text)
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
    lost = lost_points(scores(asked)[-1][1])
    return Answer(lost, f"{lost:.2f}", _facts(asked))


def _last(asked: Asked) -> Score:
    return scores(asked)[-1][0]


def _in_words(score: Score) -> str:
    return words.measured(score.metric, score.value, 2)


def _facts(asked: Asked) -> tuple[tuple[str, str], ...]:
    found, change = scores(asked)[-1]
    original = measuring.score(asked.model, (), found.n)[0]
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
