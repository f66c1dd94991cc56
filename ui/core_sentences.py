"""Sentences of the core in the reader's language.

The core speaks English and knows nothing of catalogs: a `ValueError` is one sentence, as the
command line and a log print it. The catalogs hold the templates of its sentences, found in its
code; here a sentence is matched against them, and its numbers and names are put into the
translation.
"""

import re
from functools import lru_cache

from ui import language

MOST_CHARACTERS = 2000  # a longer sentence quotes something: it stays as it is
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def of_core(sentence: object) -> str:
    """A sentence of the core, such as an error's, in the reader's language; as it is where no
    template fits."""
    return _translated(language.current(), str(sentence))


@lru_cache(maxsize=2048)
def _translated(spoken: str, sentence: str) -> str:
    texts = language.in_context(spoken, language.FROM_CORE)
    if not texts or len(sentence) > MOST_CHARACTERS:
        return sentence
    if sentence in texts:
        return texts[sentence]
    for pattern, text in _templates(spoken):
        if found := pattern.fullmatch(sentence):
            inner = {name: _translated(spoken, part) for name, part in found.groupdict().items()}
            return text.format(**inner)
    for mark in (": ", "; "):  # two sentences, or a name and what is said of it
        first, mark_found, second = sentence.partition(mark)
        if mark_found:
            return f"{_translated(spoken, first)}{mark}{_translated(spoken, second)}"
    return sentence


@lru_cache(maxsize=8)
def _templates(spoken: str) -> list[tuple[re.Pattern[str], str]]:
    """Each template as a pattern, the most telling first."""
    texts = language.in_context(spoken, language.FROM_CORE)
    with_values = [text for text in texts if PLACEHOLDER.search(text)]
    with_values.sort(key=lambda text: -len(PLACEHOLDER.sub("", text)))
    return [(_pattern(text), texts[text]) for text in with_values]


def _pattern(template: str) -> re.Pattern[str]:
    """What fits a template: its own words, and anything in the place of a placeholder."""
    parts = PLACEHOLDER.split(template)  # words, name, words, name, …, words
    words, names = parts[::2], parts[1::2]
    pattern = "".join(
        f"{re.escape(before)}(?P<{name}>.+?)" for before, name in zip(words, names, strict=False)
    )
    return re.compile(pattern + re.escape(words[-1]), re.DOTALL)
