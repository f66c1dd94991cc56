"""Every text has its translation, and none stands in the code unmarked."""

import ast
import re
from string import Formatter

import pytest
from babel.messages.catalog import Message

from tests.whole_app import PAGES, open_app
from ui import language
from ui.core_sentences import of_core
from ui.session.state import ROOT
from ui.translations import extract

OTHERS = [name for name in language.LANGUAGES if name != "en"]
MARKS = ("_", "N_", "n_")
# Functions whose texts nobody reads on a page: logs, our own invariants, addresses, styles.
UNREAD = {"getLogger", "exception", "compile", "startswith", "endswith", "replace", "partition"}
PROSE = re.compile(r"[A-Za-z]{3,} [A-Za-z]{2,}|^[A-Z][a-z]{2,}[a-z ,.…?]*$")
CODE = re.compile(
    r"^\s*[<{.#/]|[{};]\s*$|^https?:|:material/|^(top|middle|bottom) (left|center|right)$"
    r"|^(streamlit run|torch\.save)"
)
NAMES = {
    "Compress Explorer",
    "English",
    "Netron",
    "Wanda",
    "Taylor",
}  # said alike in every language
NAMES |= {"not all", "Embedded"}  # a media query; what Netron calls a page like ours
FILES = [
    path.relative_to(ROOT).as_posix()
    for path in sorted([*ROOT.glob("ui/**/*.py"), *ROOT.glob("pages/*.py")])
    if "translations" not in path.parts
    # on the console, and before there is a page, nobody's language is known
    and path.name != "serve.py"
    and "security" not in path.parts
]


def messages(spoken: str) -> list[Message]:
    return [message for message in extract.read(spoken) if message.id]


@pytest.mark.parametrize("spoken", OTHERS)
def test_catalog_has_the_texts_of_the_code_and_no_others(spoken: str) -> None:
    written = extract.path_of(spoken, "po").read_bytes()
    assert extract.text_of(extract.updated(spoken)) == written, "run: make texts"


@pytest.mark.parametrize("spoken", OTHERS)
def test_no_text_is_missing(spoken: str) -> None:
    assert extract.missing(extract.read(spoken)) == []


@pytest.mark.parametrize("spoken", OTHERS)
def test_compiled_catalog_is_that_of_the_text(spoken: str) -> None:
    compiled = extract.compiled(extract.read(spoken))
    assert extract.path_of(spoken, "mo").read_bytes() == compiled, "run: make texts"


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def texts_of(message: Message) -> tuple[str, list[str]]:
    """The English with the most placeholders, and the translations."""
    one = message.id if isinstance(message.id, str) else message.id[1]
    said = [message.string] if isinstance(message.string, str) else list(message.string)
    return one, said


@pytest.mark.parametrize("spoken", OTHERS)
def test_placeholders_and_marks_agree(spoken: str) -> None:
    wrong = []
    for message in messages(spoken):
        english, said = texts_of(message)
        for text in said:
            marks = r"\*\*|:material/\w+:|:(?:blue|orange|green|gray|violet|small)\[|\$"
            same = placeholders(text) == placeholders(english) if "{" in english else True
            if not same or sorted(re.findall(marks, text)) != sorted(re.findall(marks, english)):
                wrong.append((english, text))
    assert wrong == []


def unmarked(code: str) -> list[str]:
    """Texts of a module that look like something to read, and that no mark gives a translation."""
    tree = ast.parse(code)
    passed: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in (
                *MARKS,
                "repr",
                "TypeVar",
                "PlainTextResponse",
            ):
                passed |= set(map(id, ast.walk(node)))
            case ast.Call(func=ast.Attribute(attr=name)) if name in UNREAD:
                passed |= set(map(id, ast.walk(node)))
            case ast.Assign(targets=[ast.Name(id="__all__" | "FONT")]):
                passed |= set(map(id, ast.walk(node)))
            case ast.Raise() | ast.Assert() | ast.Expr(value=ast.Constant()):
                passed |= set(map(id, ast.walk(node)))
            case ast.JoinedStr(values=parts):
                passed |= set(map(id, parts))
            case ast.arg(annotation=ast.Constant() as quoted_type):
                passed.add(id(quoted_type))
    found = []
    for node in ast.walk(tree):
        text = extract._text(node) if id(node) not in passed else None
        if text and PROSE.search(text) and not CODE.search(text) and text not in NAMES:
            found.append(text)
    return found


@pytest.mark.parametrize("file", FILES)
def test_no_text_stands_unmarked(file: str) -> None:
    assert unmarked((ROOT / file).read_text()) == []


def test_sentence_of_the_core_is_translated_by_its_template(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = {
        "bits={bits} must be at least {low}": "bits={bits} 至少为 {low}",
        "leave it out": "去掉它",
        "{layer} is shared; {remedy}": "{layer} 是共享的；{remedy}",
    }
    monkeypatch.setattr(language, "current", lambda: "test")
    monkeypatch.setattr(language, "in_context", lambda _spoken, _context: texts)
    assert of_core("bits=1 must be at least 2") == "bits=1 至少为 2"
    assert of_core("fc1 is shared; leave it out") == "fc1 是共享的；去掉它"
    assert of_core("fc1: bits=1 must be at least 2") == "fc1: bits=1 至少为 2"
    assert of_core("something else") == "something else"


ENGLISH = re.compile(r"\b[A-Za-z]{2,}(?: [a-z]{2,}){2,}")
UNTRANSLATED = re.compile(r"`[^`]*`|\$[^$]*\$|https?:\S+")  # code, formulas, addresses


@pytest.mark.parametrize("page", PAGES)
def test_page_says_nothing_in_english(page: str) -> None:
    app = open_app(page, lang="zh")
    said = [getattr(element, "label", "") for element in app.main]
    for element in app.main:  # the value of a choice is a key; its options are shown
        if element.type == "code":
            continue
        said += getattr(element, "options", [getattr(element, "value", "")])
    shown = [UNTRANSLATED.sub("", text) for text in said if isinstance(text, str)]
    assert [found for text in shown for found in ENGLISH.findall(text)] == []
