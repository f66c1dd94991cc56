"""The colours of the five roles, the same on every page; none differ by red and green alone.

The two scales are teal and olive, hues of no role: a count, a share or a weight is neither kept nor
pruned. Where a scale runs between two roles, as sparsity does, it runs between their colours.

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
    sequential=("#EFF6F7", "#BBDDE3", "#79BAC6", "#2F93A5", "#0A6578", "#063F4C"),
    diverging=("#5C4A00", "#9C8330", "#E6DCB8", "#FFFFFF", "#C5E2E7", "#4FA3B3", "#0A5566"),
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
    sequential=("#17252A", "#1B4550", "#246B7A", "#3F98AA", "#84CBD9", "#C9EEF5"),
    diverging=("#EBD58C", "#B8973A", "#4A3F1C", "#12161B", "#1C3D46", "#3D93A5", "#A5E2EF"),
)


def palette(theme: str | None) -> Palette:
    """The palette of "dark", or the light one for anything else."""
    return DARK if theme == "dark" else LIGHT
