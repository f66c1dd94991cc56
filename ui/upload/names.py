"""The name of an uploaded file, as it may be shown: text, never a path that is opened."""

import unicodedata

LONGEST = 120  # characters of the whole name
MOST_FOLDERS = 8
ELLIPSIS = "…"


def clean_name(name: str) -> str:
    """A name with its folders (`cats/1.png`), fit to be shown: shortened, without control
    characters, right-to-left marks, empty parts and parts that lead upwards. It is not escaped:
    whoever puts it into HTML or Markdown does that.
    """
    bounded = name if len(name) <= 4 * LONGEST else name[: 2 * LONGEST] + name[-2 * LONGEST :]
    parts = [_clean_part(part) for part in bounded.replace("\\", "/").split("/")]
    kept = [part for part in parts if part.strip(".")][-MOST_FOLDERS:]
    return _shorten("/".join(kept)) or "unnamed"


def suffix_of(name: str, suffixes: tuple[str, ...]) -> str | None:
    """Which of the accepted suffixes a name has, as we spell it; the longest of several."""
    found = [suffix for suffix in suffixes if name.lower().endswith(suffix)]
    return max(found, key=len, default=None)


def _clean_part(part: str) -> str:
    """Without what is not visible by itself: control, format, private and unpaired characters."""
    visible = "".join(c if unicodedata.category(c)[0] != "C" else " " for c in part)
    return " ".join(visible.split())


def _shorten(name: str) -> str:
    """The end stays: it has the suffix."""
    if len(name) <= LONGEST:
        return name
    half = LONGEST // 2
    return name[: half - 1] + ELLIPSIS + name[-half:]
