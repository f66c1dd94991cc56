"""Sentences of the core in the reader's language.

The core speaks English and knows nothing of catalogs: a `ValueError` is one sentence, as the
command line and a log print it. The catalogs hold the templates of its sentences, found in its
code; here a sentence is matched against them, and its numbers and names are put into the
translation. What stands in a placeholder may be a sentence, too.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from typing import NamedTuple

from ui import language

MOST_CHARACTERS = 2000  # a longer sentence quotes something: it stays as it is
MOST_PARTS = 100  # of a sentence; what is beyond stays as it is
MOST_PLACES = 8  # at which a sentence may end and another one begin
MOST_FITTING = 4  # templates that are compared
PLACEHOLDER = re.compile(r"\{(\w+)\}")
# Sentences that the core joins, and the words that it puts into others; the catalogs hold them, too
JOINED = {mark: f"{{first}}{mark}{{second}}" for mark in ("; ", ": ", " and ")}
WORDS = (
    *("a number", "gradient", "gradients", "inputs", "it", "labels", "layer", "none", "norms"),
    *("outputs", "tensor", "timing"),
    *("queued", "running", "done", "failed", "cancelled"),
)
WIDE = "[\u2018-\u201d\u3000-\u9fff\uff00-\uffef]"  # characters that need no space between them
BETWEEN_WIDE = re.compile(f"(?<={WIDE}) (?={WIDE})")
AFTER_NAME = re.compile(r"(\S*[^\s,;:](?: \(\w+\))? )(.+)", re.DOTALL)  # "fc1 (Linear) has no bias"
NAME = r"(?:\([^()]*\)(?: \w+)?|[\w./]+)"  # of a layer; or a shape, and its type
NAMES = re.compile(f"{NAME}(?: and {NAME})+")


def of_core(sentence: object) -> str:
    """A sentence of the core, such as an error's, in the reader's language; as it is where no
    template fits."""
    return _translated(language.current(), str(sentence))


@lru_cache(maxsize=2048)
def _translated(spoken: str, sentence: str) -> str:
    texts = language.in_context(spoken, language.FROM_CORE)
    if not texts or len(sentence) > MOST_CHARACTERS:
        return sentence
    templates = [template for template in _templates(spoken) if template.longest in sentence]
    return BETWEEN_WIDE.sub("", _Reader(texts, templates).known(sentence).text)


@dataclass(frozen=True)
class Template:
    """A text with placeholders, as the words between them, and its translation."""

    words: tuple[str, ...]
    names: tuple[str, ...]
    translation: str

    @cached_property
    def longest(self) -> str:
        return max(self.words, key=len)

    @cached_property
    def size(self) -> int:
        """The characters of its words."""
        return sum(map(len, self.words))

    def values(self, sentence: str) -> dict[str, str] | None:
        """What stands in the placeholders of a sentence that fits; None for another.

        Each word is sought once, from the left, so that this takes no longer than reading.
        """
        first, *between, last = self.words
        at, end = len(first), len(sentence) - len(last)
        if at > end or not (sentence.startswith(first) and sentence.endswith(last)):
            return None
        values = []
        for word in between:
            found = sentence.find(word, at, end)
            if found < 0:
                return None
            values.append(sentence[at:found])
            at = found + len(word)
        named = dict(zip(self.names, [*values, sentence[at:end]], strict=True))
        return named if all(_is_possible(*pair) for pair in named.items()) else None


def template_of(text: str, translation: str) -> Template:
    parts = PLACEHOLDER.split(text)  # words, name, words, name, …, words
    return Template(tuple(parts[::2]), tuple(parts[1::2]), translation)


def _is_possible(name: str, value: str) -> bool:
    """Whether a placeholder may hold a value: a length is a number."""
    return not name.startswith("len_") or value.replace(",", "").isdecimal()


@lru_cache(maxsize=8)
def _templates(spoken: str) -> list[Template]:
    """The most telling first."""
    texts = language.in_context(spoken, language.FROM_CORE)
    with_values = [text for text in texts if PLACEHOLDER.search(text)]
    found = [template_of(text, texts[text]) for text in with_values if text not in JOINED.values()]
    return sorted(found, key=lambda template: -template.size)


class Found(NamedTuple):
    """What is said of a part of a sentence, and how many of its characters are known."""

    size: int
    text: str


class _Reader:
    """Reads one sentence: of all ways to put it together, the one that knows most of it."""

    def __init__(self, texts: dict[str, str], templates: list[Template]) -> None:
        self._texts, self._templates = texts, templates
        self._parts: dict[str, Found] = {}

    def known(self, part: str) -> Found:
        if part in self._texts:
            return Found(len(part), self._texts[part])
        if " " not in part:
            return Found(0, part)
        if part not in self._parts:
            unknown = self._parts[part] = Found(0, part)
            if len(self._parts) <= MOST_PARTS:
                ways = [unknown, *islice(self._fitting(part), MOST_FITTING), *self._joined(part)]
                self._parts[part] = max(ways, key=lambda way: way.size)
        return self._parts[part]

    def _fitting(self, part: str) -> Iterator[Found]:
        """By the templates that fit, the whole part or what stands behind a layer's name."""
        named = AFTER_NAME.fullmatch(part)
        name, rest = named.groups() if named else ("", "")
        if rest in self._texts:
            yield Found(len(rest), name + self._texts[rest])
        for template in self._templates:
            for before, sentence in (("", part), (name, rest)):
                values = template.values(sentence)
                if values is not None:
                    said = {key: self.known(value) for key, value in values.items()}
                    size = template.size + sum(found.size for found in said.values())
                    texts = {key: found.text for key, found in said.items()}
                    yield Found(size, before + filled(template.translation, texts))

    def _joined(self, part: str) -> Iterator[Found]:
        """As two sentences, as a name and what is said of it, as several names."""
        for mark in ("; ", ": "):
            for first, second in islice(_splits(part, mark), MOST_PLACES):
                yield self._both(mark, self.known(first), self.known(second))
        if NAMES.fullmatch(part):
            first, mark, second = part.partition(" and ")
            yield self._both(mark, Found(1, first), self.known(second))

    def _both(self, mark: str, first: Found, second: Found) -> Found:
        text = self._texts.get(JOINED[mark], JOINED[mark])
        said = filled(text, {"first": first.text, "second": second.text})
        return Found(first.size + second.size, said)


def filled(text: str, values: dict[str, str]) -> str:
    """A text with its placeholders filled in; other braces may stand in it, unlike with format."""
    return PLACEHOLDER.sub(lambda found: values[found[1]], text)


def _splits(part: str, mark: str) -> Iterator[tuple[str, str]]:
    """At each place of a mark, from the left: what stands before and behind it."""
    at = part.find(mark)
    while at >= 0:
        yield part[:at], part[at + len(mark) :]
        at = part.find(mark, at + 1)
