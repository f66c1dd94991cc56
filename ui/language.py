"""The language of the reader: texts stand in the code in English, catalogs translate them.

`_` translates a text and fills in its placeholders, `n_` one that counts, `N_` marks a text that a
table holds and `_` translates where it is shown. Which language it is says
`ui.session.language_choice`. `python -m ui.translations.extract` keeps the catalogs in step with
the code.
"""

from collections.abc import Callable
from functools import cache
from gettext import GNUTranslations, NullTranslations, translation
from pathlib import Path
from typing import Any, Self

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

KEY = "lang"
LANGUAGES = {"en": "English", "zh": "中文"}  # each is named in itself
TAGS = {"en": "en", "zh": "zh-Hans"}  # for the browser, which chooses the form of the characters
CATALOGS = Path(__file__).parent / "translations"
DOMAIN = "explorer"
FROM_SCRIPTS, FROM_CORE = "scripts", "core"  # contexts: texts of .js files, sentences of the core


def _(text: str, **placeholders: Any) -> str:
    """A text in the reader's language, its `{placeholders}` filled in."""
    found = catalog(current()).gettext(text) if text else ""  # gettext says its header for ""
    return found.format(**placeholders) if placeholders else found


def n_(one: str, many: str, n: int, **placeholders: Any) -> str:
    """A text that counts `{n}` things, in the reader's language."""
    return catalog(current()).ngettext(one, many, n).format(n=n, **placeholders)


def N_(text: str) -> str:  # noqa: N802  # gettext's own name
    """A text as it is, marked for the catalogs: whoever shows it translates it."""
    return text


class Later(str):
    """A text that is kept, and said again whenever somebody reads it, as `str()` of it: the reader
    may have changed the language meanwhile, or is another one."""

    say: Callable[[], str]

    def __new__(cls, say: Callable[[], str]) -> Self:
        made = super().__new__(cls, say())
        made.say = say
        return made

    def __str__(self) -> str:
        return self.say()


def current() -> str:
    """The reader's language; English where nobody reads, as in a background thread."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return "en"
    found = st.session_state.get(KEY)
    return found if found in LANGUAGES else usual()


def usual() -> str:
    """What the browser asks for, if we have it."""
    asked = (st.context.locale or "en").split("-")[0].lower()
    return asked if asked in LANGUAGES else "en"


def telling_script(language: str) -> str:
    """What tells the browser in which language a page is; no other script may stand in one (see
    `ui.security.headers`)."""
    return f"<script>document.documentElement.lang = '{TAGS[language]}'</script>"


@cache
def catalog(language: str) -> NullTranslations:
    """The texts of a language; English needs none."""
    if language == "en":
        return NullTranslations()
    return translation(DOMAIN, CATALOGS, [language])


@cache
def names_of(text: str) -> frozenset[str]:
    """What a text is called in all languages."""
    return frozenset(catalog(language).gettext(text) for language in LANGUAGES)


@cache
def in_context(language: str, context: str) -> dict[str, str]:
    """All texts of a context, by their English."""
    found = catalog(language)
    if not isinstance(found, GNUTranslations):
        return {}
    mark = f"{context}\x04"
    texts: dict[object, str] = found._catalog  # type: ignore[attr-defined]  # no public way to list it
    return {  # one that counts has a pair for its key
        key.removeprefix(mark): text
        for key, text in texts.items()
        if isinstance(key, str) and key.startswith(mark)
    }
