"""The language of the reader: texts stand in the code in English, catalogs translate them.

`_` translates a text and fills in its placeholders, `n_` one that counts, `N_` marks a text that a
table holds and `_` translates where it is shown. The browser says which language, until somebody
chooses one in the sidebar or in the address (`?lang=zh`). `python -m ui.translations.extract` keeps
the catalogs in step with the code.
"""

from functools import cache
from gettext import GNUTranslations, NullTranslations, translation
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui.session import values

KEY = "lang"
LANGUAGES = {"en": "English", "zh": "中文"}
CATALOGS = Path(__file__).parent / "translations"
DOMAIN = "explorer"
FROM_SCRIPTS, FROM_CORE = "scripts", "core"  # contexts: texts of .js files, sentences of the core


def _(text: str, **placeholders: Any) -> str:
    """A text in the reader's language, its `{placeholders}` filled in."""
    found = catalog(current()).gettext(text)
    return found.format(**placeholders) if placeholders else found


def n_(one: str, many: str, n: int, **placeholders: Any) -> str:
    """A text that counts `{n}` things, in the reader's language."""
    return catalog(current()).ngettext(one, many, n).format(n=n, **placeholders)


def N_(text: str) -> str:  # noqa: N802  # gettext's own name
    """A text as it is, marked for the catalogs: whoever shows it translates it."""
    return text


def current() -> str:
    """The reader's language; English where nobody reads, as in a background thread."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return "en"
    found = st.session_state.get(KEY)
    return found if found in LANGUAGES else _usual()


def _usual() -> str:
    """What the browser asks for, if we have it."""
    asked = (st.context.locale or "en").split("-")[0].lower()
    return asked if asked in LANGUAGES else "en"


def apply() -> None:
    """Before anything is drawn: the language of this run, and the address that says it."""
    said = st.query_params.get(KEY, "")
    usual = _usual()
    if KEY not in st.session_state or values.went_back():
        st.session_state[KEY] = said if said in LANGUAGES else usual
    values.repair(KEY, current())
    if current() != usual:
        if said != current():
            st.query_params[KEY] = current()
    elif said:
        del st.query_params[KEY]
    st.html(
        f"<script>document.documentElement.lang = '{current()}'</script>",
        unsafe_allow_javascript=True,
    )


def switch() -> None:
    """The choice in the sidebar; each language is named in itself."""
    st.selectbox(
        "Language · 语言",
        list(LANGUAGES),
        format_func=LANGUAGES.__getitem__,
        key=KEY,
        filter_mode=None,
        persist_state="session",
    )


@cache
def catalog(language: str) -> NullTranslations:
    """The texts of a language; English needs none."""
    if language == "en":
        return NullTranslations()
    return translation(DOMAIN, CATALOGS, [language])


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
