"""The language of the sentences: English, until an app says who translates."""

from collections.abc import Callable
from typing import Any

_translators: list[Callable[[str], str]] = []


def use(translate: Callable[[str], str]) -> None:
    """Let `translate` find the text that a reader gets in place of an English one."""
    _translators[:] = [translate]


def _(text: str, **placeholders: Any) -> str:
    """A text for the reader, its `{placeholders}` filled in."""
    found = _translators[0](text) if _translators else text
    return found.format(**placeholders) if placeholders else found


def N_(text: str) -> str:  # noqa: N802  # gettext's own name
    """A text as it is, marked for the catalogs: whoever shows it translates it."""
    return text
