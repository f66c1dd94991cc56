"""The byte ledger of one tensor: the layouts of the ledger page, block by block."""

from collections.abc import Callable
from dataclasses import dataclass

from compress_core.checkpoint.census import Census
from compress_core.checkpoint.header import Entry
from compress_core.checkpoint.weighing import store_tensor
from compress_core.measurement.ledger import LAYOUT_ROWS, OURS, weight_bound
from compress_core.recipe import Recipe
from compress_core.storage.layouts import LAYOUTS
from compress_core.storage.streams import StoredWeight

OWN = "as it came"
BOUND = "entropy bound"
SEEN = 1 << 19  # weights that the ledger of a large tensor looks at


@dataclass(frozen=True)
class LedgerLine:
    """One encoding of a tensor: its bytes without headers, None where it does not fit the tensor.
    `is_bound`: no file, a bound."""

    name: str
    bytes: int | None
    is_bound: bool = False


@dataclass(frozen=True)
class TensorLedger:
    """All encodings of a tensor after some steps, of `weights` of which `seen` were encoded."""

    lines: tuple[LedgerLine, ...]
    weights: int
    seen: int


def tensor_ledger(
    entry: Entry, steps: Recipe, census: Callable[[], Census], *, most: int | None = SEEN
) -> TensorLedger:
    """Each encoding's bytes; of a large tensor those of evenly spread rows, scaled up.

    Raises ValueError for steps that the tensor cannot take.
    """
    counters: dict[str, Callable[[StoredWeight], int | None]] = {
        **{name: _by_layout(layout) for name, layout in LAYOUT_ROWS.items()},
        BOUND: weight_bound,
        OURS: lambda weight: weight.streams.byte_count,
    }
    totals: dict[str, int | None] = dict.fromkeys(counters, 0)
    seen = 0
    for before, weight, _ in store_tensor(entry, steps, census, most=most):
        seen += before.numel()
        for name, count in counters.items():
            found, total = count(weight), totals[name]
            totals[name] = None if found is None or total is None else total + found
    scale = entry.weights / seen
    lines = (
        LedgerLine(name, None if total is None else round(total * scale), name == BOUND)
        for name, total in totals.items()
    )
    return TensorLedger((LedgerLine(OWN, entry.bytes), *lines), entry.weights, seen)


def _by_layout(layout: str) -> Callable[[StoredWeight], int | None]:
    def count(weight: StoredWeight) -> int | None:
        found = LAYOUTS[layout].encode(weight)
        return found.byte_count if found else None

    return count
