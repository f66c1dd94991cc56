"""Answers about single classes and images."""

from compress_core import load_dataset, measure
from ui import words
from ui.learn.answers.asked import Answer, Asked
from ui.learn.answers.scores import lost_points, whole_test_set
from ui.session import caches, measuring


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
    flipped = measuring.harm(asked.model, asked.recipe, n)[1]
    return Answer(len(flipped), f"{len(flipped):,}", most_hurt(asked).facts)


def wrong_in_training(asked: Asked) -> Answer:
    """How many of its training images the original gets wrong. Facts: wrong, n."""
    wrong, n = _training_mistakes(asked.model)
    return Answer(wrong, f"{wrong:,}", (("wrong", f"{wrong:,}"), ("n", f"{n:,}")))


@caches.keep(max_entries=8, show_spinner=False)
def _training_mistakes(model: str) -> tuple[int, int]:
    data = load_dataset(caches.data_name(model), split="train")
    found = measure(caches.compressed(model, ()), data).score
    return round((1 - found.value) * found.n), found.n
