"""Numbers and recipes in words: percent, bytes and counts exist only from here on."""

import re

from compress_core.measurement.scores import Score
from compress_core.recipe import Recipe
from compress_core.tasks import METRICS, MetricName
from compress_core.wording import language as wording_language
from compress_core.wording.numbers import percent as percent
from ui.language import N_, _
from ui.steps import describe as describe

wording_language.use(_)
MOST_SHOWN = 400  # characters of a message that may quote an address

METRIC_NAMES: dict[MetricName, str] = {
    "accuracy": N_("accuracy"),
    "agreement": N_("agreement with the original"),
    "relative_error": N_("relative error"),
    "relative_error_to_original": N_("relative error to the original"),
    "perplexity": N_("perplexity"),
}
CLASS_NAMES = (  # of Fashion-MNIST and CIFAR-10; digits are called alike everywhere
    N_("T-shirt"),
    N_("trouser"),
    N_("pullover"),
    N_("dress"),
    N_("coat"),
    N_("sandal"),
    N_("shirt"),
    N_("sneaker"),
    N_("bag"),
    N_("ankle boot"),
    N_("airplane"),
    N_("automobile"),
    N_("bird"),
    N_("cat"),
    N_("deer"),
    N_("dog"),
    N_("frog"),
    N_("horse"),
    N_("ship"),
    N_("truck"),
)


def interval(low: float, high: float) -> str:
    return f"{percent(low)} … {percent(high)}"


def metric(name: MetricName) -> str:
    """What a metric is called beside its numbers."""
    return _(METRIC_NAMES[name])


def class_name(name: str) -> str:
    """What a class of images is called."""
    return _(name) if name in CLASS_NAMES else name


def measured(name: MetricName, value: float, digits: int = 1) -> str:
    """A share in percent with some digits, another number with four."""
    return percent(value, digits) if METRICS[name].is_share else f"{value:.4g}"


def score(found: Score | None, digits: int = 1) -> str:
    """With half the width of its interval: "97.3 % ± 1.3"."""
    if found is None:
        return _("not measured")
    half = (found.high - found.low) / 2
    width = f"{100 * half:.1f}" if found.kind.is_share else f"{half:.2g}"
    return f"{measured(found.metric, found.value, digits)} ± {width}"


def score_change(name: MetricName, difference: float) -> str:
    """A signed difference: of a share in percentage points, of another number as it is; "±0" where
    nothing shows."""
    is_share = METRICS[name].is_share
    number = f"{100 * difference:+.2f}" if is_share else f"{difference:+.4g}"
    if float(number) == 0:
        return "±0"
    return _("{number} points", number=number) if is_share else number


def point_change(name: MetricName, difference: float) -> str:
    """The same with a minus sign: "−0.72 points". (`st.metric` knows only a hyphen.)"""
    return score_change(name, difference).replace("-", "−")


def points(number: float) -> str:
    """ "1 point", "0.5 points"."""
    if number == 1:
        return _("{number:g} point", number=number)
    return _("{number:g} points", number=number)


def change(before: float, after: float) -> str:
    """A signed difference, and its percentage: "−1,200 (−40.0 %)"."""
    relative = f" ({100 * (after / before - 1):+.1f} %)" if before else ""
    return f"{after - before:+,.0f}{relative}" if after != before else _("same")


def signed(difference: float, digits: int, unit: str = "") -> str:
    """A difference with its sign, or "same" where it is none."""
    return f"{difference:+.{digits}f}{unit}" if round(difference, digits) else _("same")


def smaller(value: float) -> str:
    """A compression ratio in words: "8.95× smaller"; below 1 "1.02× larger"."""
    if round(value, 3) == 1:
        return _("as large as before")
    if value > 1:
        return _("{ratio} smaller", ratio=ratio(value))
    return _("{ratio} larger", ratio=ratio(1 / value))


def ratio(value: float) -> str:
    """Two digits, but three near 1, where a header decides."""
    if round(value, 3) == 1:
        return "1×"
    return f"{value:.3f}×" if 0.99 < value < 1.01 else f"{value:.2f}×"


def byte_size(count: float) -> str:
    """Decimal units, as files are sold: 41.2 KB is 41,200 bytes."""
    if count < 1000:
        return f"{count:.0f} B"
    if count >= 1e9:
        return f"{count / 1e9:.2f} GB"
    return f"{count / 1000:.1f} KB" if count < 1e6 else f"{count / 1e6:.2f} MB"


def count(number: float) -> str:
    """2,293,000 as 2.29 M."""
    if number < 10_000:
        return f"{number:,.0f}"
    if number >= 1e9:
        return f"{number / 1e9:.2f} G"
    return f"{number / 1e3:.1f} K" if number < 1e6 else f"{number / 1e6:.2f} M"


def seconds(time: float) -> str:
    """ "8 s", "4 min" or "1 h 20 min"; below a second "1 s"."""
    if time < 90:
        return _("{seconds} s", seconds=max(1, round(time)))
    minutes = round(time / 60)
    if minutes < 60:
        return _("{minutes} min", minutes=minutes)
    return _("{hours} h {minutes} min", hours=minutes // 60, minutes=minutes % 60)


def shape(sizes: tuple[int, ...]) -> str:
    return " × ".join(map(str, sizes))


def describe_recipe(recipe: Recipe) -> str:
    return " → ".join(map(describe, recipe)) or _("original")


def clip(text: str, most: int = MOST_SHOWN) -> str:
    """A text of at most so many characters; of a longer one its beginning and its end, since rule
    and remedy stand there."""
    text = str(text)  # of one that is said `Later`: what it says now
    if len(text) <= most:
        return text
    end = most // 3
    return f"{text[: most - end - 3]} … {text[-end:]}"


def escape_markdown(text: str) -> str:
    """Somebody's own words where Streamlit would read markdown."""
    return re.sub(r"([\\`*_{}\[\]()<>#+.!|~:$-])", r"\\\1", text)
