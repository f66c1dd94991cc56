"""The colours of the five roles, the same on every page; none differ by red and green alone.

The same ten values stand in .streamlit/config.toml, as chart colours and as the names for markdown
(:blue[kept] :orange[pruned] :green[quantized] :gray[original] :violet[compressed]).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """Colours of the roles, of text and lines, and two scales (low to high, and around zero)."""

    kept: str
    pruned: str
    quantized: str
    original: str
    compressed: str
    text: str
    grid: str
    surface: str
    sequential: tuple[str, ...]
    diverging: tuple[str, ...]


ROLES = ("kept", "pruned", "quantized", "original", "compressed")  # the theme's chart colours

LIGHT = Palette(
    kept="#0B5CB4",
    pruned="#D9520C",
    quantized="#129B6B",
    original="#50545B",
    compressed="#B0749F",
    text="#1D232B",
    grid="#E3E7EC",
    surface="#FFFFFF",
    sequential=("#F1F5FA", "#BFD4EB", "#7DA9D7", "#3A78BD", "#104B8C", "#0A3566"),
    diverging=("#8C3205", "#D9713A", "#F6D5C3", "#FFFFFF", "#CFDFF0", "#6396CD", "#0D4789"),
)
DARK = Palette(
    kept="#85BBFB",
    pruned="#DC6414",
    quantized="#2F9A72",
    original="#7A8294",
    compressed="#F0A9BC",
    text="#E4E8ED",
    grid="#2A323B",
    surface="#12161B",
    sequential=("#18222E", "#1F4064", "#32659D", "#5B90CE", "#9AC3F6", "#C6DFFD"),
    diverging=("#F9B284", "#DC6414", "#533120", "#12161B", "#22344A", "#4080C2", "#A5CEFF"),
)


def palette(theme: str | None) -> Palette:
    """The palette of "dark", or the light one for anything else."""
    return DARK if theme == "dark" else LIGHT
