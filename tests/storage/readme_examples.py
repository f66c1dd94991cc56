"""The worked examples of the README, as bytes."""

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def example_in_the_readme(start: str, end: str) -> bytes:
    """The example between two texts: lines of two-digit numbers with their meaning behind, and
    lines that are the file's own text."""
    block = README.read_text().partition(start)[2].partition(end)[0]
    raw = b""
    for line in re.findall(r"^    (.+)$", block, re.MULTILINE):
        numbers = re.match(r"((?:[0-9a-f]{2} )*[0-9a-f]{2})(?:  |$)", line)
        raw += bytes.fromhex(numbers[1]) if numbers else line.encode()
    return raw
