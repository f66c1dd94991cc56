"""Numbers and recipes in words: percent, bytes and counts exist only from here on."""

import re

from compress_core.measurement.accuracy import Accuracy
from compress_core.recipe import Recipe
from compress_core.wording.numbers import percent as percent
from ui.steps import describe as describe


def interval(low: float, high: float) -> str:
    return f"{percent(low)} … {percent(high)}"


def accuracy(found: Accuracy | None) -> str:
    """With half the width of its interval: "97.3 % ± 1.3"."""
    if found is None:
        return "not measured"
    half = (found.accuracy_high - found.accuracy_low) / 2
    return f"{percent(found.accuracy)} ± {100 * half:.1f}"


def change(before: float, after: float) -> str:
    """A signed difference, and its percentage: "−1,200 (−40.0 %)"."""
    relative = f" ({100 * (after / before - 1):+.1f} %)" if before else ""
    return f"{after - before:+,.0f}{relative}" if after != before else "same"


def signed(difference: float, digits: int, unit: str = "") -> str:
    """A difference with its sign, or "same" where it is none."""
    return f"{difference:+.{digits}f}{unit}" if round(difference, digits) else "same"


def ratio(value: float) -> str:
    """Two digits, but three near 1, where a header decides."""
    return f"{value:.3f}×" if 0.99 < value < 1.01 else f"{value:.2f}×"


def byte_size(count: float) -> str:
    """Decimal units, as files are sold: 41.2 KB is 41,200 bytes."""
    if count < 1000:
        return f"{count:.0f} B"
    return f"{count / 1000:.1f} KB" if count < 1e6 else f"{count / 1e6:.2f} MB"


def count(number: float) -> str:
    """2,293,000 as 2.29 M."""
    if number < 10_000:
        return f"{number:,.0f}"
    return f"{number / 1e3:.1f} K" if number < 1e6 else f"{number / 1e6:.2f} M"


def shape(sizes: tuple[int, ...]) -> str:
    return " × ".join(map(str, sizes))


def describe_recipe(recipe: Recipe) -> str:
    return " → ".join(map(describe, recipe)) or "original"


def escape_markdown(text: str) -> str:
    """Somebody's own words where Streamlit would read markdown."""
    return re.sub(r"([\\`*_{}\[\]()<>#+.!|~:$-])", r"\\\1", text)
