"""Where a logarithmic axis has ticks, and what they say."""

import math
from collections.abc import Sequence
from typing import Any

DENSE = 1.3  # decades of the log axis up to which more ticks have room


def log_ticks(values: Sequence[float]) -> dict[str, list[Any]]:
    """Ticks at round numbers around these, dense enough to be some where they are close together.

    Plotly's own are either powers of ten alone or digits without their power.
    """
    low, high = (math.log10(limit(values, default=1)) for limit in (min, max))
    steps = (1, 2, 5) if high - low > DENSE else (1, 1.5, 2, 3, 5, 7)
    ticks = [
        step * 10.0**power
        for power in range(math.floor(low) - 1, math.ceil(high) + 1)
        for step in steps
    ]
    return {"tickvals": ticks, "ticktext": [_short(tick) for tick in ticks]}


def _short(number: float) -> str:
    """20,000 as 20k."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"
