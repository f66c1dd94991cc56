"""What all steps share: the layers they name, and checks that say value, rule and remedy."""

import math
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import ClassVar, Protocol

ALL_LAYERS = ("*",)
SEPARATORS = ",|;"


class Step(Protocol):
    """One method with its settings: a flat frozen dataclass. `kind` is its place in the order."""

    kind: ClassVar[str]

    @property
    def layers(self) -> tuple[str, ...]: ...


def check_layers(patterns: tuple[str, ...]) -> None:
    named = isinstance(patterns, tuple) and all(isinstance(p, str) and p for p in patterns)
    if not patterns or not named:
        raise ValueError(
            f"layers={patterns!r}: name at least one layer or pattern, such as ('fc*',)"
        )
    for pattern in patterns:
        if pattern != pattern.strip() or set(pattern) & set(SEPARATORS):
            raise ValueError(
                f"layers={pattern!r}: a pattern must not have outer spaces or {SEPARATORS}, which "
                "separate steps, fields and patterns in a recipe's text; write ? in their place"
            )


def check_number(
    name: str, value: float, *, low: float, high: float, remedy: str, closed: bool = False
) -> None:
    """Raise ValueError unless low <= value < high, or <= high where the range is `closed`."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (isinstance(value, float) and math.isnan(value)):
        raise ValueError(f"{name}={value!r} is no number; {remedy}")
    if not (low <= value < high or (closed and value == high)):
        rule = f"at least {low:g} and {'at most' if closed else 'below'} {high:g}"
        shown = f"{value:g}" if isinstance(value, float) else value  # :g overflows on huge integers
        raise ValueError(f"{name}={shown} must be {rule}; {remedy}")


def check_whole(name: str, value: int, *, low: int, high: int, remedy: str) -> None:
    """Raise ValueError unless value is a whole number and low <= value < high."""
    if isinstance(value, float):
        raise ValueError(f"{name}={value!r} must be a whole number; {remedy}")
    check_number(name, value, low=low, high=high, remedy=remedy)


def check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    choices = tuple(choices)
    # of the same type too: True and 4.0 are no bit-widths, though 1 == True and 4 == 4.0
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        listed = ", ".join(str(choice) for choice in choices)
        raise ValueError(f"{name}={value!r} is not one of {listed}; choose one of them")


def matching(patterns: tuple[str, ...], names: Iterable[str]) -> set[str]:
    """The names that one of the glob patterns matches.

    Raises ValueError for a pattern that matches no name: a step without effect is a mistake.
    """
    names = tuple(names)
    for pattern in patterns:
        if not any(names_layer((pattern,), name) for name in names):
            raise ValueError(
                f"layers={pattern!r} matches no layer; the model has {', '.join(names)}"
            )
    return {name for name in names if names_layer(patterns, name)}


def names_layer(patterns: tuple[str, ...], name: str) -> bool:
    """Whether one of the glob patterns matches this layer."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
