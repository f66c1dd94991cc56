"""Structured pruning: filters, channels, neurons and attention heads are removed for good.

network → couple() → groups of channels that can only go together
groups + step + statistics → plan_structured() → Cut (which channels go; nothing is touched)
network + Cut → shrink() → a smaller network; masked() → the same network with zeros instead
"""

from compress_core.methods.structured.coupling import Group, couple, reason_for
from compress_core.methods.structured.planning import (
    IMPORTANCES,
    Importance,
    PruneStructured,
    channel_importance,
    plan_structured,
    refusals,
    unit_importances,
)
from compress_core.methods.structured.surgery import (
    Cut,
    Shrunk,
    masked,
    merge,
    shrink,
    why_unlike,
)

__all__ = [
    "IMPORTANCES",
    "Cut",
    "Group",
    "Importance",
    "PruneStructured",
    "Shrunk",
    "channel_importance",
    "couple",
    "masked",
    "merge",
    "plan_structured",
    "reason_for",
    "refusals",
    "shrink",
    "unit_importances",
    "why_unlike",
]
