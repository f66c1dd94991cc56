"""What all steps share: the layers they name, and checks that say value, rule and remedy."""

import math
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from typing import ClassVar, Protocol

ALL_LAYERS = ("*",)


class Step(Protocol):
    """One method with its settings: a flat frozen dataclass. `kind` is its place in the order."""

    kind: ClassVar[str]

    @property
    def layers(self) -> tuple[str, ...]: ...


def check_layers(patterns: tuple[str, ...], field: str = "layers", one: str = "layer") -> None:
    named = isinstance(patterns, tuple) and all(isinstance(p, str) and p for p in patterns)
    if not patterns or not named:
        raise ValueError(
            f"{field}={patterns!r}: name at least one {one} or pattern in a tuple, such as ('fc*',)"
        )


def check_number(
    name: str, value: float, *, low: float, high: float, remedy: str, closed: bool = False
) -> None:
    """Raise ValueError unless low <= value < high, or <= high where the range is `closed`."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or (isinstance(value, float) and math.isnan(value)):
        said = f"{name}={value!r} is no number"
        raise ValueError(f"{_with_plain(said, value)}; {remedy}")
    if not (low <= value < high or (closed and value == high)):
        most = f"at most {high:g}" if closed else f"below {high:g}"
        shown = f"{value:g}" if isinstance(value, float) else value  # :g overflows on huge integers
        raise ValueError(f"{name}={shown} must be at least {low:g} and {most}; {remedy}")


def check_whole(name: str, value: int, *, low: int, high: int, remedy: str) -> None:
    """Raise ValueError unless value is a whole number and low <= value < high."""
    if isinstance(value, float):
        raise ValueError(f"{name}={value!r} must be a whole number; {remedy}")
    check_number(name, value, low=low, high=high, remedy=remedy)


def check_seed(seed: int) -> None:
    """Raise ValueError unless a generator of torch takes the seed."""
    check_whole("seed", seed, low=0, high=2**63, remedy="use one such as 0")


def check_choice(name: str, value: object, choices: Iterable[object]) -> None:
    choices = tuple(choices)
    # of the same type too: True and 4.0 are no bit-widths, though 1 == True and 4 == 4.0
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        listed = ", ".join(str(choice) for choice in choices)
        said = f"{name}={value!r} is not one of {listed}"
        raise ValueError(f"{_with_plain(said, value)}; choose one of them")


def _with_plain(said: str, value: object) -> str:
    """With what to write in place of a number of NumPy or torch, which no recipe's text holds."""
    plain = value.item() if hasattr(value, "item") else value
    return said if plain is value else f"{said} of Python (write {plain!r})"


def matching(patterns: tuple[str, ...], names: Collection[str]) -> set[str]:
    """The names that one of the patterns matches.

    Raises ValueError for a pattern that matches no name: a step without effect is a mistake.
    """
    found: set[str] = set()
    for pattern in patterns:
        matched = matched_by(pattern, names)
        if not matched:
            raise ValueError(
                f"layers={pattern!r} matches no layer; the model has {', '.join(names)}"
            )
        found |= matched
    return found


def matched_by(pattern: str, names: Collection[str]) -> set[str]:
    """The names that one glob pattern matches; a pattern that is a name means that name alone."""
    if pattern in names:
        return {pattern}
    return {name for name in names if fnmatchcase(name, pattern)}
