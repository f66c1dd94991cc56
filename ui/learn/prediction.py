"""The field for a prediction, and what it says."""

import math
import re
from dataclasses import dataclass

import streamlit as st

from ui import words
from ui.language import _, n_
from ui.learn.answers.asked import Predicted
from ui.learn.lesson import Choice, Number, Step, Values
from ui.learn.place import Place
from ui.session import values

MOST_DIGITS = 40  # characters of a number in a list of values


@dataclass(frozen=True)
class Outcome:
    """What was predicted at the place called `key`; None where it could not be read."""

    key: str
    predicted: Predicted | None


def _field_key(found: Place) -> str:
    """A field of its own for each step, so that none begins with another one's prediction."""
    return f"lesson_prediction_{found.item.name}_{found.at}"


def field(found: Place, step: Step) -> None:
    key = _field_key(found)
    match step.prediction:
        case Number(_, low, high, by) as number:
            with st.container(horizontal=True, width="content", vertical_alignment="center"):
                unit = number.unit_shown
                st.number_input(
                    _("Your prediction, {unit}", unit=unit) if unit else _("Your prediction"),
                    float(low),
                    float(high),
                    value=None,
                    step=float(by),
                    format="%g",
                    key=key,
                    placeholder=_("Your guess"),
                    label_visibility="collapsed",
                    width=150,
                )
                st.markdown(unit, width="content")
        case Choice(options):
            st.segmented_control(
                _("Your prediction"),
                range(len(options)),
                format_func=lambda i: words.escape_markdown(step.shown(options[i])),
                key=key,
                label_visibility="collapsed",
            )
        case Values(count):
            label = n_("1 value", "{n} values", count)
            st.text_input(
                label,
                key=key,
                placeholder=label,
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
            return Outcome(found.key, None if chosen < 0 else float(chosen))
        case Number(_, low, high, _):
            number = values.number(key, math.nan, low, high)
            return Outcome(found.key, None if math.isnan(number) else number)
        case Values(count):
            return Outcome(found.key, _values_in(values.text(key), count))


def _values_in(text: str, count: int) -> tuple[float, ...] | None:
    """The different numbers of a text, if there are so many and nothing else."""
    plain = re.sub("[,，、]", " ", text.replace("−", "-")).split()
    numbers = [float(word) for word in plain if re.fullmatch(r"[+-]?\d*\.?\d+", word)]
    if len(numbers) == len(plain) == count == len(set(numbers)):
        return tuple(numbers)
    return None


def problem(step: Step) -> str:
    """What is to be done where a prediction could not be read."""
    match step.prediction:
        case Choice():
            return _("Choose one first.")
        case Number():
            return _("Predict a number first.")
        case Values(count):
            return _(
                "Write {count} different numbers, such as −0.1, with spaces between them.",
                count=count,
            )
