"""Which checkpoint this server shows: whoever starts it says so, never a visitor."""

import os
from pathlib import Path

VARIABLE = "COMPRESS_CHECKPOINT"


def path() -> Path | None:
    """A .safetensors file, its .index.json or their folder; None where none was named."""
    found = os.environ.get(VARIABLE)
    return Path(found) if found else None
