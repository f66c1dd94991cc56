"""How much a child may take."""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Limits:
    """What one child may take; times count for each question anew.

    `memory_bytes` bounds writable memory (RLIMIT_DATA) and what is resident of it. Files that are
    mapped to be read do not count: the kernel drops their pages when it needs room.
    `address_bytes` bounds everything that is mapped (RLIMIT_AS), of which torch and onnxruntime
    reserve much more than they use.
    """

    memory_bytes: int = 2_000_000_000
    address_bytes: int = 32_000_000_000
    file_bytes: int = 4_000_000_000
    answer_bytes: int = 8_000_000
    log_bytes: int = 64_000
    threads: int = 32
    cpu_seconds: float = 60.0
    seconds: float = 60.0  # of the clock on the wall

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"{field.name}={value} lets nothing run; it must be above 0")
