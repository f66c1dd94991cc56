"""What the controls say, checked before anybody uses it.

A control may hold anything: None after the browser's Back, a layer of another model, what an old
browser tab sends to a server that was restarted, nothing at all before it is drawn. Callbacks meet
that before the page can repair it. So every read of a control goes through one of these functions,
which give the control's usual value in place of one that it cannot have.
"""

import math
from collections.abc import Iterable
from typing import TypeGuard, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ui.language import names_of

Number = TypeVar("Number", int, float)
Option = TypeVar("Option")


def chosen(key: str, options: Iterable[Option]) -> Option:
    """The option that a control holds; the first where it holds none of them.

    A click may come before the browser has drawn the page in another language: then an option comes
    by the name that it had.
    """
    known, found = list(options), st.session_state.get(key)
    if found in known or not isinstance(found, str):
        return found if found in known else known[0]
    meant = (option for option in known if isinstance(option, str) and found in names_of(option))
    return next(meant, known[0])


def number(
    key: str, usual: Number, low: float = -math.inf, high: float | None = math.inf
) -> Number:
    """The number in a control; `usual` where it holds none, or one beyond `low` … `high`."""
    found = st.session_state.get(key)
    if not is_number(found) or not low <= found <= (math.inf if high is None else high):
        return usual
    if isinstance(usual, int):
        return int(found) if float(found).is_integer() else usual
    return float(found)


def switched(key: str, usual: bool = False) -> bool:
    """Whether a switch is on."""
    found = st.session_state.get(key)
    return found if isinstance(found, bool) else usual


def text(key: str) -> str:
    """What stands in a text field; nothing where it holds no text."""
    found = st.session_state.get(key)
    return found if isinstance(found, str) else ""


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether a value is a finite number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def repair(key: str, value: object) -> None:
    """Before a control is drawn: let it hold `value`, if it holds anything else."""
    found = st.session_state.get(key)
    if key not in st.session_state or type(found) is not type(value) or found != value:
        st.session_state[key] = value


def went_back() -> bool:
    """Whether the browser's back or forward button asks for this run."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation
