"""Keep the catalogs in step with the code: `python -m ui.translations.extract` (needs Babel).

Texts come from three places. What `_`, `n_` and `N_` mark in Python, and `_` in our scripts; and
the sentences of the core, which marks nothing: any text in its code that has two words, or one
and a placeholder. What the app itself raises is shown like an error of the core, and found alike.
"""

import ast
import io
import re
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from ui.core_sentences import JOINED, PLACEHOLDER, WORDS
from ui.language import CATALOGS, DOMAIN, FROM_CORE, FROM_SCRIPTS, LANGUAGES

ROOT = Path(__file__).resolve().parents[2]
KEYWORDS = {"_": None, "N_": None, "n_": (1, 2)}
MARKED = ("ui/**/*.py", "pages/*.py", "compress_core/wording/*.py")
RAISING = ("ui/**/*.py", "pages/*.py")
SCRIPTS = ("ui/**/*.js",)
SENTENCES = ("compress_core/**/*.py",)
TWO_WORDS = re.compile(r"(?<![\w.])[A-Za-z]{2,}[,;:]? (.* )?[A-Za-z]{2,}(?![\w.=/])")
ONE_WORD = re.compile(r"(^| )[a-z]{4,}( |$)")  # beside a placeholder
UNREAD = {"filterwarnings", "exception"}  # what these functions get is no sentence for a reader
NO_SENTENCES = ("__main__.py", "command_line", "trusted", "wording")  # for the console; marked
PROGRAMS = ("lone_decoder.py", "library_lines.py", "script.py")  # their texts are lines of code


def template() -> Catalog:
    """Every text of the code, with the files it stands in."""
    found = Catalog(charset="utf-8", fuzzy=False)
    for context, path, texts in _texts():
        for text in texts:
            found.add(text, locations=[(_name(path), 0)], context=context)
    return found


def _texts() -> Iterator[tuple[str | None, Path, Iterable[Any]]]:
    """A context, a file, and the texts that it has for this context."""
    for path in _paths(MARKED):
        yield None, path, _marked("python", path)
    for path in _paths(SCRIPTS):
        yield FROM_SCRIPTS, path, _marked("javascript", path)
    yield FROM_CORE, ROOT / "ui" / "core_sentences.py", (*JOINED.values(), *WORDS)
    for path in _paths(SENTENCES):
        if path.relative_to(ROOT).parts[1] not in NO_SENTENCES and path.name not in PROGRAMS:
            yield FROM_CORE, path, core_sentences(path.read_text())
    for path in _paths(RAISING):
        if "translations" not in path.parts:
            yield FROM_CORE, path, raised_sentences(path.read_text())


def _paths(patterns: Iterable[str]) -> list[Path]:
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def _marked(kind: str, path: Path) -> Iterator[Any]:
    for _line, text, _comments, _context in extract_from_file(kind, path, KEYWORDS):
        yield text


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def core_sentences(code: str) -> Iterator[str]:
    """The sentences of a module and their parts, no docstrings; an f-string as a template, its
    placeholders named after what stands in them."""
    yield from _sentences(ast.parse(code))


def raised_sentences(code: str) -> Iterator[str]:
    """The sentences of the errors that a module raises, unless a mark has translated them."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Raise):
            yield from _sentences(node)


def _sentences(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Expr(value=ast.Constant()):  # a docstring
            return
        case ast.Assert():  # our own invariants: no sentence for a reader
            return
        case ast.Call(func=ast.Attribute(attr=name)) if name in UNREAD:
            return
        case ast.Call(func=ast.Name(id=name)) if name in KEYWORDS:
            return
    text = _text(node)
    if text is not None and _has_words(text):
        yield text
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)):
            yield from _sentences(child)


def _has_words(text: str) -> bool:
    if TWO_WORDS.search(PLACEHOLDER.sub(" {} ", text)):
        return True
    return bool(PLACEHOLDER.search(text) and ONE_WORD.search(PLACEHOLDER.sub("{}", text)))


def _text(node: ast.AST) -> str | None:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            names: list[str] = []
            return "".join(_part(part, names) for part in parts)
    return None


def _part(part: ast.expr, names: list[str]) -> str:
    match part:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=value):
            name = re.sub(r"\W+", "_", ast.unparse(value)).strip("_")[:30].strip("_") or "value"
            name = name if not name[0].isdigit() else f"value_{name}"
            names.append(name)
            again = names.count(name)
            return f"{{{name}_{again}}}" if again > 1 else f"{{{name}}}"
    raise TypeError(f"an f-string has no part of type {type(part).__name__}")


def path_of(language: str, suffix: str) -> Path:
    return CATALOGS / language / "LC_MESSAGES" / f"{DOMAIN}.{suffix}"


def read(language: str) -> Catalog:
    """The catalog of a language as it stands; an empty one for a new language."""
    path = path_of(language, "po")
    if not path.exists():
        return Catalog(locale=language, fuzzy=False)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def updated(language: str) -> Catalog:
    """The catalog with the texts of the code: new ones are empty, those that are gone are out."""
    found = read(language)
    found.update(template(), no_fuzzy_matching=True)
    found.obsolete.clear()
    return found


def text_of(catalog: Catalog) -> bytes:
    """The .po file: sorted, without line numbers and dates, so that a change shows what changed."""
    made = io.BytesIO()
    write_po(made, catalog, width=100, sort_output=True, omit_header=True)
    return HEADER.format(language=catalog.locale_identifier).encode() + made.getvalue()


HEADER = """msgid ""
msgstr ""
"Language: {language}\\n"
"Content-Type: text/plain; charset=utf-8\\n"

"""


def compiled(catalog: Catalog) -> bytes:
    """The .mo file, which the app reads."""
    catalog.creation_date = datetime.fromtimestamp(0, UTC)  # the same bytes for the same texts
    made = io.BytesIO()
    write_mo(made, catalog)
    return made.getvalue()


def missing(catalog: Catalog) -> list[str]:
    """The texts without a translation."""
    return [str(m.id) for m in catalog if m.id and not any(m.string or ())]


def main(languages: Iterable[str]) -> int:
    """Write the catalogs; returns 1 where a text is not translated yet, and says which."""
    left: list[str] = []
    for language in languages:
        catalog = updated(language)
        path_of(language, "po").parent.mkdir(parents=True, exist_ok=True)
        path_of(language, "po").write_bytes(text_of(catalog))
        path_of(language, "mo").write_bytes(compiled(catalog))
        left += [f"{language}: {text}" for text in missing(catalog)]
    print("\n".join(left) or "Every text is translated.")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main(language for language in LANGUAGES if language != "en"))
