"""The field for a prediction, and what it says."""

import math
import re
from dataclasses import dataclass

import streamlit as st

from ui import words
from ui.learn.answers.asked import Predicted
from ui.learn.lesson import Choice, Number, Step, Values
from ui.learn.place import Place
from ui.session import values

MOST_DIGITS = 40  # characters of a number in a list of values


@dataclass(frozen=True)
class Outcome:
    """What was predicted at the place called `key`; None where it could not be read, and why."""

    key: str
    predicted: Predicted | None
    problem: str = ""


def _field_key(found: Place) -> str:
    """A field of its own for each step, so that none begins with another one's prediction."""
    return f"lesson_prediction_{found.item.name}_{found.at}"


def field(found: Place, step: Step) -> None:
    key = _field_key(found)
    match step.prediction:
        case Number(unit, low, high, by):
            with st.container(horizontal=True, width="content", vertical_alignment="center"):
                st.number_input(
                    f"Your prediction, {unit}",
                    float(low),
                    float(high),
                    value=None,
                    step=float(by),
                    format="%g",
                    key=key,
                    placeholder="Your guess",
                    label_visibility="collapsed",
                    width=150,
                )
                st.markdown(unit, width="content")
        case Choice(options):
            st.segmented_control(
                "Your prediction",
                range(len(options)),
                format_func=lambda i: words.escape_markdown(options[i]),
                key=key,
                label_visibility="collapsed",
            )
        case Values(count):
            st.text_input(
                f"{count} values",
                key=key,
                placeholder=f"{count} values",
                max_chars=count * MOST_DIGITS,
                label_visibility="collapsed",
                width=260,
            )


def read(found: Place, step: Step) -> Outcome:
    """What the field says, checked: the browser may send anything."""
    key = _field_key(found)
    match step.prediction:
        case Choice(options):
            chosen = values.number(key, -1, 0, len(options) - 1)
            return Outcome(found.key, None if chosen < 0 else float(chosen), "Choose one first.")
        case Number(_, low, high, _):
            number = values.number(key, math.nan, low, high)
            problem = "Predict a number first."
            return Outcome(found.key, None if math.isnan(number) else number, problem)
        case Values(count):
            return _read_values(found, values.text(key), count)


def _read_values(found: Place, text: str, count: int) -> Outcome:
    plain = text.replace("−", "-").replace(",", " ").split()
    numbers = [float(word) for word in plain if re.fullmatch(r"[+-]?\d*\.?\d+", word)]
    if len(numbers) == len(plain) == count == len(set(numbers)):
        return Outcome(found.key, tuple(numbers))
    problem = f"Write {count} different numbers, such as −0.1, with spaces between them."
    return Outcome(found.key, None, problem)
