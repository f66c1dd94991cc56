"""Sentences of the core come out in the reader's language, with all that they tell."""

import ast
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from compress_core import (
    Dataset,
    Factorize,
    Original,
    Prune,
    Quantize,
    compress,
    decode,
    from_json,
    load_dataset,
    load_model,
    parse_step,
    restore,
)
from compress_core.processes import signal_in_words
from compress_core.recipe import parse_recipe
from ui import core_sentences, language
from ui.core_sentences import JOINED, PLACEHOLDER, WORDS, Template, filled, of_core
from ui.translations import extract

CHINESE = re.compile("[\u4e00-\u9fff]")
ENGLISH = re.compile(r"\b[A-Za-z]{2,}(?: [a-z]{2,}){2,}")
CODE = re.compile(r"`[^`]*`")
# said alike: the name of a paper, of a file, and a command
ALIKE = {
    "Deep Compression",
    "ONNX, gzip -9",
    "python -m compress_core train {name} --seed {seed}",
    *JOINED.values(),
}


@pytest.fixture
def zh(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """All texts of the core by their English, for a reader of Chinese."""
    if not extract.path_of("zh", "mo").exists():
        pytest.skip("the catalog of zh is not made yet: make texts")
    monkeypatch.setattr(language, "current", lambda: "zh")
    return language.in_context("zh", language.FROM_CORE)


def sample(template: str) -> tuple[str, dict[str, str]]:
    """A sentence of a template, and what stands in its placeholders: names, and counts."""
    names = PLACEHOLDER.findall(template)
    values = {
        name: str(10 + i) if name.startswith("len_") else f"v{i}.x" for i, name in enumerate(names)
    }
    return filled(template, values), values


def is_chinese(text: str) -> bool:
    return bool(CHINESE.search(text)) and not ENGLISH.search(CODE.sub("", text))


def test_every_template_is_translated_with_its_values(zh: dict[str, str]) -> None:
    wrong = []
    for template, translation in zh.items():
        sentence, values = sample(template)
        said = of_core(sentence)
        if template not in ALIKE and not (is_chinese(said) and said == filled(translation, values)):
            wrong.append((sentence, said))
    assert wrong == []


def test_a_reason_is_translated_behind_a_layers_name(zh: dict[str, str]) -> None:
    wrong = []
    for template, translation in zh.items():
        sentence, values = sample(template)
        said = of_core(f"fc1 {sentence}")
        named = template.startswith("{")  # there the placeholder takes the name, too
        if template not in ALIKE and not named and said != f"fc1 {filled(translation, values)}":
            wrong.append((sentence, said))
    assert wrong == []


@pytest.mark.usefixtures("zh")
def test_sentences_stand_side_by_side_in_any_order() -> None:
    first = "fc1 is quantized, and a weight is stored either as codes of its own or as indices of "
    first += "a codebook: leave it out of one of the two steps"
    second = "conv2 cannot run as factors: it is a convolution in 2 groups"
    one, other = of_core(first), of_core(second)
    assert is_chinese(one)
    assert is_chinese(other)
    assert of_core(f"{first}; {second}; 3 more") == f"{one}；{other}；{of_core('3 more')}"
    assert of_core(f"{second}; {first}") == f"{other}；{one}"
    assert of_core(f"share: no layer can take it; {first}").endswith(one)


def linear(inputs: int = 2) -> Original:
    return Original(nn.Sequential(nn.Linear(inputs, 2)).eval(), input_shape=(inputs,))


def digits(text: str) -> Any:
    return compress(load_model("digits-cnn"), parse_recipe(text))


def stored() -> bytes:
    return compress(linear(), (Prune(sparsity=0.5),)).container


REFUSED: dict[str, Callable[[], Any]] = {
    "beyond its range": lambda: parse_recipe("prune:sparsity=2"),
    "beyond a closed range": lambda: parse_recipe("factorize:energy=2"),
    "unknown step": lambda: parse_recipe("prun:sparsity=0.5"),
    "no number": lambda: parse_recipe("prune:sparsity=much"),
    "no whole number": lambda: parse_recipe("quantize:bits=2.5"),
    "neither true nor false": lambda: parse_recipe("share:keep_zeros=maybe"),
    "nothing given": lambda: parse_recipe("prune"),
    "too much given": lambda: parse_recipe("factorize:rank=2,energy=0.5"),
    "unknown field": lambda: parse_recipe("prune:share=1"),
    "no value": lambda: parse_recipe("prune:sparsity"),
    "twice": lambda: parse_recipe("prune:sparsity=0.5,sparsity=0.6"),
    "too few clusters": lambda: parse_recipe("share:clusters=1"),
    "a field is missing": lambda: parse_step("prune_structured"),
    "a number of numpy": lambda: Quantize(bits=np.int64(4)),  # type: ignore[arg-type]
    "not a number of numpy": lambda: Prune(sparsity=np.float64("nan")),
    "no layers": lambda: Prune(sparsity=0.5, layers=()),
    "whitened in another form": lambda: Factorize(rank=2, form="spatial", whiten=True),
    "another shape of JSON": lambda: from_json("{}"),
    "an old recipe": lambda: from_json('{"version": 9, "steps": []}'),
    "a step that is none": lambda: from_json('{"version": 1, "steps": [3]}'),
    "no such layer": lambda: digits("prune:sparsity=0.5,layers=foo*"),
    "a rank above the full": lambda: digits("factorize:rank=1000,layers=fc1"),
    "no layer can take it": lambda: digits("factorize:rank=1000"),
    "two kinds of codes": lambda: digits("quantize:bits=4; share:clusters=4,layers=fc1"),
    "the output's channels": lambda: digits("prune_structured:pruning_ratio=0.5,layers=fc2"),
    "no batch norm": lambda: digits("fold"),
    "not trained": lambda: compress(linear(), parse_recipe("finetune:epochs=1")),
    "no data to calibrate on": lambda: compress(linear(), parse_recipe("prune_wanda:sparsity=0.5")),
    "unknown model": lambda: load_model("resnet-50"),
    "unknown dataset": lambda: load_dataset("imagenet"),
    "unknown split": lambda: load_dataset("digits", "validation"),
    "a truncated file": lambda: decode(stored()[:-1]),
    "another file": lambda: decode(b"PK"),
    "no bytes": lambda: decode("file"),  # type: ignore[arg-type]
    "another network": lambda: restore(stored(), nn.Sequential(nn.Linear(3, 3))),
    "a network that is none": lambda: Original({}, input_shape=(2,)),  # type: ignore[arg-type]
    "in training mode": lambda: Original(nn.Linear(2, 2).train(), input_shape=(2,)),
    "nothing to compress": lambda: Original(nn.ReLU().eval(), input_shape=(2,)),
    "no recipe": lambda: compress(linear(), Prune(sparsity=0.5)),  # type: ignore[arg-type]
    "no inputs": lambda: Dataset.of(torch.zeros(0, 2)),
    "too few labels": lambda: Dataset.of(torch.zeros(3, 2), torch.zeros(2)),
}


@pytest.mark.usefixtures("zh")
@pytest.mark.parametrize("name", REFUSED)
def test_what_the_core_refuses_is_said_in_chinese(name: str) -> None:
    with pytest.raises(ValueError, match=" ") as raised:
        REFUSED[name]()
    said = of_core(raised.value)
    assert is_chinese(said)
    assert not re.search("[;:] ", said.replace('": ', "")), (
        "two sentences, or a name and a sentence"
    )


@pytest.mark.usefixtures("zh")
@pytest.mark.parametrize("number", [9, 11, 15, 10])
def test_what_ended_a_process_is_said_in_chinese(number: int) -> None:
    assert is_chinese(of_core(f"its process was ended by {signal_in_words(number)}"))


@pytest.mark.usefixtures("zh")
def test_what_others_say_stays_as_it_is() -> None:
    assert of_core("No space left on device") == "No space left on device"
    said = of_core("the recipe is not JSON: Expecting value: line 1 column 1 (char 0)")
    assert said == "配方不是 JSON：Expecting value: line 1 column 1 (char 0)"


def test_a_count_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"{len_left} more": "另有 {len_left} 个"}
    monkeypatch.setattr(language, "current", lambda: "counts")
    monkeypatch.setattr(language, "in_context", lambda _spoken, _context: texts)
    assert of_core("1,024 more") == "另有 1,024 个"
    assert of_core("so much more") == "so much more"


HOSTILE = {
    "marks": "a b; c: d and e; " * 120,
    "words of templates": "layers=x must be at least 1 and below 2; no layer can take it; " * 32,
    "an end again and again": "x" + " is missing" * 150,
    "placeholders": "=; " * 660,
    "spaces": " " * 2000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_strange_sentence_takes_few_steps(
    zh: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    sentence = HOSTILE[name][: core_sentences.MOST_CHARACTERS]
    texts = {text for text in zh if PLACEHOLDER.search(text)}
    tried: list[str] = []
    values = Template.values

    def counted(template: Template, part: str) -> dict[str, str] | None:
        tried.append(part)
        return values(template, part)

    monkeypatch.setattr(Template, "values", counted)
    of_core(sentence)
    parts = core_sentences.MOST_PARTS
    assert len(set(tried)) <= 2 * parts  # each part, and what stands behind its first word
    assert len(tried) <= 2 * parts * sum(core_in(text, sentence) for text in texts)


def core_in(text: str, sentence: str) -> bool:
    """Whether the longest word of a template stands in a sentence, so that it is tried."""
    return max(PLACEHOLDER.split(text)[::2], key=len) in sentence


@pytest.mark.usefixtures("zh")
def test_a_sentence_that_is_too_long_stays_as_it_is() -> None:
    long = "x" * core_sentences.MOST_CHARACTERS
    assert of_core(f"the archive has no file {long}") == f"the archive has no file {long}"


def test_no_two_placeholders_touch() -> None:
    """Nobody could tell where one ends: such a sentence is written otherwise in the core."""
    found = [message.id for message in extract.template() if message.context == language.FROM_CORE]
    assert [text for text in found if "}{" in text] == []


def test_words_stand_in_the_code_of_the_core() -> None:
    trees = [ast.parse(path.read_text()) for path in extract.ROOT.glob(extract.SENTENCES[0])]
    constants = {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(WORDS) - constants == set()


def test_sentences_that_the_app_raises_are_found_unless_they_are_marked() -> None:
    code = """
title = "The title of a page"
def check(found):
    if found:
        raise ValueError(_("already translated here"))
    raise ValueError(found.problem or f"{found} is too long to be kept")
"""
    assert list(extract.raised_sentences(code)) == ["{found} is too long to be kept"]


def test_sentences_are_found_in_code() -> None:
    code = '''
"""A docstring of many words."""

def check(name, value):
    """Another docstring of words."""
    assert value, "our own invariant of words"
    check_number(name, low=0, remedy="it is a fraction")
    warnings.filterwarnings("ignore", "somebody else's warning text")
    if value > 1:
        raise ValueError(f"{name}={value!r} is above {1}; use at most {name!r} of it")
    return {"kind": f"{value} more", "key": "one.word"}
'''
    assert list(extract.core_sentences(code)) == [
        "it is a fraction",
        "{name}={value} is above {value_1}; use at most {name_2} of it",
        "{value} more",
    ]
