"""How much may be uploaded: a file, a session, the whole server.

Whoever starts the server may say otherwise: `COMPRESS_UPLOADS="file_mb=100,at_once=1"`. A server
for a class takes no uploads unless this variable says how many.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields

from ui import classroom

VARIABLE = "COMPRESS_UPLOADS"
MB = 1_000_000


@dataclass(frozen=True)
class Quota:
    """The limits, in MB (10⁶ bytes) where the name says so. No files at once: no uploads."""

    file_mb: int = 512
    session_mb: int = 1024
    total_mb: int = 8192  # of all sessions together
    free_mb: int = 1024  # of the disk stays free
    session_files: int = 2000  # a folder of images
    at_once: int = 4  # of a session
    total_at_once: int = 32


def from_environment(environment: Mapping[str, str] = os.environ) -> Quota:
    """The quota that $COMPRESS_UPLOADS says; without it the usual one, and in class mode none.

    Raises ValueError with the remedy if the variable cannot be read.
    """
    chosen = environment.get(VARIABLE, "").strip()
    if not chosen:
        return Quota(at_once=0) if classroom.token() else Quota()
    return Quota(**dict(_read(entry) for entry in chosen.split(",")))


def _read(entry: str) -> tuple[str, int]:
    name, _, number = (part.strip() for part in entry.partition("="))
    known = [field.name for field in fields(Quota)]
    if name not in known or not (number.isascii() and number.isdigit()):
        raise ValueError(
            f"{VARIABLE} has {entry.strip()!r}: each entry is NAME=NUMBER, the entries are "
            f"separated by commas, and the names are {', '.join(known)}"
        )
    return name, int(number)
